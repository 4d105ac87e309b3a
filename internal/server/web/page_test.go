package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sparkwright/sparkwright/internal/server/web"
)

func built(t *testing.T) *web.Page {
	t.Helper()
	page, err := web.New(fstest.MapFS{
		"index.html":          {Data: []byte(`<meta property="csp-nonce" nonce="__CSP_NONCE__"><link nonce="__CSP_NONCE__">`)},
		"assets/main-1.js":    {Data: []byte("plain")},
		"assets/main-1.js.br": {Data: []byte("brotli")},
		"assets/main-1.js.gz": {Data: []byte("gzip")},
		"assets/font-1.woff2": {Data: []byte("font")},
		"assets/notes.txt":    {Data: []byte("not for browsers")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDocumentHasANonceOfItsOwn(t *testing.T) {
	t.Parallel()
	page := built(t)
	seen := map[string]bool{}
	for range 3 {
		w := get(page, "/ask")
		_, rest, _ := strings.Cut(w.Body.String(), `nonce="`)
		nonce, _, _ := strings.Cut(rest, `"`)
		if w.Code != http.StatusOK || len(nonce) < 20 || seen[nonce] {
			t.Fatalf("HTTP %d, nonce %q, seen before: %v", w.Code, nonce, seen)
		}
		seen[nonce] = true
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "style-src 'self' 'nonce-"+nonce+"'") || strings.Contains(strings.Replace(policy, "; style-src-attr 'unsafe-inline';", ";", 1), "unsafe") {
			t.Errorf("policy %q for nonce %q", policy, nonce)
		}
		if strings.Contains(w.Body.String(), "__CSP_NONCE__") {
			t.Errorf("a placeholder is left: %s", w.Body)
		}
		for _, want := range []string{"default-src 'self'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy %q lacks %q", policy, want)
			}
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") == "" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("headers %v", w.Header())
		}
	}
}

func TestUnbuiltPageSaysSo(t *testing.T) {
	t.Parallel()
	page, err := web.New(fstest.MapFS{".keep": {}})
	if err != nil {
		t.Fatal(err)
	}
	if w := get(page, "/"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
	if w := get(page.Assets(), "/assets/main-1.js"); w.Code != http.StatusNotFound {
		t.Errorf("HTTP %d for an asset that is not there", w.Code)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	assets := built(t).Assets()
	for _, test := range []struct {
		name, path, accepted string
		status               int
		body, encoding, kind string
	}{
		{"brotli is the smallest", "/assets/main-1.js", "gzip, deflate, br, zstd", 200, "brotli", "br", "text/javascript; charset=utf-8"},
		{"gzip", "/assets/main-1.js", "gzip;q=0.5", 200, "gzip", "gzip", "text/javascript; charset=utf-8"},
		{"brotli refused", "/assets/main-1.js", "br;q=0, gzip", 200, "gzip", "gzip", "text/javascript; charset=utf-8"},
		{"as it is", "/assets/main-1.js", "", 200, "plain", "", "text/javascript; charset=utf-8"},
		{"fonts are compressed already", "/assets/font-1.woff2", "br", 200, "font", "", "font/woff2"},
		{"missing", "/assets/other.js", "br", 404, "", "", ""},
		{"outside", "/assets/../index.html", "br", 404, "", "", ""},
		{"another kind of file", "/assets/notes.txt", "br", 404, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := get(assets, test.path, "Accept-Encoding", test.accepted)
			if w.Code != test.status {
				t.Fatalf("HTTP %d, want %d", w.Code, test.status)
			}
			if test.status != http.StatusOK {
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("a missing file may be kept: %v", w.Header())
				}
				return
			}
			h := w.Header()
			if w.Body.String() != test.body || h.Get("Content-Encoding") != test.encoding || h.Get("Content-Type") != test.kind {
				t.Errorf("%q as %q %q", w.Body, h.Get("Content-Type"), h.Get("Content-Encoding"))
			}
			if !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Vary") != "Accept-Encoding" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"application/json, text/html;q=0.2":                               true,
		"text/html;q=0":                                                   false,
		"*/*":                                                             false,
		"application/json":                                                false,
		"":                                                                false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		if got := web.Wanted(r); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
}
