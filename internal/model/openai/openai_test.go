package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	fake "github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
)

const key = "sk-canary-0123456789"

type bundle struct {
	server *fake.Server
	model  *openai.Model
}

// setup makes a model of a server with these answers.
func setup(t *testing.T, config openai.Config, answers ...fake.Answer) *bundle {
	t.Helper()
	b := &bundle{server: fake.New(t, answers...)}
	config.BaseURL, config.APIKey, config.Model = b.server.URL, key, "fake-1"
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

// What only this protocol has; the rest is in the suite.
func TestFailures(t *testing.T) {
	t.Parallel()
	ten := strings.Repeat("x", 10<<20)
	tests := []struct {
		name   string
		answer fake.Answer
		code   sparkwright.Code
		want   string
	}{
		{"end without finish", fake.Stream(fake.Chunk("a", ""), fake.Done), sparkwright.CodeUnavailable, "broke off"},
		{"no JSON", fake.Stream("data: {\"choices\": nonsense\n\n"), sparkwright.CodeUnavailable, "not JSON"},
		{"invalid UTF-8", fake.Stream("data: \xff\xfe\n\n"), sparkwright.CodeUnavailable, "not JSON"},
		{"endless line", fake.Stream("data: " + strings.Repeat(ten, 4)), sparkwright.CodeUnavailable, "broke off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, openai.Config{}, tt.answer)
			reply, err := b.model.Complete(t.Context(), request, nil)
			if sparkwright.ErrorCode(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Complete: %v, %v (%s); want %q, %s", reply, err, sparkwright.ErrorCode(err), tt.want, tt.code)
			}
		})
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, fake.Dialect{}, func(t *testing.T, opt modeltest.Options) sparkwright.Model {
		t.Helper()
		m, err := openai.New(openai.Config{
			BaseURL: opt.URL + "/v1", APIKey: modeltest.Secret, Model: modeltest.ModelName, Timeout: opt.Timeout, Idle: opt.Idle, Wait: opt.Wait,
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
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
