package server_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/web"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func withPage(t *testing.T) func(*server.Config) {
	t.Helper()
	page, err := web.New(fstest.MapFS{
		"index.html":       {Data: []byte("<title>the page</title>")},
		"assets/main-1.js": {Data: []byte("script")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *server.Config) { cfg.Page = page }
}

// open asks for a path as a client that accepts so does.
func (b *testBundle) open(t *testing.T, method, path, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TestPageBesideTheContract: the same path is a page for browsers and what the
// contract says for everything else.
func TestPageBesideTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t, withPage(t))
	for _, test := range []struct {
		path, accept string
		status       int
		kind, holds  string
	}{
		{"/", browser, 200, "text/html", "the page"},
		{"/", "*/*", 200, "application/json", `"endpoints"`},
		{"/", "", 200, "application/json", `"endpoints"`},
		{"/settings", browser, 200, "text/html", "the page"},
		{"/settings", "application/json", 200, "application/json", `"postgres"`},
		{"/ask", browser, 200, "text/html", "the page"},
		{"/ask", "application/json", 404, "application/json", "Not Found"},
		{"/runs/r_1", browser, 200, "text/html", "the page"},
		{"/history", browser, 200, "text/html", "the page"},
		{"/history/s1", browser, 200, "application/json", `"success"`},
		{"/connections", browser, 200, "text/html", "the page"},
		{"/doctor", browser, 200, "text/html", "the page"},
		{"/nothing", browser, 404, "application/json", "Not Found"},
		{"/health", browser, 200, "application/json", "healthy"},
		{"/assets/main-1.js", "*/*", 200, "text/javascript", "script"},
		{"/assets/main-2.js", "*/*", 404, "text/plain", "no such file"},
	} {
		resp, reply := b.open(t, http.MethodGet, test.path, test.accept) //nolint:bodyclose // open has read and closed it
		if resp.StatusCode != test.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), test.kind) || !strings.Contains(reply, test.holds) {
			t.Errorf("GET %s, Accept %q: HTTP %d, %s: %.100s", test.path, test.accept, resp.StatusCode, resp.Header.Get("Content-Type"), reply)
		}
		if (test.path == "/" || test.path == "/settings") && resp.Header.Get("Vary") != "Accept" {
			t.Errorf("GET %s, Accept %q: Vary is %q", test.path, test.accept, resp.Header.Get("Vary"))
		}
	}
	if resp, _ := b.open(t, http.MethodPost, "/ask", browser); resp.StatusCode != http.StatusNotFound { //nolint:bodyclose // open has read and closed it
		t.Errorf("POST /ask: HTTP %d", resp.StatusCode)
	}
}

// Without a page everything is as the contract says.
func TestNoPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if resp, reply := b.open(t, http.MethodGet, "/", browser); !strings.Contains(reply, `"endpoints"`) || resp.StatusCode != http.StatusOK { //nolint:bodyclose // open has read and closed it
		t.Errorf("HTTP %d: %s", resp.StatusCode, reply)
	}
}

// TestRoutesInTheLog: a request is named by its pattern, files of the page
// included; what no route takes has none.
func TestRoutesInTheLog(t *testing.T) {
	t.Parallel()
	var cfg server.Config
	setup(t, withPage(t), func(c *server.Config) { cfg = *c })
	var log bytes.Buffer
	h := telemetry.HTTP{Log: slog.New(slog.NewTextHandler(&log, nil))}.Wrap(server.New(cfg))
	for path, route := range map[string]string{
		"/assets/main-1.js": "/assets/", "/assets/gone.js": "/assets/", "/runs/r_1": "/runs/{id}", "/compare/a/b": "/compare/{a}/{b}",
		"/": "/{$}", "/health": "/health", "/wp-admin": "unmatched",
	} {
		log.Reset()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		req.Host = "127.0.0.1"
		req.Header.Set("Accept", browser)
		h.ServeHTTP(httptest.NewRecorder(), req)
		if !strings.Contains(log.String(), " route="+route+" ") {
			t.Errorf("%s is not told as %s: %s", path, route, log.String())
		}
	}
}
