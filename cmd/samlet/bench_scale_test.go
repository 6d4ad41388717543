package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkConnections compares a samlet of 5,000 connections of 1,000 organizations,
// each with mail domains of its own, with one of ten connections of two:
// start-ms is from the files to a house that answers, page-ms the page on which
// somebody looks for an organization, and x/ten how much more the first page of a
// login costs than with ten.
func BenchmarkConnections(b *testing.B) {
	few, many := startCrowd(b, 10, 2), startCrowd(b, 5000, 1000)
	var cost [2]time.Duration
	var page, pages time.Duration
	for b.Loop() {
		for i, w := range []*demo{few, many} {
			first := httptest.NewRequest(http.MethodGet, w.requestOf(b, ""), nil)
			began := cpuTime(b)
			answer := httptest.NewRecorder()
			w.samlet.ServeHTTP(answer, first)
			cost[i] += cpuTime(b) - began
		}
		began := cpuTime(b)
		w := httptest.NewRecorder()
		many.samlet.ServeHTTP(w, many.searching(b))
		page = cpuTime(b) - began
		pages += page
		if !strings.Contains(w.Body.String(), "Company 4711") {
			b.Fatalf("got %d and no Company 4711", w.Code)
		}
	}
	began := time.Now()
	snap, err := loadSnapshot(many.samlet.path)
	if err != nil {
		b.Fatal(err)
	}
	h, err := build(snap, many.samlet.shared)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
	if err := h.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(pages.Microseconds())/1000/float64(b.N), "page-ms")
	b.ReportMetric(float64(cost[1])/float64(cost[0]), "x/ten")
}

// startCrowd is the world of the demo with n more connections, whose metadata is
// in files as partners send them, of so many organizations.
func startCrowd(b *testing.B, n, organizations int) *demo {
	b.Helper()
	w := startWorld(b)
	dir := filepath.Dir(w.samlet.path)
	md, err := os.ReadFile(filepath.Join(dir, "metadata", "partner.xml"))
	if err != nil {
		b.Fatal(err)
	}
	entries := make([]byte, 0, 200*n)
	domains := make([][]string, organizations)
	for i := range n {
		entityID := fmt.Sprintf("https://idp.c%d.test/metadata", i)
		// The signature of the template covers another entityID; nobody asked for one.
		text := replaceEntityID(b, string(md), entityID)
		if err := os.WriteFile(filepath.Join(dir, "metadata", fmt.Sprintf("c%d.xml", i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		of := i % organizations
		domains[of] = append(domains[of], fmt.Sprintf("c%d.test", i))
		entries = fmt.Appendf(entries, "- {id: c%d, type: saml, organization: o%d, name: Company %04d, email_domains: [c%d.test], metadata: {file: metadata/c%d.xml}}\n", i, of, i, i, i)
	}
	tenants := []byte("\norganizations:\n")
	for i, list := range domains {
		tenants = fmt.Appendf(tenants, "  - {id: o%d, name: Organization %04d, domains: [%s]}\n", i, i, strings.Join(list, ", "))
	}
	err = editConfig(w.samlet.path, func(raw []byte) ([]byte, error) {
		list, err := findList(raw, "connections")
		if err != nil {
			return nil, err
		}
		return append(list.append("connections", string(entries)), tenants...), nil
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.samlet.reload(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}

func replaceEntityID(b *testing.B, md, entityID string) string {
	b.Helper()
	head, rest, ok := strings.Cut(md, `entityID="`)
	_, tail, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		b.Fatalf("the metadata has no entityID: %.200s", md)
	}
	return head + `entityID="` + entityID + `"` + tail
}

// searching is a browser that looks for one organization.
func (d *demo) searching(b *testing.B) *http.Request {
	b.Helper()
	first := httptest.NewRecorder()
	d.samlet.ServeHTTP(first, httptest.NewRequest(http.MethodGet, d.requestOf(b, ""), nil))
	req := httptest.NewRequest(http.MethodGet, d.Samlet+first.Header().Get("Location")+"&choose=1&q=4711", nil)
	for _, c := range first.Result().Cookies() {
		req.AddCookie(c)
	}
	return req
}
