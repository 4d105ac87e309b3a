package main

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/anthropic/anthropictest"
	"github.com/sparkwright/sparkwright/internal/model/bedrock/bedrocktest"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent/codegenagenttest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Every provider is wired from its settings to its wire: what auto picks, calls
// the provider's server and nobody else.
func TestModelsFromSettings(t *testing.T) {
	t.Setenv("CANARY_KEY", modeltest.Secret)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, tt := range []struct {
		name    string
		dialect modeltest.Dialect
		set     func(s *settings.Settings, url string)
		listed  string // by GET /claude-models
	}{
		{"openai:m", openaitest.Dialect{}, func(s *settings.Settings, url string) {
			s.Model.Name, s.Model.BaseURL, s.Model.APIKey = "m", url+"/v1", "env:CANARY_KEY"
		}, "openai:m"},
		{"anthropic:m", anthropictest.Dialect{}, func(s *settings.Settings, url string) {
			s.Anthropic = settings.Anthropic{Model: "m", BaseURL: url, APIKey: "env:CANARY_KEY"}
		}, "anthropic:m"},
		{"bedrock:m", bedrocktest.Dialect{}, func(s *settings.Settings, url string) {
			s.Global.BedrockModel = "m"
			t.Setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
		}, "m"},
		{"agentcore:m", codegenagenttest.Dialect{}, func(s *settings.Settings, url string) {
			s.Global.BedrockModel, s.Global.CodeGenAgent = "m", codegenagenttest.ARN
			t.Setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", url)
		}, "m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := modeltest.New(t, tt.dialect, modeltest.Text("fine"))
			s := settings.Default()
			tt.set(s, server.URL)
			m, why, err := modelOf(t.Context(), s)
			if err != nil || m == nil || m.Name() != tt.name || why == "" {
				t.Fatalf("%v, %q, %v", m, why, err)
			}
			reply, err := m.Complete(t.Context(), sparkwright.ModelRequest{System: "s", User: "u", MaxTokens: 9}, nil)
			if err != nil || reply.Text != "fine" || len(server.Requests()) != 1 {
				t.Errorf("%+v, %v after %d requests", reply, err, len(server.Requests()))
			}
			c := pickModel(t.Context(), s)
			infos, named := c.infos(), c.named()
			if len(infos) < 2 || infos[0].ID != tt.name || !infos[0].Chosen || infos[1].Chosen || infos[len(infos)-1].ID != "planner" {
				t.Errorf("%+v", infos)
			}
			if named[0].ID != tt.listed || named[len(named)-1].ID != "planner" {
				t.Errorf("%+v", named)
			}
		})
	}
}

// Without credentials, or with a provider that is not configured, the reason is
// told.
func TestModelThatCannotBeUsed(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	none := t.TempDir() + "/none"
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	s := settings.Default()
	s.Global.BedrockModel = "m"
	if m, why, err := modelOf(t.Context(), s); m != nil || err != nil || !strings.Contains(why, "no AWS credentials") {
		t.Errorf("auto: %v, %q, %v", m, why, err)
	}
	s.Model.Provider = "bedrock"
	if _, _, err := modelOf(t.Context(), s); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("by name: %v", err)
	}
}
