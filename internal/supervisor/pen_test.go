package supervisor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// writer writes a piece, waits, and writes the rest.
type writer struct{ wait chan struct{} }

func (w *writer) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	req.OnText("result = ")
	select {
	case <-w.wait:
	case <-ctx.Done():
		return nil, &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the model's reply was cancelled", Err: ctx.Err()}
	}
	for range 100 {
		req.OnText(strings.Repeat("x", 100))
	}
	return &sparkwright.GenerateReply{Analysis: &sparkwright.Analysis{Code: "a", Understood: "u", Views: []string{"t"}}}, nil
}

// written is the text of a run's model events, and how many there are.
func written(t *testing.T, p *played, id string) (text string, pieces int) {
	t.Helper()
	events, err := p.Events(t.Context(), id, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == sparkwright.EventModel {
			text += e.Text
			pieces++
		}
	}
	return text, pieces
}

// What the model writes is there for readers while it still writes, whole in
// the end, and in few pieces.
func TestModelTextIsTold(t *testing.T) {
	t.Parallel()
	w := &writer{wait: make(chan struct{})}
	p := play(t, nil, func(c *supervisor.Config) { c.Generator = w })
	id := p.submit(t, sparkwright.Request{Question: "q"})
	eventually(t, "the first piece is told", func() bool {
		text, _ := written(t, p, id)
		return text == "result = "
	})
	close(w.wait)
	if run := p.end(t, id); run.State != sparkwright.RunSucceeded {
		t.Fatalf("%s, %+v", run.State, run.Fault)
	}
	text, pieces := written(t, p, id)
	if want := "result = " + strings.Repeat("x", 10_000); text != want || pieces < 3 || pieces > 20 {
		t.Errorf("%d bytes in %d pieces", len(text), pieces)
	}
}

func TestCancelWhileTheModelWrites(t *testing.T) {
	t.Parallel()
	p := play(t, nil, func(c *supervisor.Config) { c.Generator = &writer{wait: make(chan struct{})} })
	id := p.submit(t, sparkwright.Request{Question: "q"})
	eventually(t, "the first piece is told", func() bool {
		_, pieces := written(t, p, id)
		return pieces > 0
	})
	if _, err := p.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if run := p.end(t, id); run.State != sparkwright.RunCancelled || len(run.Attempts) != 0 {
		t.Errorf("%s with %d attempts, %+v", run.State, len(run.Attempts), run.Fault)
	}
}

// The tokens of all runs of a day are bounded; what is left of the day's work
// says so.
func TestDayTokens(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a", "b"}, func(c *supervisor.Config) { c.Limits.DayTokens = 150 })
	p.model.tokens, p.model.version = 100, ""
	for i, want := range []sparkwright.RunState{sparkwright.RunSucceeded, sparkwright.RunSucceeded, sparkwright.RunFailed} {
		run := p.end(t, p.submit(t, sparkwright.Request{Question: strings.Repeat("q", i+1)}))
		if run.State != want {
			t.Errorf("run %d: %s, %+v", i, run.State, run.Fault)
		}
		if run.Fault != nil && (run.Fault.Class != string(sparkwright.CodeLimited) || !strings.Contains(run.Fault.Because, "have used 200; limits.day_tokens is 150")) {
			t.Errorf("%+v", run.Fault)
		}
	}
	if p.model.calls() != 2 {
		t.Errorf("%d calls", p.model.calls())
	}
}

// mumbler answers with nothing of use, and counts.
type mumbler struct{}

func (mumbler) Generate(context.Context, sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	return &sparkwright.GenerateReply{Usage: sparkwright.Usage{Calls: 1, OutputTokens: 9}}, sparkwright.Errorf(sparkwright.CodeJobFailed, "no code")
}

func TestFailedAnswersAreCounted(t *testing.T) {
	t.Parallel()
	p := play(t, nil, func(c *supervisor.Config) { c.Generator = mumbler{} })
	run := p.end(t, p.submit(t, sparkwright.Request{Question: "q"}))
	if run.State != sparkwright.RunFailed || run.Usage.OutputTokens != 9 || run.Usage.Calls != 1 {
		t.Errorf("%s, %+v", run.State, run.Usage)
	}
}
