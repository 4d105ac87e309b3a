package agentcore

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Model has a prototype of the reference system write code, and takes nothing
// but its text: what it says of runs and results is dropped.
type Model struct {
	client  *Client
	modelID string
}

var _ sparkwright.Model = (*Model)(nil)

// NewModel returns a Model. modelID is the Bedrock model that the agent is to
// use.
func NewModel(client *Client, modelID string) *Model { return &Model{client: client, modelID: modelID} }

// Name implements sparkwright.Model.
func (m *Model) Name() string { return "agentcore:" + m.modelID }

// Complete implements sparkwright.Model. Tokens are not counted: the agent does
// not tell.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	text, err := m.client.invoke(ctx, session("generator"), map[string]any{
		"prompt": req.System + "\n\n" + req.User, "system_prompt": req.System, "model_id": m.modelID, "session_id": session("generator"),
		"execution_platform": "none", "skip_generation": false, "config": map[string]any{"model_id": m.modelID},
	})
	if err != nil {
		return nil, modelError(err)
	}
	inner := unwrap(text)
	reply := string(inner)
	var object struct {
		Code *string `json:"spark_code"`
	}
	if json.Unmarshal(inner, &object) == nil {
		if object.Code == nil {
			return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "the agent of spark.supervisor_arn has written no code")
		}
		reply = *object.Code
	}
	if !strings.Contains(reply, "```") && !strings.HasPrefix(strings.TrimSpace(reply), "DECLINED") {
		reply = "```python\n" + reply + "\n```"
	}
	if onText != nil {
		onText(reply)
	}
	return &sparkwright.ModelReply{Text: reply}, nil
}

func modelError(err error) error {
	return awscloud.Error("the agent of spark.supervisor_arn cannot be called", err)
}
