// Package openai talks to a text model over OpenAI-compatible chat
// completions: OpenAI itself, Ollama, llama.cpp, vLLM and most providers. What
// holds for every call is told in package call.
package openai

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/call"
)

const defaultBaseURL = "https://api.openai.com/v1"

// Config is how to reach a model.
type Config struct {
	BaseURL string        // "" = OpenAI's own
	APIKey  string        // the key itself; "" for servers without one
	Model   string        // as the server calls it
	Timeout time.Duration // of a whole call, both tries; 0 = 2 minutes
	Idle    time.Duration // longest silence once the reply has begun; 0 = 1 minute

	// Transport carries the requests; nil = one of our own, with the
	// environment's proxy settings.
	Transport http.RoundTripper
	// Wait waits before the second try; nil = with a timer. For tests.
	Wait func(ctx context.Context, d time.Duration) error
}

// Model implements sparkwright.Model. It is safe for concurrent use.
type Model struct {
	config  Config
	call    *call.Caller
	service openai.ChatCompletionService
}

var _ sparkwright.Model = (*Model)(nil)

// New checks the configuration. It does not reach out to the server.
func New(config Config) (*Model, error) {
	if config.Model == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the name of the model is missing (model.name or OPENAI_MODEL)")
	}
	if config.BaseURL == "" {
		config.BaseURL = defaultBaseURL
	}
	base, err := url.Parse(config.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, &sparkwright.Error{
			Code:    sparkwright.CodeInvalid,
			Message: "the base URL of the model is not usable",
			Because: "it must be an http:// or https:// URL without user name and query",
			Remedy:  "correct model.base_url or OPENAI_BASE_URL",
		}
	}
	if strings.ContainsAny(config.APIKey, "\r\n\x00") {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the model's key contains a line break; it is probably a whole file")
	}
	login := "check the key that model.api_key refers to, or OPENAI_API_KEY"
	if config.APIKey == "" {
		login = "set OPENAI_API_KEY, or model.api_key to a reference like env:NAME"
	}
	caller := call.New(call.Config{
		Limits: call.Limits{Timeout: config.Timeout, Idle: config.Idle}, Model: config.Model, Server: config.BaseURL,
		Secrets: call.Fixed(config.APIKey), Media: []string{"text/event-stream"},
		Tell: call.Tell{
			Key: "the key", Login: login, Model: "check model.name and model.base_url; the URL usually ends in /v1",
			Address: "start the server, or correct model.base_url; it usually ends in /v1",
		},
		Transport: config.Transport, Wait: config.Wait,
	})
	// NewChatCompletionService, unlike NewClient, reads no environment.
	options := []option.RequestOption{
		option.WithBaseURL(config.BaseURL), option.WithMaxRetries(0), option.WithHTTPClient(caller.HTTPClient()),
	}
	if config.APIKey != "" {
		options = append(options, option.WithAPIKey(config.APIKey))
	}
	return &Model{config: config, call: caller, service: openai.NewChatCompletionService(options...)}, nil
}

// Name is "openai:" and the model's name.
func (m *Model) Name() string { return "openai:" + m.config.Model }

// Complete implements sparkwright.Model.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	return m.call.Complete(ctx, onText, func(ctx context.Context, reply *call.Reply) error { return m.try(ctx, req, reply) })
}

func (m *Model) params(req sparkwright.ModelRequest) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model:         m.config.Model,
		Messages:      []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(req.System), openai.UserMessage(req.User)},
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	}
	switch {
	case req.MaxTokens <= 0:
	case m.config.BaseURL == defaultBaseURL: // its newer models refuse the old name, other servers do not know the new one
		p.MaxCompletionTokens = openai.Int(int64(req.MaxTokens))
	default:
		p.MaxTokens = openai.Int(int64(req.MaxTokens))
	}
	return p
}

func (m *Model) try(ctx context.Context, req sparkwright.ModelRequest, reply *call.Reply) error {
	stream := m.service.NewStreaming(ctx, m.params(req))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		chunk := stream.Current()
		reply.Count(chunk.Usage.PromptTokens, chunk.Usage.CompletionTokens)
		for _, choice := range chunk.Choices {
			if choice.Index != 0 {
				continue
			}
			if err := errors.Join(reply.Refusal(choice.Delta.Refusal), reply.Text(choice.Delta.Content)); err != nil {
				return err
			}
			if choice.FinishReason != "" {
				reply.End(reason(choice.FinishReason))
			}
		}
	}
	return told(stream.Err())
}

func reason(finish string) call.Reason {
	switch finish {
	case "length":
		return call.Length
	case "content_filter":
		return call.Filtered
	default:
		return call.Stop
	}
}

// told takes the library's errors apart: they hold the request with its key.
func told(err error) error {
	if answer, ok := errors.AsType[*openai.Error](err); ok {
		status := &call.StatusError{Status: answer.StatusCode, Message: answer.Message}
		if answer.Response != nil {
			status.RetryAfter = answer.Response.Header.Get("Retry-After")
		}
		return status
	}
	if stream, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return &call.StreamError{Message: stream.Message}
	}
	return err
}
