package pick_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/pick"
)

func TestPick(t *testing.T) {
	t.Parallel()
	yes := func() error { return nil }
	no := func() error { return errors.New("no role") }
	for _, tt := range []struct {
		name  string
		offer pick.Offer
		want  string
		why   string
		all   int
	}{
		{"nothing", pick.Offer{}, "planner", "no model is configured", 1},
		{"a server", pick.Offer{Provider: "auto", OpenAI: "m"}, "openai:m", "model.name", 2},
		{"a model and a key", pick.Offer{Anthropic: "c", AnthropicKey: true}, "anthropic:c", "there is a key", 2},
		{"a model without a key", pick.Offer{Anthropic: "c"}, "planner", "anthropic:c cannot be used: there is no key", 2},
		{"a key without a model", pick.Offer{AnthropicKey: true}, "planner", "no model is configured", 1},
		{"a server before a key", pick.Offer{OpenAI: "m", Anthropic: "c", AnthropicKey: true}, "openai:m", "", 3},
		{"Bedrock", pick.Offer{Bedrock: "b", AWS: yes}, "bedrock:b", "AWS credentials", 2},
		{"Bedrock without credentials", pick.Offer{Bedrock: "b", AWS: no}, "planner", "bedrock:b cannot be used: there are no AWS credentials: no role", 2},
		{"an agent before Bedrock", pick.Offer{Bedrock: "b", Agent: "a", AWS: yes}, "agentcore:b", "", 3},
		{"a supervisor before an agent", pick.Offer{Bedrock: "b", Agent: "a", Supervisor: "s", AWS: yes}, "supervisor:s", "", 4},
		{"by name", pick.Offer{Provider: "bedrock", OpenAI: "m", Bedrock: "b", AWS: yes}, "bedrock:b", "model.provider", 3},
		{"the planner by name", pick.Offer{Provider: "planner", OpenAI: "m"}, "planner", "model.provider", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, all, err := pick.Pick(tt.offer)
			if err != nil || got.ID() != tt.want || !strings.Contains(got.Why, tt.why) || len(all) != tt.all || all[0] != got {
				t.Errorf("%+v of %+v, %v; want %s", got, all, err, tt.want)
			}
		})
	}
}

func TestPickNamed(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"openai", "anthropic", "bedrock", "agentcore", "other"} {
		_, _, err := pick.Pick(pick.Offer{Provider: provider, Anthropic: "c"})
		e, ok := errors.AsType[*sparkwright.Error](err)
		if !ok || e.Code != sparkwright.CodeInvalid || e.Remedy == "" || !strings.Contains(e.Message, provider) {
			t.Errorf("%s: %v", provider, err)
		}
	}
}
