package openai_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	fake "github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
)

const key = "sk-canary-0123456789"

type bundle struct {
	server *fake.Server
	model  *openai.Model
	waits  []time.Duration
}

// setup makes a model of a server with these answers, that does not really
// wait between two tries.
func setup(t *testing.T, config openai.Config, answers ...fake.Answer) *bundle {
	t.Helper()
	b := &bundle{server: fake.New(t, answers...)}
	config.BaseURL, config.APIKey, config.Model = b.server.URL, key, "fake-1"
	config.Wait = func(ctx context.Context, d time.Duration) error {
		b.waits = append(b.waits, d)
		return ctx.Err()
	}
	var err error
	if b.model, err = openai.New(config); err != nil {
		t.Fatal(err)
	}
	return b
}

var request = sparkwright.ModelRequest{System: "be ü", User: "question", MaxTokens: 99}

func TestReply(t *testing.T) {
	t.Parallel()
	b := setup(t, openai.Config{}, fake.Text("größe 🛒 \n\u2028 end"))
	var pieces []string
	got, err := b.model.Complete(t.Context(), request, func(text string) { pieces = append(pieces, text) })
	if err != nil {
		t.Fatal(err)
	}
	want := &sparkwright.ModelReply{Text: strings.Join(pieces, ""), InputTokens: 11, OutputTokens: 7}
	if diff := cmp.Diff(want, got); diff != "" || len(pieces) != 2 {
		t.Errorf("%d pieces\n%s", len(pieces), diff)
	}
	sent := b.server.Requests()[0]
	wantBody := map[string]any{
		"model": "fake-1", "stream": true, "stream_options": map[string]any{"include_usage": true}, "max_tokens": 99.0,
		"messages": []any{
			map[string]any{"role": "system", "content": "be ü"}, map[string]any{"role": "user", "content": "question"},
		},
	}
	if diff := cmp.Diff(wantBody, sent.Body); diff != "" {
		t.Error(diff)
	}
	if got := sent.Header.Get("Authorization"); got != "Bearer "+key {
		t.Errorf("Authorization: %q", got)
	}
	if b.model.Name() != "openai:fake-1" {
		t.Errorf("Name() = %q", b.model.Name())
	}
}

func TestNoKey(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-environment") // is not for this server
	s := fake.New(t, fake.Text("ok"))
	m, err := openai.New(openai.Config{BaseURL: s.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.Complete(t.Context(), request, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.Requests()[0].Header.Values("Authorization"); len(got) != 0 {
		t.Errorf("Authorization: %q", got)
	}
}

func retryAfter(value string) http.Header { return http.Header{"Retry-After": {value}} }

func TestRetry(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	tests := []struct {
		name    string
		answers []fake.Answer
		waits   []time.Duration
		code    sparkwright.Code
	}{
		{"429 then good", []fake.Answer{fake.Status(429, retryAfter("3"), "slow"), fake.Text("ok")}, []time.Duration{3 * time.Second}, ""},
		{"longest wait", []fake.Answer{fake.Status(429, retryAfter("9999"), "slow"), fake.Text("ok")}, []time.Duration{30 * time.Second}, ""},
		{"date", []fake.Answer{fake.Status(503, retryAfter(later), ""), fake.Text("ok")}, []time.Duration{30 * time.Second}, ""},
		{"nonsense", []fake.Answer{fake.Status(503, retryAfter("soon"), ""), fake.Text("ok")}, []time.Duration{time.Second}, ""},
		{"past", []fake.Answer{fake.Status(529, retryAfter("-5"), ""), fake.Text("ok")}, []time.Duration{0}, ""},
		{"500 twice", []fake.Answer{fake.Status(500, nil, "a"), fake.Status(500, nil, "b"), fake.Text("ok")}, []time.Duration{time.Second}, sparkwright.CodeUnavailable},
		{"429 twice", []fake.Answer{fake.Status(429, nil, "a"), fake.Status(429, nil, "b"), fake.Text("ok")}, []time.Duration{time.Second}, sparkwright.CodeUnavailable},
		{"400", []fake.Answer{fake.Status(400, nil, "a"), fake.Text("ok")}, nil, sparkwright.CodeInvalid},
		{"401", []fake.Answer{fake.Status(401, nil, "a"), fake.Text("ok")}, nil, sparkwright.CodeUnauthorized},
		{"cut", []fake.Answer{fake.Cut(fake.Chunk("a", "")), fake.Text("ok")}, nil, sparkwright.CodeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, openai.Config{}, tt.answers...)
			reply, err := b.model.Complete(t.Context(), request, nil)
			if got := sparkwright.ErrorCode(err); got != tt.code {
				t.Fatalf("Complete: %+v, %v; want code %q", reply, err, tt.code)
			}
			if diff := cmp.Diff(tt.waits, b.waits); diff != "" {
				t.Error(diff)
			}
			if got := len(b.server.Requests()); got != len(tt.waits)+1 {
				t.Errorf("%d requests", got)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	quoted := "Incorrect API key provided: " + key
	ten := strings.Repeat("x", 10<<20)
	many := make([]string, 3000)
	for i := range many {
		many[i] = fake.Chunk(strings.Repeat("y", 500), "")
	}
	redirect := func(_ context.Context, w http.ResponseWriter) {
		w.Header().Set("Location", "/v1/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	page := func(_ context.Context, w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>"))
	}
	tests := []struct {
		name   string
		config openai.Config
		answer fake.Answer
		code   sparkwright.Code
		want   string
	}{
		{"stall", openai.Config{Idle: 30 * time.Millisecond}, fake.Stall(fake.Chunk("a", "")), sparkwright.CodeTimeout, "stalled"},
		{"no answer", openai.Config{Timeout: 30 * time.Millisecond}, fake.Hang, sparkwright.CodeTimeout, "did not finish in time"},
		{"endless", openai.Config{Timeout: 200 * time.Millisecond}, fake.Stall(fake.Chunk("a", "")), sparkwright.CodeTimeout, "did not finish in time"},
		{"cut", openai.Config{}, fake.Cut(fake.Chunk("a", "")), sparkwright.CodeUnavailable, "broke off"},
		{"cut in a piece", openai.Config{}, fake.Cut(fake.Chunk("a", ""), "data: {\"choi"), sparkwright.CodeUnavailable, "broke off"},
		{"end without finish", openai.Config{}, fake.Stream(fake.Chunk("a", ""), fake.Done), sparkwright.CodeUnavailable, "broke off"},
		{"nothing at all", openai.Config{}, fake.Stream(), sparkwright.CodeUnavailable, "broke off"},
		{"garbage", openai.Config{}, fake.Stream("data: {\"choices\": nonsense\n\n"), sparkwright.CodeUnavailable, "not JSON"},
		{"invalid UTF-8", openai.Config{}, fake.Stream("data: \xff\xfe\n\n"), sparkwright.CodeUnavailable, "not JSON"},
		{"error in the stream", openai.Config{}, fake.Stream(fake.Chunk("a", ""), `data: {"error": {"message": "boom `+key+`"}}`+"\n\n"), sparkwright.CodeUnavailable, "boom (key)"},
		{"10 MB in one piece", openai.Config{}, fake.Stream(fake.Chunk(ten, ""), fake.Chunk("", "stop"), fake.Done), sparkwright.CodeResource, "too large"},
		{"many pieces", openai.Config{}, fake.Stream(many...), sparkwright.CodeResource, "too large"},
		{"endless line", openai.Config{}, fake.Stream("data: " + strings.Repeat(ten, 4)), sparkwright.CodeUnavailable, "broke off"},
		{"empty", openai.Config{}, fake.Text("  \n"), sparkwright.CodeUnavailable, "nothing"},
		{"length", openai.Config{}, fake.Stream(fake.Chunk("a", "length"), fake.Done), sparkwright.CodeResource, "token limit"},
		{"filter", openai.Config{}, fake.Stream(fake.Chunk("a", "content_filter"), fake.Done), sparkwright.CodeInvalid, "content filter"},
		{"refusal", openai.Config{}, fake.Stream(fake.Refusal("I "), fake.Refusal("can't\x1b[0m"), fake.Chunk("", "stop"), fake.Done), sparkwright.CodeInvalid, "I can't [0m"},
		{"unauthorized", openai.Config{}, fake.Status(401, nil, quoted), sparkwright.CodeUnauthorized, "refused the key"},
		{"forbidden", openai.Config{}, fake.Status(403, nil, quoted), sparkwright.CodeUnauthorized, "refused the key"},
		{"unknown model", openai.Config{}, fake.Status(404, nil, "no such model"), sparkwright.CodeInvalid, "does not know the model fake-1"},
		{"bad request", openai.Config{}, fake.Status(400, nil, quoted), sparkwright.CodeInvalid, "(key)"},
		{"redirect", openai.Config{}, redirect, sparkwright.CodeInvalid, "redirects"},
		{"a page", openai.Config{}, page, sparkwright.CodeInvalid, "event stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.config, tt.answer)
			reply, err := b.model.Complete(t.Context(), request, nil)
			e, ok := errors.AsType[*sparkwright.Error](err)
			if !ok || e.Code != tt.code || !strings.Contains(e.Error(), tt.want) {
				t.Errorf("Complete: %v, %v (%s); want %q, %s", reply, err, sparkwright.ErrorCode(err), tt.want, tt.code)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "canary") {
					t.Errorf("the error shows the key: %#v", err)
				}
			}
			if len(b.server.Requests()) != 1 {
				t.Errorf("%d requests", len(b.server.Requests()))
			}
		})
	}
}

func TestCancelInTheMiddle(t *testing.T) {
	t.Parallel()
	b := setup(t, openai.Config{}, fake.Stall(fake.Chunk("a", "")))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.model.Complete(ctx, request, func(string) { cancel() })
	if sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("Complete: %v", err)
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := fake.New(t, func(c context.Context, w http.ResponseWriter) {
		fake.Status(429, retryAfter("30"), "")(c, w)
		cancel()
	})
	m, err := openai.New(openai.Config{BaseURL: s.URL, Model: "m"}) // with the real wait
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.Complete(ctx, request, nil); sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("Complete: %v", err)
	}
}

func TestNotReachable(t *testing.T) {
	t.Parallel()
	m, err := openai.New(openai.Config{BaseURL: "http://127.0.0.1:1/v1", Model: "m", APIKey: key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Complete(t.Context(), request, nil)
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("Complete: %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for _, config := range []openai.Config{
		{},
		{Model: "m", BaseURL: "ftp://x"},
		{Model: "m", BaseURL: "http://u:canary@x"},
		{Model: "m", BaseURL: "x"},
		{Model: "m", APIKey: "canary\n"},
	} {
		_, err := openai.New(config)
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || strings.Contains(err.Error(), "canary") {
			t.Errorf("New(%v): %v", config.BaseURL, err)
		}
	}
}
