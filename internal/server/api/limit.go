package api

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// Limits bound what clients may ask for. Zero values get defaults.
type Limits struct {
	BodyBytes        int64         // of a request; 1 MB. More is 413
	BodyTime         time.Duration // to send one; 30 s
	QuestionChars    int           // 4,000. More is 413
	Requests         int           // served at once, readers of events aside; 256. More is 503
	Readers          int           // of events, in all; 4,000. More is 503
	ReadersPerClient int           // of events, for each address; 64. More is 429
	PageRows         int           // of one page of a result; 10,000
	Wait             time.Duration // that Prefer: wait may ask for; 5 min
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		value     *int
		otherwise int
	}{
		{&l.QuestionChars, 4000},
		{&l.Requests, 256},
		{&l.Readers, 4000},
		{&l.ReadersPerClient, 64},
		{&l.PageRows, 10_000},
	} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	if l.BodyBytes <= 0 {
		l.BodyBytes = 1 << 20
	}
	if l.BodyTime <= 0 {
		l.BodyTime = 30 * time.Second
	}
	if l.Wait <= 0 {
		l.Wait = 5 * time.Minute
	}
	return l
}

func tooLarge(what string, most int64) *Problem {
	title := what + " is too large"
	if most > 0 {
		title = fmt.Sprintf("%s is larger than %d kB", what, most>>10)
	}
	return refusal(http.StatusRequestEntityTooLarge, sparkwright.CodeLimited, title, "send less, or raise the limit in the settings")
}

// limited is a refusal that a client may repeat later.
func (a *API) limited(name string, status int, title, remedy string, retryAfter time.Duration) *Problem {
	a.cfg.Counter.Refused(name)
	p := refusal(status, sparkwright.CodeBusy, title, remedy)
	p.retryAfter = retryAfter
	return p
}

// limit bounds requests at once, and the size and time of their bodies.
func (a *API) limit(next http.Handler) http.Handler {
	slots := make(chan struct{}, a.cfg.Limits.Requests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if r.ContentLength > a.cfg.Limits.BodyBytes {
			a.cfg.Counter.Refused("body")
			w.Header().Set("Connection", "close") // the rest is not read
			a.writeProblem(w, r, tooLarge("the request", a.cfg.Limits.BodyBytes))
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			a.writeProblem(w, r, a.limited("requests", http.StatusServiceUnavailable, "the server is busy", "try again in a moment", 2*time.Second))
			return
		}
		var once sync.Once
		release := func() { once.Do(func() { <-slots }) }
		defer release()
		r = r.WithContext(withRelease(r.Context(), release))
		r.Body = &timedBody{
			ReadCloser: http.MaxBytesReader(w, r.Body, a.cfg.Limits.BodyBytes+1),
			rc:         http.NewResponseController(w), time: a.cfg.Limits.BodyTime,
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody must arrive in time. Its deadline ends with the body: a deadline
// that stays would end the request's context while it is served.
type timedBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	time  time.Duration
	begun bool
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		_ = b.rc.SetReadDeadline(time.Now().Add(b.time)) // not every writer has one
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// recover turns a panic into a problem, when nothing has been written, and
// keeps it in the log.
func (a *API) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &begun{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			aborted := p == http.ErrAbortHandler //nolint:errorlint // a panic's value
			if !aborted {
				a.panicked(r, p)
			}
			if aborted || seen.yes {
				panic(http.ErrAbortHandler) // the reply is cut: it is not whole
			}
			a.writeProblem(w, r, refusal(http.StatusInternalServerError, sparkwright.CodeInternal, "an internal error", "see the server's log, and please report it with the request's id"))
		}()
		next.ServeHTTP(seen, r)
	})
}

// panicked keeps a panic in the log, without its value: it may hold anything.
func (a *API) panicked(r *http.Request, value any) {
	a.cfg.Log.ErrorContext(r.Context(), "handler panicked", "type", fmt.Sprintf("%T", value), "stack", string(debug.Stack()))
}

// begun knows whether a reply has begun.
type begun struct {
	http.ResponseWriter
	yes bool
}

// WriteHeader implements http.ResponseWriter.
func (b *begun) WriteHeader(code int) {
	b.yes = true
	b.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// annotate names route and run in the log.
func (a *API) annotate(ctx huma.Context, next func(huma.Context)) {
	telemetry.SetRoute(ctx.Context(), ctx.Operation().Path)
	if id := ctx.Param("id"); runID(id) {
		telemetry.Annotate(ctx.Context(), slog.String("run_id", id))
	}
	next(ctx)
}

// runID reports whether text may be a run's id: clients send anything, and the
// log must not carry it.
func runID(text string) bool {
	if len(text) < 2 || len(text) > 40 {
		return false
	}
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return text[0] == 'r'
}

// readers counts the connections that follow events.
type readers struct {
	perClient, most int

	mu      sync.Mutex
	all     int
	clients map[string]int
}

func newReaders(perClient, most int) *readers {
	return &readers{perClient: perClient, most: most, clients: map[string]int{}}
}

// enter takes a place; full names the limit that is reached.
func (r *readers) enter(req *http.Request) (leave func(), full string) {
	client, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		client = req.RemoteAddr
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.clients[client] >= r.perClient:
		return nil, "client_readers"
	case r.all >= r.most:
		return nil, "readers"
	}
	r.all++
	r.clients[client]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all--
		if r.clients[client]--; r.clients[client] == 0 {
			delete(r.clients, client)
		}
	}, ""
}
