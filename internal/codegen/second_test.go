package codegen_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/codegen"
)

// reader is a planner that understands one question.
type reader struct{ asked []sparkwright.GenerateRequest }

func (r *reader) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	r.asked = append(r.asked, req)
	switch req.Question {
	case "clear":
		return &sparkwright.GenerateReply{Analysis: &sparkwright.Analysis{Code: "p", Understood: "P.", Views: []string{"orders"}}}, nil
	case "broken":
		return nil, errors.New("x")
	default:
		return &sparkwright.GenerateReply{Declined: &sparkwright.Declined{Reason: sparkwright.DeclineNotUnderstood}}, nil
	}
}

// What the planner understands becomes the second reading; nothing that it does
// keeps the model's answer back.
func TestPair(t *testing.T) {
	t.Parallel()
	r := &reader{}
	m := &model{text: goodReply}
	g := codegen.Pair(codegen.New(m, codegen.Options{}), r)
	for question, has := range map[string]bool{"clear": true, "broken": false, "muddy": false} {
		reply, err := g.Generate(t.Context(), sparkwright.GenerateRequest{
			Question: question, Catalog: shop(), Repair: &sparkwright.Repair{Code: "x"}, OnText: func(string) {},
		})
		if err != nil || reply.Analysis == nil || (reply.Analysis.Second != nil) != has {
			t.Fatalf("%s: %+v, %v", question, reply, err)
		}
		if s := reply.Analysis.Second; has && (s.Code != "p" || s.Understood != "P." || s.State != sparkwright.SecondNotCompared || len(s.Views) != 1) {
			t.Errorf("%s: %+v", question, s)
		}
	}
	for _, req := range r.asked {
		if req.Repair != nil || req.OnText != nil {
			t.Errorf("the planner was asked %+v", req)
		}
	}
	m.text = "DECLINED: unanswerable: No."
	before := len(r.asked)
	if reply, err := g.Generate(t.Context(), sparkwright.GenerateRequest{Question: "clear", Catalog: shop()}); err != nil || reply.Declined == nil || len(r.asked) != before {
		t.Errorf("declined: %+v, %v; the planner was asked %d times", reply, err, len(r.asked)-before)
	}
	if g.Version() == codegen.New(m, codegen.Options{}).Version() {
		t.Error("a pair has the version of its model")
	}
}
