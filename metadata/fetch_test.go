package metadata_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// server answers with a status and a Location, or content of some type, at the
// path that asks for it.
func server(t testing.TB, tls bool) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect/{status}", func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscan(r.PathValue("status"), &status); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(status)
	})
	mux.HandleFunc("/hops/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscan(r.PathValue("n"), &n); err != nil {
			t.Error(err)
		}
		to := "/md"
		if n > 1 {
			to = fmt.Sprintf("/hops/%d", n-1)
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	mux.HandleFunc("/md", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", metadata.ContentType)
		write(t, w, "<md/>"+strings.Repeat(" ", 95))
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		// The reader hangs up on a bomb, so neither error says anything.
		_, err := io.Copy(z, io.LimitReader(zeros{}, 64<<20))
		if err = errors.Join(err, z.Close()); err != nil {
			return
		}
	})
	mux.HandleFunc("/html", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		write(t, w, "<html>")
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = nil
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Error(err)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	secure, plain := server(t, true), server(t, false)
	client := secure.Client()
	dev := metadata.FetchOptions{AllowHTTP: true}
	for _, tc := range []struct {
		name, url string
		o         metadata.FetchOptions
		code      identity.Code
	}{
		{"https", secure.URL + "/md", metadata.FetchOptions{}, ""},
		{"301", secure.URL + "/redirect/301?to=/md", metadata.FetchOptions{}, ""},
		{"302", secure.URL + "/redirect/302?to=/md", metadata.FetchOptions{}, ""},
		{"307", secure.URL + "/redirect/307?to=/md", metadata.FetchOptions{}, ""},
		{"308", secure.URL + "/redirect/308?to=/md", metadata.FetchOptions{}, ""},
		{"303", secure.URL + "/redirect/303?to=/md", metadata.FetchOptions{}, "md.redirect"},
		{"five redirects", secure.URL + "/hops/5", metadata.FetchOptions{}, ""},
		{"six redirects", secure.URL + "/hops/6", metadata.FetchOptions{}, "md.redirect"},
		{"https to http", secure.URL + "/redirect/302?to=" + plain.URL + "/md", metadata.FetchOptions{}, "md.redirect"},
		{"https to http in development", secure.URL + "/redirect/302?to=" + plain.URL + "/md", dev, "md.redirect"},
		{"to a file", secure.URL + "/redirect/302?to=file:///etc/passwd", dev, "md.redirect"},
		{"to a user name", secure.URL + "/redirect/302?to=" + strings.Replace(secure.URL, "://", "://u:p@", 1), metadata.FetchOptions{}, "md.redirect"},
		{"http", plain.URL + "/md", metadata.FetchOptions{}, "md.url"},
		{"http in development", plain.URL + "/md", dev, ""},
		{"another scheme", "file:///etc/passwd", dev, "md.url"},
		{"no URL", "metadata.xml", dev, "md.url"},
		{"404", secure.URL + "/nothing", metadata.FetchOptions{}, "md.fetch"},
		{"HTML", secure.URL + "/html", metadata.FetchOptions{}, "md.html"},
		{"exactly the limit", secure.URL + "/md", metadata.FetchOptions{MaxBytes: 100}, ""},
		{"over the limit", secure.URL + "/md", metadata.FetchOptions{MaxBytes: 99}, "md.too_large"},
		{"a gzip bomb", secure.URL + "/bomb", metadata.FetchOptions{}, "md.too_large"},
		{"no answer", secure.URL + "/hang", metadata.FetchOptions{Timeout: 50 * time.Millisecond}, "md.fetch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body, err := metadata.Fetch(t.Context(), client, tc.url, tc.o)
			if identity.CodeOf(err) != tc.code || err == nil && !strings.HasPrefix(string(body), "<md/>") {
				t.Errorf("got %q, %v; want code %q", body, err, tc.code)
			}
		})
	}
	if client.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := metadata.Fetch(ctx, client, secure.URL+"/md", metadata.FetchOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// Threat class "SSRF" (requirement 209): the address that is dialled decides,
// however it was written and wherever a redirect or a name led to it.
func TestClientStaysOutOfPrivateNetworks(t *testing.T) {
	t.Parallel()
	plain := server(t, false)
	_, port, _ := strings.Cut(strings.TrimPrefix(plain.URL, "http://"), ":")
	strict, private := metadata.NewClient(metadata.ClientConfig{}), metadata.NewClient(metadata.ClientConfig{AllowPrivate: true})
	o := metadata.FetchOptions{AllowHTTP: true, Timeout: 2 * time.Second}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"} {
		_, err := metadata.Fetch(t.Context(), strict, "http://"+host+":"+port+"/md", o)
		if identity.CodeOf(err) != "md.address" || identity.KindOf(err) != identity.KindDenied {
			t.Errorf("%s: got %v, want md.address", host, err)
		}
	}
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "0.0.0.0", "[::]", "224.0.0.1", "255.255.255.255", "[64:ff9b::a9fe:a9fe]"} {
		_, err := metadata.Fetch(t.Context(), private, "http://"+host+":"+port+"/md", o)
		if identity.CodeOf(err) != "md.address" {
			t.Errorf("%s with AllowPrivate: got %v, want md.address", host, err)
		}
	}
	if _, err := metadata.Fetch(t.Context(), private, plain.URL+"/md", o); err != nil {
		t.Errorf("loopback with AllowPrivate: %v", err)
	}
	if _, err := metadata.Fetch(t.Context(), private, plain.URL+"/redirect/302?to=http://169.254.169.254/latest/meta-data", o); identity.CodeOf(err) != "md.address" {
		t.Errorf("redirected to link-local: got %v, want md.address", err)
	}
}
