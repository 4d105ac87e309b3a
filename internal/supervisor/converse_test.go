package supervisor_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// unsure asks back whatever it is asked, unless the question is clear.
type unsure struct {
	mu    sync.Mutex
	asked []sparkwright.GenerateRequest
}

func (u *unsure) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, req)
	if strings.Contains(req.Question, "clear") {
		return &sparkwright.GenerateReply{Analysis: &sparkwright.Analysis{Code: "a " + req.Question, Understood: "u", Views: []string{"t"}}}, nil
	}
	return &sparkwright.GenerateReply{Declined: &sparkwright.Declined{
		Reason: sparkwright.DeclineAmbiguous, Message: "Which one?", Choices: []string{"the clear one", "the muddy one"}, Could: []string{"go home"},
	}}, nil
}

func (u *unsure) last() sparkwright.GenerateRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked[len(u.asked)-1]
}

// A question is asked back once; the number of a choice, or an answer in words,
// goes on from it.
func TestClarifying(t *testing.T) {
	t.Parallel()
	u := &unsure{}
	p := play(t, nil, func(c *supervisor.Config) { c.Generator = u })
	ask := func(text, parent string) *sparkwright.Run {
		t.Helper()
		return p.end(t, p.submit(t, sparkwright.Request{Question: text, Parent: parent}))
	}
	first := ask("a clear start", "")
	back := ask("something", first.ID)
	if back.State != sparkwright.RunDeclined || back.Declined.Reason != sparkwright.DeclineAmbiguous || len(back.Declined.Choices) != 2 {
		t.Fatalf("asked back: %s, %+v", back.State, back.Declined)
	}

	chosen := ask("1", back.ID)
	if chosen.State != sparkwright.RunSucceeded || chosen.Question.Text != "the clear one" {
		t.Errorf("the first choice: %s, %q, %+v", chosen.State, chosen.Question.Text, chosen.Fault)
	}
	got := u.last()
	want := &sparkwright.Clarified{Question: "something", Asked: "Which one?", Choices: back.Declined.Choices}
	if diff := cmp.Diff(want, got.Clarifies); diff != "" {
		t.Error(diff)
	}
	if got.Previous == nil || got.Previous.Code != "a a clear start" || !cmp.Equal(got.Previous.Questions, []string{"a clear start"}) {
		t.Errorf("the conversation before: %+v", got.Previous)
	}

	again := ask("the clear one, I mean the muddy", back.ID)
	if again.State != sparkwright.RunSucceeded {
		t.Errorf("in words: %s", again.State)
	}
	never := ask("2", back.ID)
	wantDeclined := &sparkwright.Declined{
		Reason: sparkwright.DeclineNotUnderstood, Message: "Which one?", Could: []string{"the clear one", "the muddy one", "go home"},
	}
	if diff := cmp.Diff(wantDeclined, never.Declined); diff != "" {
		t.Errorf("asked back twice:\n%s", diff)
	}
	if _, err := p.Submit(t.Context(), sparkwright.Request{Question: "3", Parent: back.ID}); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("the third of two choices: %v", err)
	}
	if run := ask("2", first.ID); run.Question.Text != "2" {
		t.Errorf("a number after a run that asked nothing is %q", run.Question.Text)
	}
}
