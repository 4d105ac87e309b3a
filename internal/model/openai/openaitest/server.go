// Package openaitest is a server that speaks chat completions on the wire and
// does what a test tells it to.
package openaitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Answer carries out one request. The context ends when the client goes away
// or the server is closed.
type Answer func(ctx context.Context, w http.ResponseWriter)

// Request is what the server received.
type Request struct {
	Path   string
	Header http.Header
	Body   map[string]any
}

// Server gives one Answer after the other; the last one again and again.
type Server struct {
	URL string // the base URL, with /v1

	mu       sync.Mutex
	answers  []Answer
	requests []Request
}

// New starts a server that is stopped with the test.
func New(t *testing.T, answers ...Answer) *Server {
	t.Helper()
	s := &Server{answers: answers}
	stop := t.Context() // ends before the clean-up
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, done := context.WithCancel(r.Context())
		defer done()
		defer context.AfterFunc(stop, done)()
		answer := s.next(r)
		answer(ctx, w) //nolint:contextcheck // it ends with the request and with the test
	}))
	t.Cleanup(h.Close)
	s.URL = h.URL + "/v1"
	return s
}

func (s *Server) next(r *http.Request) Answer {
	request := Request{Path: r.URL.Path, Header: r.Header}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &request.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
		return Status(http.StatusTeapot, nil, "not a chat completion request")
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

// Chunk is one event with a piece of text, or with a finish reason.
func Chunk(text, finish string) string {
	var reason any
	if finish != "" {
		reason = finish
	}
	return event(map[string]any{
		"id": "c", "object": "chat.completion.chunk", "model": "fake",
		"choices": []any{map[string]any{"index": 0, "delta": map[string]any{"content": text}, "finish_reason": reason}},
	})
}

// Refusal is one event with a piece of a refusal.
func Refusal(text string) string {
	return event(map[string]any{
		"choices": []any{map[string]any{"index": 0, "delta": map[string]any{"refusal": text}, "finish_reason": nil}},
	})
}

// Usage is the event that tells the tokens.
func Usage(in, out int) string {
	return event(map[string]any{
		"choices": []any{}, "usage": map[string]any{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out},
	})
}

// Done is the end of a stream.
const Done = "data: [DONE]\n\n"

func event(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return "data: " + string(text) + "\n\n"
}

// Stream sends the pieces as they are, each at once, and ends properly.
func Stream(pieces ...string) Answer {
	return func(_ context.Context, w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		send(w, pieces)
	}
}

func send(w http.ResponseWriter, pieces []string) {
	for _, piece := range pieces {
		if _, err := io.WriteString(w, piece); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
	}
}

// Text is a whole good reply.
func Text(text string) Answer {
	half := len(text) / 2
	return Stream(Chunk(text[:half], ""), Chunk(text[half:], ""), Chunk("", "stop"), Usage(11, 7), Done)
}

// Stall sends the pieces, and then nothing until the client goes away.
func Stall(pieces ...string) Answer {
	return func(ctx context.Context, w http.ResponseWriter) {
		Stream(pieces...)(ctx, w)
		<-ctx.Done()
	}
}

// Hang answers nothing until the client goes away.
func Hang(ctx context.Context, _ http.ResponseWriter) { <-ctx.Done() }

// Cut sends the pieces and cuts the connection.
func Cut(pieces ...string) Answer {
	return func(ctx context.Context, w http.ResponseWriter) {
		Stream(pieces...)(ctx, w)
		panic(http.ErrAbortHandler)
	}
}

// Status answers with an error in the form of the API.
func Status(status int, header http.Header, message string) Answer {
	return func(_ context.Context, w http.ResponseWriter) {
		maps.Copy(w.Header(), header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error": {"message": %q, "type": "t", "code": "c"}}`, message)
	}
}
