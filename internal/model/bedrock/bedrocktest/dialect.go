// Package bedrocktest is Amazon Bedrock's Converse API on the wire, for tests:
// binary event streams, and JSON where a model cannot stream.
package bedrocktest

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/aws/smithy-go/eventstream"

	"github.com/sparkwright/sparkwright/internal/model/call"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

// Dialect is ConverseStream for the suite of all models.
type Dialect struct{}

var _ modeltest.Dialect = Dialect{}

// Path implements modeltest.Dialect.
func (Dialect) Path() string { return "/converse-stream" }

// Media implements modeltest.Dialect.
func (Dialect) Media() string { return "application/vnd.amazon.eventstream" }

// Abilities implements modeltest.Dialect.
func (Dialect) Abilities() modeltest.Abilities {
	return modeltest.Abilities{Counts: true, Marks: true, Refuses: true, Filters: true, Limits: true}
}

// message is one message of an event stream.
func message(kind, typeHeader, name string, payload any) []byte {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	err = eventstream.NewEncoder().Encode(&out, eventstream.Message{
		Headers: eventstream.Headers{
			{Name: ":message-type", Value: eventstream.StringValue(kind)},
			{Name: typeHeader, Value: eventstream.StringValue(name)},
			{Name: ":content-type", Value: eventstream.StringValue("application/json")},
		},
		Payload: text,
	})
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}

func event(name string, payload any) []byte { return message("event", ":event-type", name, payload) }

// Start implements modeltest.Dialect.
func (Dialect) Start(int) []byte { return event("messageStart", map[string]any{"role": "assistant"}) }

// Text implements modeltest.Dialect.
func (Dialect) Text(piece string) []byte {
	return event("contentBlockDelta", map[string]any{"contentBlockIndex": 0, "delta": map[string]any{"text": piece}})
}

// Refusal implements modeltest.Dialect.
func (d Dialect) Refusal(text string) []byte { return append(d.Text(text), stop("refusal", 1, 1)...) }

func stop(reason string, in, out int) []byte {
	text := event("contentBlockStop", map[string]any{"contentBlockIndex": 0})
	text = append(text, event("messageStop", map[string]any{"stopReason": reason})...)
	return append(text, event("metadata", map[string]any{
		"usage":   map[string]any{"inputTokens": in, "outputTokens": out, "totalTokens": in + out},
		"metrics": map[string]any{"latencyMs": 1},
	})...)
}

// End implements modeltest.Dialect.
func (Dialect) End(reason call.Reason, in, out int) []byte {
	switch reason {
	case call.Length:
		return stop("max_tokens", in, out)
	case call.Filtered:
		return stop("guardrail_intervened", in, out)
	default:
		return stop("end_turn", in, out)
	}
}

// Exception implements modeltest.Dialect.
func (Dialect) Exception(text string) []byte {
	return message("exception", ":exception-type", "modelStreamErrorException", map[string]any{"message": text})
}

// Garbage implements modeltest.Dialect: a message whose checksum is wrong.
func (d Dialect) Garbage() []byte {
	text := d.Text("garbage")
	text[len(text)-1] ^= 0xff
	return text
}

// Status implements modeltest.Dialect.
func (Dialect) Status(status int, text string) (http.Header, []byte) {
	name := map[int]string{
		400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
		429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException",
	}[status]
	body, _ := json.Marshal(map[string]any{"message": text})
	return http.Header{"Content-Type": {"application/json"}, "X-Amzn-ErrorType": {name}}, body
}

// Prompt implements modeltest.Dialect. The model is in the path.
func (Dialect) Prompt(body []byte) modeltest.Prompt {
	var in struct {
		System   []struct{ Text string }
		Messages []struct {
			Role    string
			Content []struct{ Text string }
		}
		InferenceConfig struct{ MaxTokens int }
	}
	_ = json.Unmarshal(body, &in)
	p := modeltest.Prompt{MaxTokens: in.InferenceConfig.MaxTokens}
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
