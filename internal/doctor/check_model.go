package doctor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

const (
	modelLimit  = 15 * time.Second
	modelTokens = 256 // some think before they answer
)

func modelChecks(c Config) []Check {
	return []Check{{
		Info: Info{ID: "model.answers", Group: "model", Title: "the model answers", How: "asks it for one word", Limit: modelLimit},
		Run: func(ctx context.Context) Finding {
			switch {
			case c.ModelError != nil:
				return fromError(c.ModelError, "correct model.provider and the keys of its provider in the settings")
			case c.Model == nil && c.ModelWhy != "" && c.ModelWhy != noModel:
				return ok("the built-in planner answers what it fully understands: " + c.ModelWhy)
			case c.Model == nil:
				return ok("no model is configured: the built-in planner answers what it fully understands")
			}
			_, err := c.Model.Complete(ctx, sparkwright.ModelRequest{System: "Answer with the word ok.", User: "ok?", MaxTokens: modelTokens}, nil)
			switch {
			case sparkwright.ErrorCode(err) == sparkwright.CodeResource: // it answers, at length
				return ok(named(c) + "; it needs more tokens for one word than the check gives it")
			case err != nil:
				return fromError(err, "check the keys of its provider in the settings")
			}
			return ok(named(c))
		},
	}}
}

// noModel is what is said when nothing is configured at all.
const noModel = "no model is configured"

func named(c Config) string {
	if c.ModelWhy == "" {
		return c.Model.Name()
	}
	return c.Model.Name() + ": " + c.ModelWhy
}
