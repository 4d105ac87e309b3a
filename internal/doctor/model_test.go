package doctor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/model/anthropic"
	"github.com/sparkwright/sparkwright/internal/model/anthropic/anthropictest"
	"github.com/sparkwright/sparkwright/internal/model/bedrock"
	"github.com/sparkwright/sparkwright/internal/model/bedrock/bedrocktest"
	"github.com/sparkwright/sparkwright/internal/model/call"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent/codegenagenttest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// adapters make every model that there is, towards a server.
var adapters = map[string]struct {
	dialect modeltest.Dialect
	open    func(url string) (sparkwright.Model, error)
	login   string // what its remedy names when it is not let in
}{
	"openai": {openaitest.Dialect{}, func(url string) (sparkwright.Model, error) {
		return openai.New(openai.Config{BaseURL: url + "/v1", Model: "m", APIKey: "k"})
	}, "OPENAI_API_KEY"},
	"anthropic": {anthropictest.Dialect{}, func(url string) (sparkwright.Model, error) {
		return anthropic.New(anthropic.Config{BaseURL: url, Model: "m", APIKey: "k"})
	}, "ANTHROPIC_API_KEY"},
	"bedrock": {bedrocktest.Dialect{}, func(url string) (sparkwright.Model, error) {
		return bedrock.New(bedrock.Config{AWS: modelCloud(url), Model: "m"})
	}, "bedrock:InvokeModelWithResponseStream"},
	"agentcore": {codegenagenttest.Dialect{}, func(url string) (sparkwright.Model, error) {
		return codegenagent.New(codegenagent.Config{AWS: modelCloud(url), ARN: codegenagenttest.ARN, Model: "m"})
	}, "bedrock-agentcore:InvokeAgentRuntime"},
}

func modelCloud(url string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
}

// modelFinding is what the doctor finds of a model.
func modelFinding(t *testing.T, c doctor.Config) doctor.Finding {
	t.Helper()
	c.Settings, c.Now = settings.Default(), time.Now
	for _, check := range doctor.Checks(c) {
		if check.ID == "model.answers" {
			return check.Run(t.Context())
		}
	}
	t.Fatal("there is no such check")
	return doctor.Finding{}
}

// The check makes a real call of every adapter.
func TestModelAnswers(t *testing.T) {
	t.Parallel()
	for name, a := range adapters {
		for _, tt := range []struct {
			fault  string
			answer modeltest.Answer
			level  doctor.Level
			fix    string
		}{
			{"none", modeltest.Text("ok"), doctor.OK, ""},
			{"the key is refused", modeltest.Status(http.StatusUnauthorized, nil, "no"), doctor.Fail, a.login},
			{"the model is not known", modeltest.Status(http.StatusNotFound, nil, "no"), doctor.Fail, "check "},
			{"nothing comes", modeltest.Text(" "), doctor.Fail, "try again"},
		} {
			t.Run(name+", "+tt.fault, func(t *testing.T) {
				t.Parallel()
				s := modeltest.New(t, a.dialect, tt.answer)
				m, err := a.open(s.URL)
				if err != nil {
					t.Fatal(err)
				}
				f := modelFinding(t, doctor.Config{Model: m, ModelWhy: "the settings name it"})
				fixes := ""
				for _, fix := range f.Fixes {
					fixes += fix.Text
				}
				if f.Level != tt.level || !strings.Contains(fixes, tt.fix) || len(s.Requests()) != 1 {
					t.Errorf("%+v after %d requests", f, len(s.Requests()))
				}
			})
		}
	}
}

// A model that thinks for longer than the check lets it is no failure.
func TestModelThinks(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t, openaitest.Dialect{}, modeltest.Ended(call.Length, "let me"))
	m, err := adapters["openai"].open(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if f := modelFinding(t, doctor.Config{Model: m}); f.Level != doctor.OK {
		t.Errorf("%+v", f)
	}
}

func TestNoModel(t *testing.T) {
	t.Parallel()
	f := modelFinding(t, doctor.Config{ModelError: &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "model.provider is bedrock", Remedy: "set global.bedrock_model"}})
	if f.Level != doctor.Fail || len(f.Fixes) == 0 {
		t.Errorf("a provider without a model: %+v", f)
	}
	f = modelFinding(t, doctor.Config{ModelWhy: "bedrock:b cannot be used: there are no AWS credentials"})
	if f.Level != doctor.OK || !strings.Contains(f.Message, "no AWS credentials") {
		t.Errorf("the planner, since a model cannot be used: %+v", f)
	}
}
