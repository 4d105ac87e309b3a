package call

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"sync"
	"time"
)

// watchKey finds the watcher of a try in the context of its requests.
type watchKey struct{}

// watcher notices silence in the body of an answer.
type watcher struct {
	idle    time.Duration
	stalled func()

	mu    sync.Mutex
	timer *time.Timer // set once the body is read
}

// heard is called for every piece that arrives.
func (w *watcher) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.idle, w.stalled)
		return
	}
	w.timer.Reset(w.idle)
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// transport bounds the answers to requests of a try.
type transport struct {
	base  http.RoundTripper
	media []string
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	watch, ok := req.Context().Value(watchKey{}).(*watcher)
	if err != nil || !ok {
		return res, err
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 && res.Header.Get("Location") != "" { // libraries follow it on their own
		_ = res.Body.Close()
		return nil, errRedirect
	}
	if res.StatusCode >= 300 {
		res.Body = &body{inner: res.Body, left: maxStatus, watch: watch}
		return res, nil
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if len(t.media) > 0 && (err != nil || !slices.Contains(t.media, kind)) {
		_ = res.Body.Close()
		return nil, errNoStream
	}
	res.Body = &body{inner: res.Body, left: maxWire, watch: watch, strict: true}
	return res, nil
}

// body is the body of an answer, bounded in size.
type body struct {
	inner  io.ReadCloser
	left   int
	strict bool // more than left is an error, not the end
	watch  *watcher
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if b.strict {
			return 0, ErrTooLarge
		}
		return 0, io.EOF
	}
	n, err := b.inner.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.watch.heard()
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.inner.Close() }
