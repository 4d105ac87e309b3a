// Package anthropictest is Anthropic's Messages API on the wire, for tests.
package anthropictest

import (
	"encoding/json"
	"net/http"

	"github.com/sparkwright/sparkwright/internal/model/call"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

// Dialect is the Messages API for the suite of all models.
type Dialect struct{}

var _ modeltest.Dialect = Dialect{}

// Path implements modeltest.Dialect.
func (Dialect) Path() string { return "/v1/messages" }

// Media implements modeltest.Dialect.
func (Dialect) Media() string { return "text/event-stream; charset=utf-8" }

// Abilities implements modeltest.Dialect.
func (Dialect) Abilities() modeltest.Abilities {
	return modeltest.Abilities{Counts: true, Marks: true, Refuses: true, Limits: true}
}

func event(kind string, value map[string]any) []byte {
	value["type"] = kind
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return []byte("event: " + kind + "\ndata: " + string(text) + "\n\n")
}

// Start implements modeltest.Dialect.
func (Dialect) Start(in int) []byte {
	out := event("message_start", map[string]any{"message": map[string]any{
		"id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "content": []any{}, "stop_reason": nil,
		"usage": map[string]any{"input_tokens": in, "output_tokens": 1},
	}})
	out = append(out, event("content_block_start", map[string]any{"index": 0, "content_block": map[string]any{"type": "text", "text": ""}})...)
	return append(out, event("ping", map[string]any{})...)
}

// Text implements modeltest.Dialect.
func (Dialect) Text(piece string) []byte {
	return event("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "text_delta", "text": piece}})
}

// Refusal implements modeltest.Dialect.
func (d Dialect) Refusal(text string) []byte { return append(d.Text(text), d.stop("refusal", 3)...) }

// End implements modeltest.Dialect.
func (d Dialect) End(reason call.Reason, _, out int) []byte {
	if reason == call.Length {
		return d.stop("max_tokens", out)
	}
	return d.stop("end_turn", out)
}

func (Dialect) stop(reason string, tokens int) []byte {
	out := event("content_block_stop", map[string]any{"index": 0})
	out = append(out, event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": reason, "stop_sequence": nil}, "usage": map[string]any{"output_tokens": tokens},
	})...)
	return append(out, event("message_stop", map[string]any{})...)
}

// Exception implements modeltest.Dialect.
func (Dialect) Exception(message string) []byte {
	return event("error", map[string]any{"error": map[string]any{"type": "overloaded_error", "message": message}})
}

// Garbage implements modeltest.Dialect.
func (Dialect) Garbage() []byte {
	return []byte("event: content_block_delta\ndata: {\"delta\": nonsense \xff\n\n")
}

// Status implements modeltest.Dialect.
func (Dialect) Status(_ int, message string) (http.Header, []byte) {
	text, _ := json.Marshal(map[string]any{"type": "error", "error": map[string]any{"type": "some_error", "message": message}})
	return http.Header{"Content-Type": {"application/json"}}, text
}

// Prompt implements modeltest.Dialect.
func (Dialect) Prompt(body []byte) modeltest.Prompt {
	var in struct {
		Model     string
		MaxTokens int                     `json:"max_tokens"`
		System    []struct{ Text string } `json:"system"`
		Messages  []struct {
			Role    string
			Content []struct{ Text string }
		}
	}
	_ = json.Unmarshal(body, &in)
	p := modeltest.Prompt{Model: in.Model, MaxTokens: in.MaxTokens}
	for _, s := range in.System {
		p.System += s.Text
	}
	for _, m := range in.Messages {
		for _, c := range m.Content {
			p.User += c.Text
		}
	}
	return p
}
