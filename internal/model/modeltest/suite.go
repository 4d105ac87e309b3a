package modeltest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/call"
)

// ModelName is the model that the suite has adapters ask for.
const ModelName = "fake-1"

// Secret is the credential that adapters are given, where they take one.
const Secret = "canary-0123456789abcdef"

// Options is how the suite wants a model to be made.
type Options struct {
	URL string
	call.Limits

	Wait func(ctx context.Context, d time.Duration) error
}

// Maker makes a model named ModelName that speaks to a server, and logs in with
// Secret.
type Maker func(t *testing.T, opt Options) sparkwright.Model

type suite struct {
	dialect Dialect
	maker   Maker
}

type bundle struct {
	*Server

	model sparkwright.Model
	mu    sync.Mutex
	waits []time.Duration
}

// setup makes a model of a server with these answers, that does not really
// wait between two tries.
func (s *suite) setup(t *testing.T, limits call.Limits, answers ...Answer) *bundle {
	t.Helper()
	b := &bundle{Server: New(t, s.dialect, answers...)}
	b.model = s.maker(t, Options{URL: b.URL, Limits: limits, Wait: func(ctx context.Context, d time.Duration) error {
		b.mu.Lock()
		b.waits = append(b.waits, d)
		b.mu.Unlock()
		return ctx.Err()
	}})
	return b
}

var request = sparkwright.ModelRequest{System: "be ü", User: "question\n\u2028 \"quoted\"", MaxTokens: 99}

// Run is the suite: what holds for every adapter, whatever it speaks.
func Run(t *testing.T, d Dialect, maker Maker) {
	t.Helper()
	s := &suite{dialect: d, maker: maker}
	t.Run("Reply", s.reply)
	t.Run("Faults", s.faults)
	t.Run("Retry", s.retry)
	t.Run("Cancel", s.cancel)
	t.Run("CancelWhileWaiting", s.cancelWhileWaiting)
	t.Run("Concurrent", s.concurrent)
	t.Run("Unreachable", s.unreachable)
	t.Run("Metadata", s.metadata)
}

func (s *suite) reply(t *testing.T) {
	t.Parallel()
	b := s.setup(t, call.Limits{}, Text("größe 🛒 \n", "\u2028 end", " \"x\""))
	var pieces []string
	got, err := b.model.Complete(t.Context(), request, func(text string) { pieces = append(pieces, text) })
	if err != nil {
		t.Fatal(err)
	}
	want := &sparkwright.ModelReply{Text: "größe 🛒 \n\u2028 end \"x\""}
	ask := Prompt{Model: ModelName, System: request.System, User: request.User}
	if s.dialect.Abilities().Counts {
		want.InputTokens, want.OutputTokens = InTokens, OutTokens
	}
	if s.dialect.Abilities().Limits {
		ask.MaxTokens = request.MaxTokens
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"größe 🛒 \n", "\u2028 end", " \"x\""}, pieces); diff != "" {
		t.Errorf("the pieces:\n%s", diff)
	}
	sent := b.Requests()
	asked := s.dialect.Prompt(sent[0].Body)
	if asked.Model == "" { // some have it in the path
		ask.Model = ""
		if !strings.Contains(sent[0].Path, ModelName) {
			t.Errorf("the model is not asked for: %s", sent[0].Path)
		}
	}
	if diff := cmp.Diff(ask, asked); diff != "" || len(sent) != 1 {
		t.Errorf("%d requests\n%s", len(sent), diff)
	}
	if name := b.model.Name(); !strings.HasSuffix(name, ":"+ModelName) {
		t.Errorf("Name() = %q", name)
	}
}

// fault is a way of failing, and how it is told.
type fault struct {
	name   string
	limits call.Limits
	answer Answer
	code   sparkwright.Code
	want   string
}

func (s *suite) faultCases() []fault {
	ten := strings.Repeat("x", 10<<20)
	quoted := "the key is wrong: " + Secret
	can := s.dialect.Abilities()
	list := []fault{
		{"stall", call.Limits{Idle: 30 * time.Millisecond}, Stall("a"), sparkwright.CodeTimeout, "stalled"},
		{"no answer", call.Limits{Timeout: 30 * time.Millisecond}, Hang, sparkwright.CodeTimeout, "did not finish in time"},
		{"never ready", call.Limits{Timeout: 200 * time.Millisecond}, Stall("a"), sparkwright.CodeTimeout, "did not finish in time"},
		{"truncated", call.Limits{}, Cut("a", "b"), sparkwright.CodeUnavailable, ""},
		{"exception in the middle", call.Limits{}, Exception("boom \x1b[31m"+Secret, "a"), sparkwright.CodeUnavailable, "boom"},
		{"garbage", call.Limits{}, Garbage("a"), sparkwright.CodeUnavailable, ""},
		{"10 MB in one piece", call.Limits{}, Text(ten), sparkwright.CodeResource, "too large"},
		{"endless", call.Limits{}, Endless(strings.Repeat("y", 4000)), sparkwright.CodeResource, "too large"},
		{"empty", call.Limits{}, Text(" ", "\n"), sparkwright.CodeUnavailable, "nothing"},
		{"400", call.Limits{}, Status(400, nil, quoted), sparkwright.CodeInvalid, "refused the request"},
		{"401", call.Limits{}, Status(401, nil, quoted), sparkwright.CodeUnauthorized, "refused"},
		{"403", call.Limits{}, Status(403, nil, quoted), sparkwright.CodeUnauthorized, "refused"},
		{"404", call.Limits{}, Status(404, nil, "no such model"), sparkwright.CodeInvalid, "does not know the model " + ModelName},
		{"redirect", call.Limits{}, Redirect, sparkwright.CodeInvalid, "redirects"},
		{"a page", call.Limits{}, Page, sparkwright.CodeInvalid, "event stream"},
	}
	add := func(able bool, f fault) {
		if able {
			list = append(list, f)
		}
	}
	add(can.Marks, fault{"no end", call.Limits{}, Unended("a"), sparkwright.CodeUnavailable, "broke off"})
	add(can.Marks, fault{"nothing at all", call.Limits{}, Unended(), sparkwright.CodeUnavailable, "broke off"})
	add(can.Refuses, fault{"refusal", call.Limits{}, Refuse("I can't\x1b[0m"), sparkwright.CodeInvalid, "I can't [0m"})
	add(can.Filters, fault{"filter", call.Limits{}, Ended(call.Filtered, "a"), sparkwright.CodeInvalid, "content filter"})
	add(can.Limits, fault{"length", call.Limits{}, Ended(call.Length, "a"), sparkwright.CodeResource, "token limit"})
	return list
}

// maxSent bounds what a server gets rid of before the client hangs up: the
// buffers of both ends included.
const maxSent = 40 << 20

func (s *suite) faults(t *testing.T) {
	t.Parallel()
	for _, tt := range s.faultCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := s.setup(t, tt.limits, tt.answer)
			got := 0
			reply, err := b.model.Complete(t.Context(), request, func(text string) { got += len(text) })
			e, ok := errors.AsType[*sparkwright.Error](err)
			if !ok || e.Code != tt.code || !strings.Contains(e.Error(), tt.want) {
				t.Fatalf("Complete: %v, %v (%s); want %q, %s", reply, err, sparkwright.ErrorCode(err), tt.want, tt.code)
			}
			if e.Remedy == "" {
				t.Errorf("no remedy: %#v", e)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, Secret) || strings.Contains(text, "\x1b") {
					t.Errorf("the error shows what it must not: %q", text)
				}
			}
			if n := len(b.Requests()); n > 1 || n == 0 && tt.limits.Timeout == 0 { // on a busy machine the limit passes before
				t.Errorf("%d requests", n)
			}
			if got > call.MaxReply || b.Sent.Load() > maxSent {
				t.Errorf("%d bytes were taken, %d sent", got, b.Sent.Load())
			}
		})
	}
}

func after(value string) http.Header { return http.Header{"Retry-After": {value}} }

func (s *suite) retry(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		name    string
		answers []Answer
		waits   []time.Duration
		code    sparkwright.Code
	}{
		{"429 then good", []Answer{Status(429, after("3"), "slow"), Text("ok")}, []time.Duration{3 * time.Second}, ""},
		{"529 then good", []Answer{Status(529, after("0.5"), "overloaded"), Text("ok")}, []time.Duration{500 * time.Millisecond}, ""},
		{"longest wait", []Answer{Status(429, after("9999"), "slow"), Text("ok")}, []time.Duration{30 * time.Second}, ""},
		{"a date", []Answer{Status(503, after(later), "x"), Text("ok")}, []time.Duration{30 * time.Second}, ""},
		{"nonsense", []Answer{Status(503, after("soon"), "x"), Text("ok")}, []time.Duration{time.Second}, ""},
		{"in the past", []Answer{Status(529, after("-5"), "x"), Text("ok")}, []time.Duration{0}, ""},
		{"500 twice", []Answer{Status(500, nil, "a"), Status(500, nil, "b"), Text("ok")}, []time.Duration{time.Second}, sparkwright.CodeUnavailable},
		{"429 twice", []Answer{Status(429, nil, "a"), Status(429, nil, "b"), Text("ok")}, []time.Duration{time.Second}, sparkwright.CodeUnavailable},
		{"400", []Answer{Status(400, nil, "a"), Text("ok")}, nil, sparkwright.CodeInvalid},
		{"truncated", []Answer{Cut("a"), Text("ok")}, nil, sparkwright.CodeUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := s.setup(t, call.Limits{}, tt.answers...)
			text := ""
			reply, err := b.model.Complete(t.Context(), request, func(piece string) { text += piece })
			if got := sparkwright.ErrorCode(err); got != tt.code {
				t.Fatalf("Complete: %+v, %v; want code %q", reply, err, tt.code)
			}
			if err == nil && (reply.Text != "ok" || text != "ok") {
				t.Errorf("the reply is %q, told as %q", reply.Text, text)
			}
			if diff := cmp.Diff(tt.waits, b.waits); diff != "" {
				t.Error(diff)
			}
			if got := len(b.Requests()); got != len(tt.waits)+1 {
				t.Errorf("%d requests", got)
			}
		})
	}
}

func (s *suite) cancel(t *testing.T) {
	t.Parallel()
	b := s.setup(t, call.Limits{}, Stall("a"))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.model.Complete(ctx, request, func(string) { cancel() })
	if sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("in the middle: %v", err)
	}
	if _, err = b.model.Complete(ctx, request, nil); sparkwright.ErrorCode(err) != sparkwright.CodeCancelled || len(b.Requests()) != 1 {
		t.Errorf("before it began: %v after %d requests", err, len(b.Requests()))
	}
}

func (s *suite) cancelWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := New(t, s.dialect, func(c context.Context, d Dialect, w http.ResponseWriter) {
		Status(429, after("30"), "slow")(c, d, w)
		cancel()
	})
	m := s.maker(t, Options{URL: server.URL}) // with the real wait
	if _, err := m.Complete(ctx, request, nil); sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("Complete: %v", err)
	}
}

func (s *suite) concurrent(t *testing.T) {
	t.Parallel()
	b := s.setup(t, call.Limits{}, Text("o", "k"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if reply, err := b.model.Complete(t.Context(), request, nil); err != nil || reply.Text != "ok" {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
	wg.Wait()
}

func (s *suite) unreachable(t *testing.T) {
	t.Parallel()
	m := s.maker(t, Options{URL: "http://127.0.0.1:1"})
	_, err := m.Complete(t.Context(), request, nil)
	e, ok := errors.AsType[*sparkwright.Error](err)
	if !ok || e.Code != sparkwright.CodeUnavailable || !strings.Contains(e.Error(), "cannot be reached") || e.Remedy == "" {
		t.Errorf("Complete: %v", err)
	}
}

// The metadata service of a cloud is no model.
func (s *suite) metadata(t *testing.T) {
	t.Parallel()
	m := s.maker(t, Options{URL: "http://169.254.169.254"})
	_, err := m.Complete(t.Context(), request, nil)
	if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), "is not called") {
		t.Errorf("Complete: %v", err)
	}
}
