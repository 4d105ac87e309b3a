// Package modeltest holds the suite of every model adapter, and a server that
// plays a provider on the wire: scripted replies and faults, in the Dialect of
// any provider.
package modeltest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sparkwright/sparkwright/internal/model/call"
)

// Dialect is how a provider speaks. What it returns are bytes of the body of
// an answer.
type Dialect interface {
	// Path ends the path of every request.
	Path() string
	// Media is the media type of a reply.
	Media() string
	Abilities() Abilities
	// Start comes before the text.
	Start(inTokens int) []byte
	Text(piece string) []byte
	// Refusal is a whole refusal, its end included.
	Refusal(text string) []byte
	// End is how a reply ends.
	End(reason call.Reason, inTokens, outTokens int) []byte
	// Exception is a fault that the server reports in the middle of a reply.
	Exception(message string) []byte
	// Garbage is what no client understands.
	Garbage() []byte
	// Status is the body of an answer that is no reply, and its headers.
	Status(status int, message string) (http.Header, []byte)
	// Prompt reads what a request asks.
	Prompt(body []byte) Prompt
}

// Abilities say what a dialect can express.
type Abilities struct {
	Counts  bool // tells tokens
	Marks   bool // marks the end of a reply, so that a missing one is noticed
	Refuses bool // has refusals
	Filters bool // tells that a filter stopped the reply
	Limits  bool // tells that a limit stopped the reply, and takes one
}

// Prompt is what a request asks.
type Prompt struct {
	Model, System, User string
	MaxTokens           int
}

// Answer carries out one request. The context ends when the client goes away
// or the test ends.
type Answer func(ctx context.Context, d Dialect, w http.ResponseWriter)

// Request is what the server received.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte
}

// Server gives one Answer after the other; the last one again and again.
type Server struct {
	URL  string
	Sent atomic.Int64 // bytes of bodies that were written

	dialect  Dialect
	mu       sync.Mutex
	answers  []Answer
	requests []Request
}

// The tokens of every whole reply.
const (
	InTokens  = 11
	OutTokens = 7
)

// New starts a server that is stopped with the test.
func New(t *testing.T, d Dialect, answers ...Answer) *Server {
	t.Helper()
	s := &Server{dialect: d, answers: answers}
	stop := t.Context() // ends before the clean-up
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, done := context.WithCancel(r.Context())
		defer done()
		defer context.AfterFunc(stop, done)()
		answer := s.next(r)
		answer(ctx, d, &counted{ResponseWriter: w, sent: &s.Sent}) //nolint:contextcheck // it ends with the request and with the test
	}))
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

func (s *Server) next(r *http.Request) Answer {
	text, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{Path: r.URL.Path, Header: r.Header, Body: text})
	if err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, s.dialect.Path()) {
		return Status(http.StatusTeapot, nil, "not a request of this API: "+r.URL.Path)
	}
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return answer
}

// Requests returns what has been received.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// counted counts what is written.
type counted struct {
	http.ResponseWriter

	sent *atomic.Int64
}

// Write implements http.ResponseWriter.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// Unwrap lets http.NewResponseController flush.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// send writes pieces, each at once; false when the client has gone.
func send(w http.ResponseWriter, pieces ...[]byte) bool {
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil {
			return false
		}
		if http.NewResponseController(w).Flush() != nil {
			return false
		}
	}
	return true
}

// begin sends what comes before the end of a reply with these pieces.
func begin(d Dialect, w http.ResponseWriter, pieces []string) bool {
	w.Header().Set("Content-Type", d.Media())
	out := [][]byte{d.Start(InTokens)}
	for _, p := range pieces {
		out = append(out, d.Text(p))
	}
	return send(w, out...)
}

// Text is a whole good reply in these pieces.
func Text(pieces ...string) Answer { return Ended(call.Stop, pieces...) }

// Ended is a reply that ends for a reason.
func Ended(reason call.Reason, pieces ...string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		if begin(d, w, pieces) {
			send(w, d.End(reason, InTokens, OutTokens))
		}
	}
}

// Endless sends a piece again and again until the client goes away.
func Endless(piece string) Answer {
	return func(ctx context.Context, d Dialect, w http.ResponseWriter) {
		for begin(d, w, nil) && ctx.Err() == nil {
			for send(w, d.Text(piece)) && ctx.Err() == nil {
				continue
			}
		}
	}
}

// Unended ends the connection properly, without the end of the reply.
func Unended(pieces ...string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) { begin(d, w, pieces) }
}

// Stall sends the pieces, and then nothing until the client goes away.
func Stall(pieces ...string) Answer {
	return func(ctx context.Context, d Dialect, w http.ResponseWriter) {
		begin(d, w, pieces)
		<-ctx.Done()
	}
}

// Hang answers nothing until the client goes away.
func Hang(ctx context.Context, _ Dialect, _ http.ResponseWriter) { <-ctx.Done() }

// Cut sends the pieces, and one more but for its last bytes, and cuts the
// connection.
func Cut(pieces ...string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		begin(d, w, pieces)
		last := d.Text("never whole")
		send(w, last[:len(last)-5])
		panic(http.ErrAbortHandler)
	}
}

// Exception sends the pieces, and then reports a fault.
func Exception(message string, pieces ...string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		if begin(d, w, pieces) {
			send(w, d.Exception(message))
		}
	}
}

// Garbage sends the pieces, and then what no client understands.
func Garbage(pieces ...string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		if begin(d, w, pieces) {
			send(w, d.Garbage())
		}
	}
}

// Refuse is a refusal of the model.
func Refuse(text string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		if begin(d, w, nil) {
			send(w, d.Refusal(text))
		}
	}
}

// Status answers with an error in the form of the API.
func Status(status int, header http.Header, message string) Answer {
	return func(_ context.Context, d Dialect, w http.ResponseWriter) {
		own, body := d.Status(status, message)
		maps.Copy(w.Header(), own)
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = w.Write(body) //nolint:gosec // G705: what a test plays
	}
}

// Redirect leads to another address.
func Redirect(_ context.Context, _ Dialect, w http.ResponseWriter) {
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// Page answers with a page for people.
func Page(_ context.Context, _ Dialect, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html>")
}
