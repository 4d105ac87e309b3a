package openaitest

import (
	"encoding/json"
	"net/http"

	"github.com/sparkwright/sparkwright/internal/model/call"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

// Dialect is chat completions for the suite of all models.
type Dialect struct{}

var _ modeltest.Dialect = Dialect{}

// Path implements modeltest.Dialect.
func (Dialect) Path() string { return "/v1/chat/completions" }

// Media implements modeltest.Dialect.
func (Dialect) Media() string { return "text/event-stream; charset=utf-8" }

// Abilities implements modeltest.Dialect.
func (Dialect) Abilities() modeltest.Abilities {
	return modeltest.Abilities{Counts: true, Marks: true, Refuses: true, Filters: true, Limits: true}
}

// Start implements modeltest.Dialect.
func (Dialect) Start(int) []byte { return nil }

// Text implements modeltest.Dialect.
func (Dialect) Text(piece string) []byte { return []byte(Chunk(piece, "")) }

// Refusal implements modeltest.Dialect.
func (Dialect) Refusal(text string) []byte { return []byte(Refusal(text) + Chunk("", "stop") + Done) }

// End implements modeltest.Dialect.
func (Dialect) End(reason call.Reason, in, out int) []byte {
	finish := map[call.Reason]string{call.Length: "length", call.Filtered: "content_filter"}[reason]
	if finish == "" {
		finish = "stop"
	}
	return []byte(Chunk("", finish) + Usage(in, out) + Done)
}

// Exception implements modeltest.Dialect.
func (Dialect) Exception(message string) []byte {
	return []byte(event(map[string]any{"error": map[string]any{"message": message, "type": "server_error"}}))
}

// Garbage implements modeltest.Dialect.
func (Dialect) Garbage() []byte { return []byte("data: {\"choices\": nonsense \xff\n\n") }

// Status implements modeltest.Dialect.
func (Dialect) Status(_ int, message string) (http.Header, []byte) {
	text, _ := json.Marshal(map[string]any{"error": map[string]any{"message": message, "type": "t", "code": "c"}})
	return http.Header{"Content-Type": {"application/json"}}, text
}

// Prompt implements modeltest.Dialect.
func (Dialect) Prompt(body []byte) modeltest.Prompt {
	var in struct {
		Model     string
		MaxTokens int `json:"max_tokens"`
		Messages  []struct{ Role, Content string }
	}
	_ = json.Unmarshal(body, &in)
	p := modeltest.Prompt{Model: in.Model, MaxTokens: in.MaxTokens}
	for _, m := range in.Messages {
		switch m.Role {
		case "system":
			p.System = m.Content
		case "user":
			p.User = m.Content
		}
	}
	return p
}
