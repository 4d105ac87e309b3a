// Package call is what the adapters of text models have in common: one call
// that is bounded in time, in silence between two pieces, and in size, that is
// tried once more when the server says 429 or 5xx, and whose every failure is a
// *sparkwright.Error.
//
// An adapter brings the protocol: it makes one request with the client that
// HTTPClient returns and hands on what arrives through a Reply. A reply that was
// cut off is an error, never a short reply. Redirects are refused, since the
// credentials belong to the configured server. Credentials are in no error.
package call

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/netguard"
)

const (
	// MaxReply is the size in bytes above which a reply is refused.
	MaxReply = 1 << 20
	// maxWire bounds what is read of one answer, framing included.
	maxWire = 64 << 20
	// maxStatus bounds what is read of an answer that is no reply.
	maxStatus = 64 << 10
	// maxRetryAfter bounds how long the server can make us wait.
	maxRetryAfter = 30 * time.Second
	firstWait     = time.Second // when the server does not say
)

// Limits bound a call.
type Limits struct {
	Timeout time.Duration // of a whole call, both tries; 0 = 2 minutes
	Idle    time.Duration // longest silence once the reply has begun; 0 = 1 minute
}

// Config describes the model to call and how its failures are told.
type Config struct {
	Limits

	Model   string          // as the server calls it
	Server  string          // its address, for people
	Secrets func() []string // credentials, taken out of whatever a server says; may be nil
	Media   []string        // media types of a reply; none = any
	Tell    Tell

	// Transport carries the requests; nil = one of our own, with the
	// environment's proxy settings, that reaches no metadata service.
	Transport http.RoundTripper
	// Wait waits before the second try; nil = with a timer. For tests.
	Wait func(ctx context.Context, d time.Duration) error
}

// Fixed are secrets that never change.
func Fixed(secrets ...string) func() []string { return func() []string { return secrets } }

// Tell is what people are told to do, where that depends on the provider.
type Tell struct {
	Key     string // what is refused with 401 and 403: "the key"
	Login   string // what to do about it
	Model   string // what to do when the model is not known
	Address string // what to do when the server cannot be reached
}

// Caller makes calls of one model. It is safe for concurrent use.
type Caller struct {
	config Config
	client *http.Client
}

// New returns a Caller.
func New(config Config) *Caller {
	if config.Timeout <= 0 {
		config.Timeout = 2 * time.Minute
	}
	if config.Idle <= 0 {
		config.Idle = time.Minute
	}
	if config.Wait == nil {
		config.Wait = wait
	}
	base := config.Transport
	if base == nil {
		// The address is one that a person has set; no cloud's metadata are behind it.
		guard := &netguard.Guard{Policy: netguard.Private}
		base = &http.Transport{DialContext: guard.DialContext, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 8, IdleConnTimeout: 90 * time.Second}
	}
	return &Caller{config: config, client: &http.Client{
		Transport:     &transport{base: base, media: config.Media},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
}

// HTTPClient is the client of all requests: it bounds the answers to those
// that are made within Complete.
func (c *Caller) HTTPClient() *http.Client { return c.client }

// Reason is why a reply has ended.
type Reason string

// The reasons. Any other is one that the server made up, and counts as Stop.
const (
	Stop     Reason = "stop"
	Length   Reason = "length"   // the server's or the request's limit
	Filtered Reason = "filtered" // by the provider
	Refused  Reason = "refused"  // by the model
)

// Reply gathers what arrives of one reply.
type Reply struct {
	onText  func(string)
	text    strings.Builder
	refusal strings.Builder
	in, out int
	reason  Reason
}

// Text takes a piece of the text. Its error ends the try.
func (r *Reply) Text(piece string) error {
	if r.text.Len()+len(piece) > MaxReply {
		return ErrTooLarge
	}
	if piece == "" {
		return nil
	}
	r.text.WriteString(piece)
	if r.onText != nil {
		r.onText(piece)
	}
	return nil
}

// Refusal takes a piece of a refusal. Its error ends the try.
func (r *Reply) Refusal(piece string) error {
	if r.refusal.Len()+len(piece) > MaxReply {
		return ErrTooLarge
	}
	r.refusal.WriteString(piece)
	return nil
}

// Count takes the tokens; a zero leaves what is known.
func (r *Reply) Count(in, out int64) {
	if in > 0 {
		r.in = int(in)
	}
	if out > 0 {
		r.out = int(out)
	}
}

// End takes why the reply has ended.
func (r *Reply) End(reason Reason) { r.reason = reason }

// result judges what has arrived.
func (r *Reply) result() (*sparkwright.ModelReply, error) {
	switch {
	case r.reason == "":
		return nil, errCut
	case r.reason == Length:
		return nil, errLength
	case r.reason == Filtered:
		return nil, errFiltered
	case r.reason == Refused, r.refusal.Len() > 0:
		if r.refusal.Len() == 0 {
			r.refusal.WriteString(r.text.String())
		}
		return nil, &refusedError{text: r.refusal.String()}
	case strings.TrimSpace(r.text.String()) == "":
		return nil, errEmpty
	}
	return &sparkwright.ModelReply{
		Text: strings.ToValidUTF8(r.text.String(), "\uFFFD"), InputTokens: r.in, OutputTokens: r.out,
	}, nil
}

// Complete carries out a call. try makes one request and hands on what
// arrives; it returns when nothing more comes, with an error when that was not
// the end of the reply: a *StatusError, a *StreamError, or whatever the
// library gave. A second try is made only when the first one brought nothing.
func (c *Caller) Complete(ctx context.Context, onText func(string), try func(context.Context, *Reply) error) (*sparkwright.ModelReply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, errTimeout)
	defer cancel()
	reply, err := c.try(ctx, onText, try)
	if delay, again := retry(err); again {
		if waitErr := c.config.Wait(ctx, delay); waitErr != nil {
			return nil, c.interpretError(ctx, waitErr)
		}
		reply, err = c.try(ctx, onText, try)
	}
	if err != nil {
		return nil, c.interpretError(ctx, err)
	}
	return reply, nil
}

// try makes one request. The cause of an ended context stands for what the
// library made of it.
func (c *Caller) try(ctx context.Context, onText func(string), try func(context.Context, *Reply) error) (*sparkwright.ModelReply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := &watcher{idle: c.config.Idle, stalled: func() { cancel(errStalled) }}
	defer watch.stop()
	reply := &Reply{onText: onText}
	err := try(context.WithValue(ctx, watchKey{}, watch), reply)
	var result *sparkwright.ModelReply
	if err == nil {
		result, err = reply.result()
	}
	// Also when the connection ended in the middle of a piece and the library
	// took that for the end.
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, errCut) || err != nil && !errors.Is(err, ErrTooLarge)) {
		err = cause
	}
	return result, err
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
	answer, ok := errors.AsType[*StatusError](err)
	if !ok || (answer.Status != http.StatusTooManyRequests && answer.Status < 500) {
		return 0, false
	}
	delay := firstWait
	if seconds, parseErr := time.ParseDuration(answer.RetryAfter + "s"); parseErr == nil {
		delay = seconds
	} else if at, dateErr := http.ParseTime(answer.RetryAfter); dateErr == nil {
		delay = time.Until(at)
	}
	return min(max(delay, 0), maxRetryAfter), true
}
