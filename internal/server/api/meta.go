package api

import (
	"context"
	"net/http"
)

// Meta tells what this server is and can do.
type Meta struct {
	Version   string         `json:"version"`
	Generator string         `json:"generator" doc:"planner, or the model that writes the code"`
	Models    []ModelInfo    `json:"models" doc:"What is configured, the one that writes the code first"`
	Executors []ExecutorInfo `json:"executors"`
	Limits    LimitsInfo     `json:"limits"`
}

// ModelInfo is one model that is configured, or the built-in planner.
type ModelInfo struct {
	ID       string `json:"id" doc:"Provider and model, as runs show it"`
	Provider string `json:"provider" enum:"planner,openai,anthropic,bedrock,agentcore,supervisor"`
	Model    string `json:"model,omitempty"`
	Chosen   bool   `json:"chosen"`
	Ready    bool   `json:"ready"`
	Why      string `json:"why" doc:"What makes it there, or what is missing"`
}

// ExecutorInfo is one place where runs can go.
type ExecutorInfo struct {
	Name      string `json:"name" enum:"local,batch,emr,lambda"`
	Available bool   `json:"available"`
	Reason    string `json:"reason" doc:"Why it is there, or is not"`
}

// LimitsInfo are the limits of requests.
type LimitsInfo struct {
	BodyBytes        int64 `json:"body_bytes"`
	QuestionChars    int   `json:"question_chars"`
	PageRows         int   `json:"page_rows"`
	SessionRuns      int   `json:"session_runs" doc:"Not yet ended, of one session"`
	QueuedRuns       int   `json:"queued_runs" doc:"Not yet ended, in all"`
	ReadersPerClient int   `json:"readers_per_client"`
	WaitSeconds      int   `json:"wait_seconds"`
}

func (a *API) registerMeta() {
	register(a, operation("get-meta", http.MethodGet, "/meta", "What this server is and can do", "meta"),
		func(ctx context.Context, _ *struct{}) (*body[Meta], error) {
			m := Meta{}
			if a.cfg.Meta != nil {
				m = a.cfg.Meta(ctx)
			}
			if m.Models == nil {
				m.Models = []ModelInfo{}
			}
			if m.Executors == nil {
				m.Executors = []ExecutorInfo{}
			}
			l := a.cfg.Limits
			m.Limits.BodyBytes, m.Limits.QuestionChars, m.Limits.PageRows = l.BodyBytes, l.QuestionChars, l.PageRows
			m.Limits.ReadersPerClient, m.Limits.WaitSeconds = l.ReadersPerClient, int(l.Wait.Seconds())
			return reply(m, nil)
		})
}
