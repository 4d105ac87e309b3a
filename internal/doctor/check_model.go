package doctor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

const modelLimit = 15 * time.Second

func modelChecks(c Config) []Check {
	return []Check{{
		Info: Info{ID: "model.answers", Group: "model", Title: "the model answers", How: "asks it for one word", Limit: modelLimit},
		Run: func(ctx context.Context) Finding {
			switch {
			case c.ModelError != nil:
				return fromError(c.ModelError, "correct model.name and model.api_key in the settings")
			case c.Model == nil:
				return ok("no model is configured: the built-in planner answers what it fully understands")
			}
			reply, err := c.Model.Complete(ctx, sparkwright.ModelRequest{System: "Answer with the word ok.", User: "ok?", MaxTokens: 16}, nil)
			if err != nil {
				return fromError(err, "check model.base_url, model.name and model.api_key")
			}
			if reply.Text == "" {
				return warn(c.Model.Name()+" answers with nothing", "it may need more tokens for its thoughts than the check gives it")
			}
			return ok(c.Model.Name())
		},
	}}
}
