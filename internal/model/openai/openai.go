// Package openai talks to a text model over OpenAI-compatible chat
// completions: OpenAI itself, Ollama, llama.cpp, vLLM and most providers.
//
// A call streams. It is bounded in time, in silence between two pieces and in
// size, and is tried once more when the server answers 429 or 5xx. A reply
// that was cut off is an error, never a short reply. The key is sent to the
// configured server only (redirects are refused), and is in no error.
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

	"github.com/sparkwright/sparkwright"
)

const (
	defaultBaseURL = "https://api.openai.com/v1"

	// MaxReply is the size in bytes above which a reply is refused.
	MaxReply = 1 << 20
	// maxWire bounds what is read of one answer, framing included.
	maxWire = 64 << 20
	// maxRetryAfter bounds how long the server can make us wait.
	maxRetryAfter = 30 * time.Second
	firstWait     = time.Second // when the server does not say
)

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
	service openai.ChatCompletionService
}

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
	if config.Timeout <= 0 {
		config.Timeout = 2 * time.Minute
	}
	if config.Idle <= 0 {
		config.Idle = time.Minute
	}
	if config.Wait == nil {
		config.Wait = wait
	}
	if config.Transport == nil {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 8, IdleConnTimeout: 90 * time.Second}
		config.Transport = transport
	}
	// NewChatCompletionService, unlike NewClient, reads no environment.
	options := []option.RequestOption{
		option.WithBaseURL(config.BaseURL),
		option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{
			Transport:     config.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		}),
	}
	if config.APIKey != "" {
		options = append(options, option.WithAPIKey(config.APIKey))
	}
	return &Model{config: config, service: openai.NewChatCompletionService(options...)}, nil
}

// Name is "openai:" and the model's name.
func (m *Model) Name() string { return "openai:" + m.config.Model }

// Complete implements sparkwright.Model. A reply that the server cut at its
// own limit is CodeResource; one that the model or its provider refused is
// CodeInvalid; one that broke off, is empty or makes no sense is
// CodeUnavailable.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.config.Timeout, errTimeout)
	defer cancel()
	reply, err := m.try(ctx, req, onText)
	if delay, again := retry(err); again {
		if waitErr := m.config.Wait(ctx, delay); waitErr != nil {
			return nil, m.interpretError(ctx, waitErr)
		}
		reply, err = m.try(ctx, req, onText)
	}
	if err != nil {
		return nil, m.interpretError(ctx, err)
	}
	return reply, nil
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

// try makes one request. Its errors are not interpreted yet, except that the
// cause of an ended context stands for what the transport made of it.
func (m *Model) try(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := watcher{idle: m.config.Idle, stalled: func() { cancel(errStalled) }}
	defer watch.stop()

	stream := m.service.NewStreaming(ctx, m.params(req), option.WithMiddleware(watch.middleware))
	defer func() { _ = stream.Close() }()
	var (
		reply   sparkwright.ModelReply
		text    strings.Builder
		refusal strings.Builder
		finish  string
	)
	for stream.Next() {
		chunk := stream.Current()
		if chunk.Usage.TotalTokens > 0 {
			reply.InputTokens, reply.OutputTokens = int(chunk.Usage.PromptTokens), int(chunk.Usage.CompletionTokens)
		}
		for _, choice := range chunk.Choices {
			if choice.Index != 0 {
				continue
			}
			if text.Len()+len(choice.Delta.Content) > MaxReply || refusal.Len()+len(choice.Delta.Refusal) > MaxReply {
				return nil, errTooLarge
			}
			refusal.WriteString(choice.Delta.Refusal)
			if choice.Delta.Content != "" {
				text.WriteString(choice.Delta.Content)
				if onText != nil {
					onText(choice.Delta.Content)
				}
			}
			if choice.FinishReason != "" {
				finish = choice.FinishReason
			}
		}
	}
	if err := stream.Err(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	switch {
	case finish == "":
		// Also when the connection ended in the middle of a piece.
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, errCut
	case finish == "length":
		return nil, errLength
	case finish == "content_filter":
		return nil, errFiltered
	case refusal.Len() > 0:
		return nil, &refusedError{text: refusal.String()}
	case strings.TrimSpace(text.String()) == "":
		return nil, errEmpty
	}
	reply.Text = strings.ToValidUTF8(text.String(), "\uFFFD")
	return &reply, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retry tells whether, and after how long, the request is made again.
func retry(err error) (time.Duration, bool) {
	answer, ok := errors.AsType[*openai.Error](err)
	if !ok || (answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode < 500) {
		return 0, false
	}
	delay := firstWait
	if answer.Response != nil {
		text := answer.Response.Header.Get("Retry-After")
		if seconds, parseErr := time.ParseDuration(text + "s"); parseErr == nil {
			delay = seconds
		} else if at, dateErr := http.ParseTime(text); dateErr == nil {
			delay = time.Until(at)
		}
	}
	return min(max(delay, 0), maxRetryAfter), true
}
