// Package anthropic talks to a Claude model over Anthropic's Messages API. What
// holds for every call is told in package call.
package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/call"
)

const (
	defaultBaseURL   = "https://api.anthropic.com"
	defaultMaxTokens = 8000 // the API wants a number
)

// Config is how to reach a model.
type Config struct {
	BaseURL string        // "" = Anthropic's own
	APIKey  string        // the key itself
	Model   string        // as Anthropic calls it
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
	config   Config
	call     *call.Caller
	messages anthropic.MessageService
}

var _ sparkwright.Model = (*Model)(nil)

// New checks the configuration. It does not reach out to the server.
func New(config Config) (*Model, error) {
	if config.Model == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the name of the model is missing (model.name or ANTHROPIC_MODEL)")
	}
	if config.APIKey == "" || strings.ContainsAny(config.APIKey, "\r\n\x00") {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the key for Anthropic is missing or holds a line break",
			Remedy: "set ANTHROPIC_API_KEY, or model.api_key to a reference like env:NAME",
		}
	}
	if config.BaseURL == "" {
		config.BaseURL = defaultBaseURL
	}
	base, err := url.Parse(config.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the base URL of the model is not usable",
			Because: "it must be an http:// or https:// URL without user name and query",
			Remedy:  "correct model.base_url or ANTHROPIC_BASE_URL",
		}
	}
	caller := call.New(call.Config{
		Limits: call.Limits{Timeout: config.Timeout, Idle: config.Idle}, Model: config.Model, Server: config.BaseURL,
		Secrets: call.Fixed(config.APIKey), Media: []string{"text/event-stream"},
		Tell: call.Tell{
			Key: "the key", Login: "check ANTHROPIC_API_KEY, or the key that model.api_key refers to",
			Model: "check model.name or ANTHROPIC_MODEL", Address: "correct model.base_url or ANTHROPIC_BASE_URL, without /v1",
		},
		Transport: config.Transport, Wait: config.Wait,
	})
	// The service, unlike NewClient, reads no environment.
	return &Model{config: config, call: caller, messages: anthropic.NewMessageService(
		option.WithBaseURL(config.BaseURL), option.WithMaxRetries(0),
		option.WithHTTPClient(caller.HTTPClient()), option.WithAPIKey(config.APIKey),
	)}, nil
}

// Name is "anthropic:" and the model's name.
func (m *Model) Name() string { return "anthropic:" + m.config.Model }

// Complete implements sparkwright.Model.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	return m.call.Complete(ctx, onText, func(ctx context.Context, reply *call.Reply) error { return m.try(ctx, req, reply) })
}

func (m *Model) try(ctx context.Context, req sparkwright.ModelRequest, reply *call.Reply) error {
	limit := req.MaxTokens
	if limit <= 0 {
		limit = defaultMaxTokens
	}
	stream := m.messages.NewStreaming(ctx, anthropic.MessageNewParams{
		Model: m.config.Model, MaxTokens: int64(limit),
		System:   []anthropic.TextBlockParam{{Text: req.System}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(req.User))},
	})
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		event := stream.Current()
		switch event.Type {
		case "message_start":
			u := event.Message.Usage
			reply.Count(u.InputTokens+u.CacheReadInputTokens+u.CacheCreationInputTokens, u.OutputTokens)
		case "content_block_delta":
			if err := reply.Text(event.Delta.Text); err != nil { // thoughts and tools have other fields
				return err
			}
		case "message_delta":
			reply.Count(0, event.Usage.OutputTokens)
			if event.Delta.StopReason != "" {
				reply.End(reason(event.Delta.StopReason))
			}
		}
	}
	return told(stream.Err())
}

func reason(stop anthropic.StopReason) call.Reason {
	switch stop {
	case anthropic.StopReasonMaxTokens, anthropic.StopReasonModelContextWindowExceeded:
		return call.Length
	case anthropic.StopReasonRefusal:
		return call.Refused
	default:
		return call.Stop
	}
}

// told takes the library's errors apart: they hold the request with its key.
func told(err error) error {
	answer, ok := errors.AsType[*anthropic.Error](err)
	if !ok {
		return err
	}
	var body struct {
		Error struct{ Message string }
	}
	_ = json.Unmarshal([]byte(answer.RawJSON()), &body)
	if answer.StatusCode < http.StatusMultipleChoices { // an event in the middle of the reply
		return &call.StreamError{Message: body.Error.Message}
	}
	status := &call.StatusError{Status: answer.StatusCode, Message: body.Error.Message}
	if answer.Response != nil {
		status.RetryAfter = answer.Response.Header.Get("Retry-After")
	}
	return status
}
