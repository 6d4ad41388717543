package web_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

func ExampleWeb_Handle() {
	pages, err := templates.New(templates.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := web.New(web.Config{Pages: pages, Log: slog.New(slog.DiscardHandler), Rand: rand.Reader, BaseURL: "https://login.example.test"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /app", w.Handle(func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown", Msg: "This login does not know that application."}
	}))
	rec := httptest.NewRecorder()
	w.Middleware(mux, nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/app", nil))
	fmt.Println(rec.Code, rec.Header().Get("Cache-Control"))
	// Output: 404 no-cache, no-store
}

func ExampleLocalPath() {
	for _, s := range []string{"/login?t=abc", "//evil.test/", "https://evil.test/"} {
		_, ok := web.LocalPath(s)
		fmt.Println(s, ok)
	}
	// Output:
	// /login?t=abc true
	// //evil.test/ false
	// https://evil.test/ false
}
