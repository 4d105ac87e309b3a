// Package web serves the page: one HTML document for every client route, and
// its hashed assets. The document carries a nonce of its own for styles; scripts
// come from this server only.
package web

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// AssetsPath is where the assets are.
const AssetsPath = "/assets/"

// placeholder stands in the built document where the nonce comes.
const placeholder = "__CSP_NONCE__"

// Page serves a built page.
type Page struct {
	dist     fs.FS
	document []byte // nil: the page is not built
}

// New returns the page that was built into dist. Without an index.html in it
// every route says that the page is not built.
func New(dist fs.FS) (*Page, error) {
	document, err := fs.ReadFile(dist, "index.html")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Page{dist: dist, document: document}, nil
}

// Routes are the patterns of the page's own routes, besides / and /settings,
// which the reference contract has too.
func Routes() []string {
	return []string{"/ask", "/runs/{id}", "/history", "/compare/{a}/{b}", "/connections", "/doctor"}
}

// Wanted reports whether a request is a browser's that opens a page: programs
// that accept anything want JSON.
func Wanted(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			media, parameters, err := mime.ParseMediaType(part)
			if err != nil || media != "text/html" {
				continue
			}
			q, err := strconv.ParseFloat(parameters["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}

// ServeHTTP implements http.Handler for the routes: the document.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	h.Add("Vary", "Accept")
	status, document := http.StatusOK, bytes.ReplaceAll(p.document, []byte(placeholder), []byte(nonce))
	if p.document == nil {
		status, document = http.StatusServiceUnavailable, []byte(unbuilt)
	}
	h.Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(document) // the client may have left
	}
}

const unbuilt = "<!doctype html><html lang=en><meta charset=utf-8><title>Sparkwright</title>" +
	"<h1>The page is not built</h1><p>This binary was compiled without it: <code>make build</code> makes one with it. " +
	"The API is at <a href=/api/v1/openapi.json>/api/v1</a>.</html>\n"

// policy lets the page load from this server only. Components that add style
// elements know the nonce; nothing else inline runs. Attributes of style are
// let through: Chromium itself sets them in what is edited, and they load nothing.
func policy(nonce string) string {
	return strings.Join([]string{
		"default-src 'self'", "script-src 'self'", "style-src 'self' 'nonce-" + nonce + "'", "style-src-attr 'unsafe-inline'", "img-src 'self' data:",
		"object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
	}, "; ")
}

// Assets serves what the document names. The names hold a hash of the content,
// so that browsers may keep them for good.
func (p *Page) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "assets/" + strings.TrimPrefix(r.URL.Path, AssetsPath)
		kind, known := kinds()[path.Ext(name)]
		content, encoding, err := p.encoded(name, r.Header.Get("Accept-Encoding"))
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if err != nil || !known {
			h.Set("Cache-Control", "no-store")
			http.Error(w, "there is no such file", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Add("Vary", "Accept-Encoding")
		if encoding != "" {
			h.Set("Content-Encoding", encoding)
		}
		h.Set("Content-Length", strconv.Itoa(len(content)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(content) //nolint:gosec // a file of the build, not what the client has sent
		}
	})
}

// encoded reads a file in the smallest form that the build has made and the
// client takes.
func (p *Page) encoded(name, accepted string) (content []byte, encoding string, err error) {
	for _, form := range []struct{ encoding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !takes(accepted, form.encoding) {
			continue
		}
		if content, err = fs.ReadFile(p.dist, name+form.suffix); err == nil {
			return content, form.encoding, nil
		}
	}
	content, err = fs.ReadFile(p.dist, name)
	return content, "", err
}

// takes reports whether an Accept-Encoding names an encoding and does not
// refuse it.
func takes(accepted, encoding string) bool {
	for part := range strings.SplitSeq(accepted, ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		weight, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !ok || err != nil || q > 0
	}
	return false
}

// kinds are the media types of assets. The system's own table is not asked: it
// differs between machines.
func kinds() map[string]string {
	return map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
		".woff2": "font/woff2", ".json": "application/json",
	}
}
