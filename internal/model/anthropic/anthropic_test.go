package anthropic_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/anthropic"
	"github.com/sparkwright/sparkwright/internal/model/anthropic/anthropictest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

func make1(t *testing.T, opt modeltest.Options) sparkwright.Model {
	t.Helper()
	m, err := anthropic.New(anthropic.Config{
		BaseURL: opt.URL, APIKey: modeltest.Secret, Model: modeltest.ModelName, Timeout: opt.Timeout, Idle: opt.Idle, Wait: opt.Wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSuite(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, anthropictest.Dialect{}, make1)
}

// The environment's own keys and addresses are not for the configured server.
func TestHeaders(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "environment")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "environment")
	t.Setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
	s := modeltest.New(t, anthropictest.Dialect{}, modeltest.Text("ok"))
	if _, err := make1(t, modeltest.Options{URL: s.URL}).Complete(t.Context(), sparkwright.ModelRequest{User: "q"}, nil); err != nil {
		t.Fatal(err)
	}
	h := s.Requests()[0].Header
	if h.Get("X-Api-Key") != modeltest.Secret || h.Get("Anthropic-Version") == "" || len(h.Values("Authorization")) != 0 {
		t.Errorf("headers %v", h)
	}
	if p := (anthropictest.Dialect{}).Prompt(s.Requests()[0].Body); p.MaxTokens == 0 {
		t.Error("the reply is not bounded")
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []anthropic.Config{
		{APIKey: "canary"},
		{Model: "m"},
		{Model: "m", APIKey: "canary\n"},
		{Model: "m", APIKey: "canary", BaseURL: "ftp://x"},
		{Model: "m", APIKey: "canary", BaseURL: "http://u:canary@x"},
	} {
		_, err := anthropic.New(c)
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || strings.Contains(err.Error(), "canary") {
			t.Errorf("New(%q): %v", c.BaseURL, err)
		}
	}
}
