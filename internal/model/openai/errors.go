package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/sparkwright/sparkwright"
)

// What can happen besides an HTTP status.
var (
	errTimeout  = errors.New("the time limit of the call has passed")
	errStalled  = errors.New("the reply stalled")
	errRedirect = errors.New("the server redirects to another address")
	errNoStream = errors.New("the server does not answer with an event stream")
	errTooLarge = errors.New("the reply is too large")
	errCut      = errors.New("the reply broke off before its end")
	errLength   = errors.New("the reply reached the token limit")
	errFiltered = errors.New("a content filter stopped the reply")
	errEmpty    = errors.New("the reply is empty")
)

// refusedError is a reply in which the model refuses.
type refusedError struct{ text string }

func (*refusedError) Error() string { return "the model refused" }

// interpretError turns what went wrong into an *Error. The library's own
// errors hold the request with its key, and are not wrapped.
func (m *Model) interpretError(ctx context.Context, err error) error {
	e := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Err: m.scrubbed(err)}
	say := func(code sparkwright.Code, message, because, remedy string) error {
		e.Code, e.Message, e.Because, e.Remedy = code, message, because, remedy
		return e
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return say(sparkwright.CodeCancelled, "the model's reply was cancelled", "", "")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTimeout) {
		return say(sparkwright.CodeTimeout, "the model "+m.config.Model+" did not finish in time",
			fmt.Sprintf("the limit is %s", m.config.Timeout), "set model.timeout_seconds higher, or use a faster model")
	}
	if answer, ok := errors.AsType[*openai.Error](err); ok {
		return m.interpretStatus(answer, say)
	}
	switch refused, isRefusal := errors.AsType[*refusedError](err); {
	case isRefusal:
		return say(sparkwright.CodeInvalid, "the model refused to answer", m.excerpt(refused.text), "ask in other words")
	case errors.Is(err, errStalled):
		return say(sparkwright.CodeTimeout, "the model's reply stalled",
			fmt.Sprintf("nothing arrived for %s", m.config.Idle), "try again; if it happens again, look at the model's server")
	case errors.Is(err, errTooLarge):
		return say(sparkwright.CodeResource, "the model's reply is too large",
			fmt.Sprintf("the limit is %d bytes", MaxReply), "use another model")
	case errors.Is(err, errLength):
		return say(sparkwright.CodeResource, "the model's reply is not complete",
			"it reached the token limit", "select fewer tables, or use a model with a larger context or less reasoning")
	case errors.Is(err, errFiltered):
		return say(sparkwright.CodeInvalid, "the provider's content filter stopped the reply", "", "ask in other words")
	case errors.Is(err, errEmpty):
		return say(sparkwright.CodeUnavailable, "the model replied with nothing", "", "try again, or use another model")
	case errors.Is(err, errRedirect):
		return say(sparkwright.CodeInvalid, "the model's server redirects to another address",
			"redirects are not followed: the key belongs to the configured server", "set model.base_url to the final address")
	case errors.Is(err, errNoStream):
		return say(sparkwright.CodeInvalid, "the model's server does not answer with an event stream",
			"it may not be a chat completions server", "check model.base_url; it usually ends in /v1")
	}
	if stream, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return say(sparkwright.CodeUnavailable, "the model's server failed in the middle of the reply", m.excerpt(stream.Message), "try again")
	}
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
		return say(sparkwright.CodeUnavailable, "the model's server at "+m.config.BaseURL+" cannot be reached",
			m.excerpt(network.Err.Error()), "start it, or correct model.base_url")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return say(sparkwright.CodeUnavailable, "the model's server sent something that is not JSON", m.excerpt(syntax.Error()), "check model.base_url")
	}
	return say(sparkwright.CodeUnavailable, "the model's reply broke off before its end", m.excerpt(err.Error()), "try again")
}

func (m *Model) interpretStatus(answer *openai.Error, say func(code sparkwright.Code, message, because, remedy string) error) error {
	because := fmt.Sprintf("status %d", answer.StatusCode)
	if text := m.excerpt(answer.Message); text != "" {
		because += ": " + text
	}
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		// What the server says often quotes the key: only the status is told.
		remedy := "check the key that model.api_key refers to, or OPENAI_API_KEY"
		if m.config.APIKey == "" {
			remedy = "set OPENAI_API_KEY, or model.api_key to a reference like env:NAME"
		}
		return say(sparkwright.CodeUnauthorized, "the model's server refused the key", fmt.Sprintf("status %d", status), remedy)
	case status == http.StatusTooManyRequests:
		return say(sparkwright.CodeUnavailable, "the model's server has no capacity for us, twice", because, "wait, or look at the quota of the key")
	case status >= 500:
		return say(sparkwright.CodeUnavailable, "the model's server failed, twice", because, "try again later")
	case status == http.StatusNotFound:
		return say(sparkwright.CodeInvalid, "the model's server does not know the model "+m.config.Model+" or the address", because,
			"check model.name and model.base_url; the URL usually ends in /v1")
	default:
		return say(sparkwright.CodeInvalid, "the model's server refused the request", because, "check model.name, or select fewer tables")
	}
}

// excerpt makes foreign text fit for a message: one line, short, without
// the key.
func (m *Model) excerpt(text string) string {
	if m.config.APIKey != "" {
		text = strings.ReplaceAll(text, m.config.APIKey, "(key)")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

func (m *Model) scrubbed(err error) error { return errors.New(m.excerpt(err.Error())) }
