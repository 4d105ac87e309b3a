package codegen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/sparkwright/sparkwright"
)

// Cache keeps replies of models. It is safe for concurrent use.
type Cache interface {
	// CachedReply returns what is kept under a key; nil when nothing is.
	CachedReply(ctx context.Context, key string) (*sparkwright.ModelReply, error)
	CacheReply(ctx context.Context, key string, reply *sparkwright.ModelReply) error
}

// replyKey names a reply by everything that it was asked with.
func replyKey(model string, r sparkwright.ModelRequest) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "reply %q %d %q %q", model, r.MaxTokens, r.System, r.User))
	return hex.EncodeToString(sum[:])
}

// complete has the model answer, unless it has answered the same before. A
// repair is always asked anew: the same answer would fail again. A cache that
// fails only costs a call.
func (g *Generator) complete(ctx context.Context, r sparkwright.ModelRequest, req sparkwright.GenerateRequest) (answer *sparkwright.ModelReply, kept bool, err error) {
	if g.opt.Cache != nil && req.Repair == nil {
		if answer, err = g.opt.Cache.CachedReply(ctx, replyKey(g.model.Name(), r)); err == nil && answer != nil {
			if req.OnText != nil {
				req.OnText(answer.Text)
			}
			return answer, true, nil
		}
	}
	answer, err = g.model.Complete(ctx, r, req.OnText)
	return answer, false, err
}

// keep keeps a reply that makes sense.
func (g *Generator) keep(ctx context.Context, r sparkwright.ModelRequest, answer *sparkwright.ModelReply) {
	if g.opt.Cache != nil {
		_ = g.opt.Cache.CacheReply(ctx, replyKey(g.model.Name(), r), answer) // a lost one costs a call
	}
}
