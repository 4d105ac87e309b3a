package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/netguard"
)

// What can happen besides an HTTP status.
var (
	// ErrTooLarge ends a try whose reply is above the limit.
	ErrTooLarge = errors.New("the reply is too large")

	errTimeout  = errors.New("the time limit of the call has passed")
	errStalled  = errors.New("the reply stalled")
	errRedirect = errors.New("the server redirects to another address")
	errNoStream = errors.New("the server does not answer with an event stream")
	errCut      = errors.New("the reply broke off before its end")
	errLength   = errors.New("the reply reached the token limit")
	errFiltered = errors.New("a content filter stopped the reply")
	errEmpty    = errors.New("the reply is empty")
)

// StatusError is an answer that is no reply, or an exception that stands for
// one.
type StatusError struct {
	Status     int
	Message    string // as the server says it
	RetryAfter string // the header
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Message) }

// StreamError is an error that the server reports in the middle of a reply.
type StreamError struct{ Message string }

// Error implements error.
func (e *StreamError) Error() string { return "in the stream: " + e.Message }

// refusedError is a reply in which the model refuses.
type refusedError struct{ text string }

func (*refusedError) Error() string { return "the model refused" }

// interpretError turns what went wrong into an *Error. The libraries' own
// errors hold the request with its credentials, and are not wrapped.
func (c *Caller) interpretError(ctx context.Context, err error) error {
	e := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Err: errors.New(c.excerpt(err.Error()))}
	say := func(code sparkwright.Code, message, because, remedy string) error {
		e.Code, e.Message, e.Because, e.Remedy = code, message, because, remedy
		return e
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return say(sparkwright.CodeCancelled, "the model's reply was cancelled", "", "")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTimeout) {
		return say(sparkwright.CodeTimeout, "the model "+c.config.Model+" did not finish in time",
			fmt.Sprintf("the limit is %s", c.config.Timeout), "set model.timeout_seconds higher, or use a faster model")
	}
	if answer, ok := errors.AsType[*StatusError](err); ok {
		return c.interpretStatus(answer, say)
	}
	switch refused, isRefusal := errors.AsType[*refusedError](err); {
	case isRefusal:
		return say(sparkwright.CodeInvalid, "the model refused to answer", c.excerpt(refused.text), "ask in other words")
	case errors.Is(err, errStalled):
		return say(sparkwright.CodeTimeout, "the model's reply stalled",
			fmt.Sprintf("nothing arrived for %s", c.config.Idle), "try again; if it happens again, look at the model's server")
	case errors.Is(err, ErrTooLarge):
		return say(sparkwright.CodeResource, "the model's reply is too large",
			fmt.Sprintf("the limit is %d bytes", MaxReply), "use another model")
	case errors.Is(err, errLength):
		return say(sparkwright.CodeResource, "the model's reply is not complete",
			"it reached the token limit", "set model.max_tokens higher, select fewer tables, or use a model with a larger context or less reasoning")
	case errors.Is(err, errFiltered):
		return say(sparkwright.CodeInvalid, "the provider's content filter stopped the reply", "", "ask in other words")
	case errors.Is(err, errEmpty):
		return say(sparkwright.CodeUnavailable, "the model replied with nothing", "", "try again, or use another model")
	case errors.Is(err, errRedirect):
		return say(sparkwright.CodeInvalid, "the model's server redirects to another address",
			"redirects are not followed: the credentials belong to the configured server", "set the final address: "+c.config.Tell.Address)
	case errors.Is(err, errNoStream):
		return say(sparkwright.CodeInvalid, "the model's server does not answer with an event stream",
			"it may be another kind of server", c.config.Tell.Address)
	}
	if stream, ok := errors.AsType[*StreamError](err); ok {
		return say(sparkwright.CodeUnavailable, "the model's server failed in the middle of the reply", c.excerpt(stream.Message), "try again")
	}
	if refusal, ok := netguard.Refusal(err); ok {
		return say(sparkwright.CodeInvalid, "the model's server is not called: "+refusal.Message, refusal.Because, c.config.Tell.Address)
	}
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
		return say(sparkwright.CodeUnavailable, "the model's server at "+c.config.Server+" cannot be reached",
			c.excerpt(network.Err.Error()), c.config.Tell.Address)
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return say(sparkwright.CodeUnavailable, "the model's server at "+c.config.Server+" cannot be found",
			c.excerpt(lookup.Error()), c.config.Tell.Address)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return say(sparkwright.CodeUnavailable, "the model's server sent something that is not JSON", c.excerpt(syntax.Error()), c.config.Tell.Address)
	}
	return say(sparkwright.CodeUnavailable, "the model's reply broke off before its end", c.excerpt(err.Error()), "try again")
}

func (c *Caller) interpretStatus(answer *StatusError, say func(code sparkwright.Code, message, because, remedy string) error) error {
	because := fmt.Sprintf("status %d", answer.Status)
	if text := c.excerpt(answer.Message); text != "" {
		because += ": " + text
	}
	switch status := answer.Status; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		// What the server says often quotes the key: only the status is told.
		return say(sparkwright.CodeUnauthorized, "the model's server refused "+c.config.Tell.Key, fmt.Sprintf("status %d", status), c.config.Tell.Login)
	case status == http.StatusTooManyRequests:
		return say(sparkwright.CodeUnavailable, "the model's server has no capacity for us, twice", because, "wait, or look at the quota at the provider")
	case status >= 500:
		return say(sparkwright.CodeUnavailable, "the model's server failed, twice", because, "try again later")
	case status == http.StatusNotFound:
		return say(sparkwright.CodeInvalid, "the model's server does not know the model "+c.config.Model+" or the address", because, c.config.Tell.Model)
	default:
		return say(sparkwright.CodeInvalid, "the model's server refused the request", because, "check the model's name, or select fewer tables")
	}
}

// excerpt makes foreign text fit for a message: one line, short, without
// credentials.
func (c *Caller) excerpt(text string) string {
	if c.config.Secrets != nil {
		for _, secret := range c.config.Secrets() {
			if secret != "" {
				text = strings.ReplaceAll(text, secret, "(key)")
			}
		}
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
