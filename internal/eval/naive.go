package eval

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

//go:embed naive.md
var naivePrompt string

// Naive is the Generator of the other arm: the whole schema as CREATE TABLE
// statements, the question, one try. It is what is commonly written first, and
// what the pipeline is measured against.
type Naive struct {
	Model sparkwright.Model
	// Views finds the views that code reads.
	Views func(code string, catalog *sparkwright.Catalog) []string
	// Cost is what so many tokens of a model cost, in US dollars; nil = not known.
	Cost func(model string, in, out int) float64
}

var (
	_      sparkwright.Generator = (*Naive)(nil)
	fenced                       = regexp.MustCompile("(?s)```(?:[A-Za-z]*)\n(.*?)(?:```|$)")
)

const naiveTokens = 8000

// Generate implements sparkwright.Generator. A reply without code counts as
// declined: there is nothing to run.
func (n *Naive) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	if req.Repair != nil {
		return &sparkwright.GenerateReply{Declined: &sparkwright.Declined{Reason: sparkwright.DeclineNotUnderstood, Message: "There is one try."}}, nil
	}
	var b strings.Builder
	for i := range req.Catalog.Tables {
		t := &req.Catalog.Tables[i]
		fmt.Fprintf(&b, "CREATE TABLE %s (", t.View)
		for k := range t.Columns {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(t.Columns[k].Name + " " + t.Columns[k].Type)
		}
		b.WriteString(");\n")
	}
	if req.Instructions != "" {
		b.WriteString("\n" + req.Instructions + "\n")
	}
	if req.Previous != nil {
		for _, q := range req.Previous.Questions {
			b.WriteString("\nEarlier question: " + q + "\n")
		}
	}
	b.WriteString("\nQuestion: " + req.Question + "\n")
	reply, err := n.Model.Complete(ctx, sparkwright.ModelRequest{System: naivePrompt, User: b.String(), MaxTokens: naiveTokens}, nil)
	if err != nil {
		return nil, err
	}
	out := &sparkwright.GenerateReply{Usage: sparkwright.Usage{InputTokens: reply.InputTokens, OutputTokens: reply.OutputTokens, Calls: 1}}
	if n.Cost != nil {
		out.Usage.USD = n.Cost(n.Model.Name(), reply.InputTokens, reply.OutputTokens)
	}
	m := fenced.FindStringSubmatch(reply.Text)
	if m == nil {
		out.Declined = &sparkwright.Declined{Reason: sparkwright.DeclineNotUnderstood, Message: "The reply held no code."}
		return out, nil
	}
	out.Analysis = &sparkwright.Analysis{Code: m[1], Generator: "naive " + n.Model.Name(), Views: n.Views(m[1], req.Catalog), Tokens: reply.InputTokens + reply.OutputTokens}
	return out, nil
}
