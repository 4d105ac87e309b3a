// Package pick decides which of the configured models writes analyses, and
// says why. It asks nobody but for AWS credentials, and only when a model of
// Amazon Bedrock is configured.
package pick

import (
	"github.com/sparkwright/sparkwright"
)

// The providers. Supervisor is an agent of spark.supervisor_arn, which auto
// takes only.
const (
	Auto       = "auto"
	Planner    = "planner"
	OpenAI     = "openai"
	Anthropic  = "anthropic"
	Supervisor = "supervisor"
	AgentCore  = "agentcore"
	Bedrock    = "bedrock"
)

// Offer is what settings and environment have.
type Offer struct {
	Provider     string // model.provider
	OpenAI       string // model.name
	Anthropic    string // anthropic.model
	AnthropicKey bool
	Supervisor   string // spark.supervisor_arn
	Agent        string // global.code_gen_agent_arn
	Bedrock      string // global.bedrock_model
	// AWS finds credentials; its error says why there are none.
	AWS func() error
}

// Model is one model that is configured, whole or in part.
type Model struct {
	Provider string
	Model    string // as the provider calls it; "" for the planner
	Ready    bool
	Why      string // what makes it there, or what is missing
}

// ID is the model's name as runs show it.
func (m Model) ID() string {
	if m.Model == "" {
		return m.Provider
	}
	return m.Provider + ":" + m.Model
}

// Pick returns the model that writes analyses, and all that are configured, the
// chosen one first. CodeInvalid when the named provider is not configured.
func Pick(o Offer) (Model, []Model, error) {
	all := configured(o)
	if o.Provider != "" && o.Provider != Auto {
		return named(o.Provider, all)
	}
	for i := range all {
		if all[i].Ready {
			return all[i], first(all, i), nil
		}
	}
	panic("pick: the planner is always ready")
}

func named(provider string, all []Model) (Model, []Model, error) {
	for i := range all {
		if all[i].Provider != provider {
			continue
		}
		if !all[i].Ready {
			return Model{}, all, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "model.provider is " + provider + ", but that cannot be used",
				Because: all[i].Why, Remedy: "configure it, or set model.provider to auto or planner",
			}
		}
		all[i].Why = "model.provider says so"
		return all[i], first(all, i), nil
	}
	return Model{}, all, &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "model.provider is " + provider + ", but no model of it is named", Remedy: missing(provider),
	}
}

func missing(provider string) string {
	switch provider {
	case OpenAI:
		return "set model.name or OPENAI_MODEL, and model.base_url or OPENAI_BASE_URL where it is not OpenAI's own"
	case Anthropic:
		return "set anthropic.model or ANTHROPIC_MODEL, and ANTHROPIC_API_KEY"
	case AgentCore:
		return "set global.code_gen_agent_arn and global.bedrock_model"
	case Bedrock:
		return "set global.bedrock_model and global.bedrock_region"
	default:
		return "set model.provider to auto, planner, openai, anthropic, bedrock or agentcore"
	}
}

// first moves one to the front.
func first(all []Model, i int) []Model {
	out := []Model{all[i]}
	out = append(out, all[:i]...)
	return append(out, all[i+1:]...)
}

// configured lists what is there, in the order in which auto prefers it.
func configured(o Offer) []Model {
	var list []Model
	add := func(there bool, m Model) {
		if there {
			list = append(list, m)
		}
	}
	add(o.OpenAI != "", Model{OpenAI, o.OpenAI, true, "model.name or OPENAI_MODEL names it"})
	switch {
	case o.Anthropic == "":
	case o.AnthropicKey:
		add(true, Model{Anthropic, o.Anthropic, true, "anthropic.model or ANTHROPIC_MODEL names it, and there is a key"})
	default:
		add(true, Model{Anthropic, o.Anthropic, false, "there is no key: set ANTHROPIC_API_KEY, or anthropic.api_key to a reference"})
	}
	add(o.Supervisor != "", Model{Supervisor, o.Supervisor, true, "spark.supervisor_arn names it"})
	if o.Bedrock == "" {
		return append(list, Model{Provider: Planner, Ready: true, Why: noOther(list)})
	}
	err := o.AWS()
	aws := func(m Model) {
		if err != nil {
			m.Ready, m.Why = false, "there are no AWS credentials: "+err.Error()
		}
		add(true, m)
	}
	if o.Agent != "" {
		aws(Model{AgentCore, o.Bedrock, true, "global.code_gen_agent_arn names the agent"})
	}
	aws(Model{Bedrock, o.Bedrock, true, "global.bedrock_model names it, and there are AWS credentials"})
	return append(list, Model{Provider: Planner, Ready: true, Why: noOther(list)})
}

func noOther(list []Model) string {
	for _, m := range list {
		if !m.Ready {
			return m.ID() + " cannot be used: " + m.Why
		}
	}
	return "no model is configured"
}
