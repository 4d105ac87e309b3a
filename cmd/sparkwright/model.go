package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/grounding"
	"github.com/sparkwright/sparkwright/internal/model/anthropic"
	"github.com/sparkwright/sparkwright/internal/model/bedrock"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/model/pick"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// credentialsTime bounds the look for AWS credentials: a machine without any
// asks an address that does not answer.
const credentialsTime = 4 * time.Second

// choice is the model that writes analyses, and what else is configured.
type choice struct {
	pick.Model

	all []pick.Model
	err error // why there is none
}

// pickModel says what of the settings writes analyses.
func pickModel(ctx context.Context, s *settings.Settings) choice {
	chosen, all, err := pick.Pick(pick.Offer{
		Provider: s.Model.Provider, OpenAI: s.Model.Name, Anthropic: s.Anthropic.Model, AnthropicKey: s.Anthropic.APIKey != "",
		Supervisor: s.Spark.SupervisorARN, Agent: s.Global.CodeGenAgent, Bedrock: s.Global.BedrockModel,
		AWS: func() error {
			cfg, err := modelCloud(ctx, s)
			if err != nil {
				return err
			}
			within, cancel := context.WithTimeout(ctx, credentialsTime)
			defer cancel()
			_, err = cfg.Credentials.Retrieve(within)
			return err
		},
	})
	return choice{Model: chosen, all: all, err: err}
}

// modelCloud is how to reach models in AWS.
func modelCloud(ctx context.Context, s *settings.Settings) (aws.Config, error) {
	region := s.Global.BedrockRegion
	if region == "" {
		region = s.Spark.Region
	}
	return awscloud.Load(ctx, awscloud.Options{Region: region, Attempts: 1})
}

// choices is the choice for the settings that were looked at last: to look for
// credentials takes seconds.
type choices struct {
	mu  sync.Mutex
	of  string
	now choice
}

func (c *choices) get(ctx context.Context, s *settings.Settings) choice {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of := modelPart(s); c.of != of {
		c.of, c.now = of, pickModel(ctx, s)
	}
	return c.now
}

// modelPart is the part of the settings on which the model depends.
func modelPart(s *settings.Settings) string {
	text, _ := json.Marshal([]any{s.Model, s.Anthropic, s.Global, s.Spark.SupervisorARN, s.Spark.Region}) // plain structs
	return string(text)
}

// chosen is what writes analyses in this process now.
func (a *app) chosen(ctx context.Context) choice {
	s := a.settings
	if a.varying != nil {
		s = a.varying.settingsNow() //nolint:contextcheck // it looks with a context of its own
	}
	return a.choice.get(ctx, s)
}

// openModel makes the adapter of a model; nil for the planner and for an agent
// of spark.supervisor_arn.
func openModel(ctx context.Context, s *settings.Settings, m pick.Model) (sparkwright.Model, error) {
	timeout, idle := time.Duration(s.Model.TimeoutSeconds)*time.Second, time.Duration(s.Model.IdleSeconds)*time.Second
	switch m.Provider {
	case pick.OpenAI:
		key, err := modelKey(ctx, s.Model.APIKey)
		if err != nil {
			return nil, err
		}
		return openai.New(openai.Config{BaseURL: s.Model.BaseURL, Model: m.Model, APIKey: key, Timeout: timeout, Idle: idle})
	case pick.Anthropic:
		key, err := modelKey(ctx, s.Anthropic.APIKey)
		if err != nil {
			return nil, err
		}
		return anthropic.New(anthropic.Config{BaseURL: s.Anthropic.BaseURL, Model: m.Model, APIKey: key, Timeout: timeout, Idle: idle})
	case pick.Bedrock, pick.AgentCore:
		cfg, err := modelCloud(ctx, s)
		if err != nil {
			return nil, err
		}
		if m.Provider == pick.Bedrock {
			return bedrock.New(bedrock.Config{AWS: cfg, Model: m.Model, Timeout: timeout, Idle: idle})
		}
		return codegenagent.New(codegenagent.Config{AWS: cfg, ARN: s.Global.CodeGenAgent, Model: m.Model, Timeout: timeout, Idle: idle})
	default:
		return nil, nil //nolint:nilnil // no model is a valid configuration
	}
}

func modelKey(ctx context.Context, reference string) (string, error) {
	if reference == "" {
		return "", nil
	}
	cred, err := secret.Resolve(ctx, sparkwright.Connection{Name: "model", Secret: reference})
	if err != nil {
		return "", fmt.Errorf("the model's key: %w", err)
	}
	return cred.Password, nil
}

// modelOf makes the model that is chosen; nil when none is.
func modelOf(ctx context.Context, s *settings.Settings) (m sparkwright.Model, why string, err error) {
	c := pickModel(ctx, s)
	if c.err != nil {
		return nil, "", c.err
	}
	m, err = openModel(ctx, s, c.Model)
	return m, c.Why, err
}

// generator is the chosen model, else the built-in planner. What was chosen is
// said, unless nothing else was configured.
func (a *app) generator(ctx context.Context, s *settings.Settings) (sparkwright.Generator, string, error) {
	if a.measured.replay != nil {
		return a.generatorOf(s, a.measured.replay)
	}
	c := a.choice.get(ctx, s)
	switch {
	case c.err != nil:
		return nil, "", c.err
	case c.Provider == pick.Supervisor:
		return a.prototypeGenerator(ctx)
	case c.Provider == pick.Planner:
		if len(c.all) > 1 {
			a.say("model", "the built-in planner: "+c.Why)
		}
		return planner.New(), "planner", nil
	}
	model, err := openModel(ctx, s, c.Model)
	if err != nil {
		return nil, "", err
	}
	a.say("model", c.ID()+": "+c.Why)
	return a.generatorOf(s, model)
}

// codegenOptions are how prompts are made and what tokens cost.
func codegenOptions(s *settings.Settings) codegen.Options {
	m := s.Model
	return codegen.Options{
		MaxTokens: m.MaxTokens, Cost: m.Cost,
		Grounding: grounding.Options{Tokens: m.SchemaTokens, Share: grounding.Share(m.ShareValues)},
	}
}

// modelInfos lists the models for GET /api/v1/meta.
func (c choice) infos() []api.ModelInfo {
	out := []api.ModelInfo{}
	for i, m := range c.all {
		out = append(out, api.ModelInfo{ID: m.ID(), Provider: m.Provider, Model: m.Model, Chosen: i == 0 && c.err == nil, Ready: m.Ready, Why: m.Why})
	}
	return out
}

// named lists the models for GET /claude-models.
func (c choice) named() []server.NamedModel {
	var out []server.NamedModel
	for _, m := range c.all {
		switch m.Provider {
		case pick.Planner:
			out = append(out, server.NamedModel{ID: m.ID(), Name: "Built-in planner (no model)"})
		case pick.Bedrock, pick.AgentCore: // the reference's clients send this id back
			out = append(out, server.NamedModel{ID: m.Model, Name: m.ID()})
		default:
			out = append(out, server.NamedModel{ID: m.ID(), Name: m.ID()})
		}
	}
	return out
}
