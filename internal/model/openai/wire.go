package openai

import (
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/openai/openai-go/v3/option"
)

// watcher bounds the body of an answer: its size, and the silence in it.
type watcher struct {
	idle    time.Duration
	stalled func()

	mu    sync.Mutex
	timer *time.Timer // set once the body is read
}

// middleware sees the request of one try.
func (w *watcher) middleware(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err != nil {
		return res, err
	}
	if res.StatusCode >= 300 {
		res.Body = &body{inner: res.Body, left: 64 << 10, watch: w}
		return res, nil
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "text/event-stream" {
		_ = res.Body.Close()
		return nil, errNoStream
	}
	res.Body = &body{inner: res.Body, left: maxWire, watch: w, strict: true}
	return res, nil
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

type body struct {
	inner  io.ReadCloser
	left   int
	strict bool // more than left is an error, not the end
	watch  *watcher
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if b.strict {
			return 0, errTooLarge
		}
		return 0, io.EOF
	}
	n, err := b.inner.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.watch.heard()
	return n, err
}

func (b *body) Close() error { return b.inner.Close() }
