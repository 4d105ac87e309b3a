// Package codegenagenttest is a code generation agent behind AgentCore, on the
// wire, for tests.
package codegenagenttest

import (
	"encoding/json"
	"net/http"

	"github.com/sparkwright/sparkwright/internal/model/call"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

// ARN names the runtime.
const ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/code_generation_agent-x"

// Dialect is InvokeAgentRuntime with an event stream, for the suite of all
// models.
type Dialect struct{}

var _ modeltest.Dialect = Dialect{}

// Path implements modeltest.Dialect.
func (Dialect) Path() string { return "/invocations" }

// Media implements modeltest.Dialect.
func (Dialect) Media() string { return "text/event-stream" }

// Abilities implements modeltest.Dialect: the agent says nothing but text.
func (Dialect) Abilities() modeltest.Abilities { return modeltest.Abilities{} }

// Start implements modeltest.Dialect.
func (Dialect) Start(int) []byte { return []byte(": running\n\n") }

// Text implements modeltest.Dialect.
func (Dialect) Text(piece string) []byte {
	text, err := json.Marshal(piece)
	if err != nil {
		panic(err)
	}
	return []byte("data: " + string(text) + "\n\n")
}

// Refusal implements modeltest.Dialect.
func (d Dialect) Refusal(text string) []byte { return d.Text(text) }

// End implements modeltest.Dialect.
func (Dialect) End(call.Reason, int, int) []byte { return []byte("\n") }

// Exception implements modeltest.Dialect.
func (Dialect) Exception(message string) []byte {
	text, err := json.Marshal(map[string]any{"error": message, "error_type": "EventLoopException"})
	if err != nil {
		panic(err)
	}
	return []byte("data: " + string(text) + "\n\n")
}

// Garbage implements modeltest.Dialect.
func (Dialect) Garbage() []byte { return []byte("data: {\"data\": nonsense \xff\n\n") }

// Status implements modeltest.Dialect.
func (Dialect) Status(status int, text string) (http.Header, []byte) {
	name := map[int]string{
		400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
		429: "ThrottlingException", 500: "InternalServerException",
	}[status]
	body, _ := json.Marshal(map[string]any{"message": text})
	return http.Header{"Content-Type": {"application/json"}, "X-Amzn-ErrorType": {name}}, body
}

// Prompt implements modeltest.Dialect.
func (Dialect) Prompt(body []byte) modeltest.Prompt {
	var in struct {
		Prompt       string `json:"prompt"`
		SystemPrompt string `json:"system_prompt"`
		ModelID      string `json:"model_id"`
	}
	_ = json.Unmarshal(body, &in)
	return modeltest.Prompt{Model: in.ModelID, System: in.SystemPrompt, User: in.Prompt}
}
