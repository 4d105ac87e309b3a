package crashtest_test

import (
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
)

// check compares the world's ledger with the database, when everything is
// over. cancelled are the runs that somebody wanted to end.
func (b *bundle) check(cancelled map[string]bool) {
	t := b.t
	t.Helper()
	entries, err := (&crashtest.World{Dir: b.setup.Dir}).Ledger()
	if err != nil {
		t.Fatal(err)
	}
	accepted, calls, starts, submits := map[string]int{}, map[string]map[string]int{}, map[string][]string{}, 0
	for _, e := range entries {
		switch e.What {
		case crashtest.Accepted:
			accepted[e.Subject]++
		case crashtest.Submitted:
			submits++
		case crashtest.ModelCalled:
			if calls[e.Subject] == nil {
				calls[e.Subject] = map[string]int{}
			}
			calls[e.Subject][e.Server]++
		case crashtest.Started:
			starts[e.Subject] = append(starts[e.Subject], e.Server)
		}
	}
	if len(b.acked) != len(b.asked) {
		t.Errorf("%d asked, %d acknowledged", len(b.asked), len(b.acked))
	}
	runs := map[string]bool{}
	claimed := map[string]bool{}
	for key, id := range b.acked {
		if runs[id] {
			t.Errorf("two keys have the run %s", id)
		}
		runs[id] = true
		b.checkRun(key, id, cancelled[id], claimed, accepted)
	}
	page, err := b.store.List(t.Context(), sparkwright.RunFilter{Limit: 1000})
	if err != nil || len(page.Runs) != len(runs) {
		t.Errorf("%d runs are stored, %d were acknowledged, error %v", len(page.Runs), len(runs), err)
	}
	for attempt, n := range accepted {
		if n != 1 {
			t.Errorf("%s was accepted %d times", attempt, n)
		}
		if !claimed[attempt] {
			t.Errorf("orphan: nobody has the job %s", attempt)
		}
	}
	for attempt, by := range starts {
		if len(by) != 1 {
			t.Errorf("%s was started by %v", attempt, by)
		}
		if !claimed[attempt] {
			t.Errorf("orphan: nobody has the job %s", attempt)
		}
	}
	extra := map[string]int{}
	repeated := 0
	for subject, servers := range calls {
		for server, n := range servers {
			if n != 1 {
				t.Errorf("%s asked the model %d times for %s", server, n, subject)
			}
		}
		question, _, _ := strings.Cut(subject, "/")
		extra[question] += len(servers) - 1
		repeated += len(servers) - 1
	}
	for question, n := range extra {
		if n > b.torn[question] {
			t.Errorf("the model was asked %d times more for %q; %d deaths excuse that", n, question, b.torn[question])
		}
	}
	t.Logf("%d runs, %d kills, %d jobs outside (%d submits), %d jobs inside, %d model calls repeated, resumed within %s",
		len(runs), b.kills, len(accepted), submits, len(starts), repeated, b.resume)
}

// checkRun checks one run that was acknowledged.
func (b *bundle) checkRun(key, id string, cancelled bool, claimed map[string]bool, accepted map[string]int) {
	t := b.t
	t.Helper()
	run, err := b.store.Run(t.Context(), id)
	if err != nil {
		t.Errorf("lost: %s, %v", key, err)
		return
	}
	switch {
	case cancelled && run.State == sparkwright.RunCancelled:
	case run.State != sparkwright.RunSucceeded || run.Result == nil || string(run.Result.Preview[0][0]) != `"`+id+`"`:
		t.Errorf("%s is %s, fault %+v", id, run.State, run.Fault)
	}
	succeeded, outside := 0, 0
	for i := range run.Attempts {
		a := &run.Attempts[i]
		claimed[a.ID] = true
		if !a.State.Final() {
			t.Errorf("%s is %s, its attempt %s", id, run.State, a.State)
		}
		if a.State == sparkwright.AttemptSucceeded {
			succeeded++
		}
		outside += accepted[a.ID]
	}
	if outside > 1 || succeeded > 1 || run.State == sparkwright.RunSucceeded && succeeded != 1 {
		t.Errorf("%s has %d attempts, %d outside, %d succeeded", id, len(run.Attempts), outside, succeeded)
	}
	if run.Placement.Executor == "cloud" && len(run.Attempts) > 1 {
		t.Errorf("%s was submitted as %d attempts", id, len(run.Attempts))
	}
	events, err := b.store.Events(t.Context(), id, 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	finals := 0
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d of %s has number %d", i+1, id, e.Seq)
			break
		}
		if e.Type == sparkwright.EventState && e.State.Final() {
			finals++
		}
	}
	if finals != 1 || events[len(events)-1].State != run.State {
		t.Errorf("%s ends %d times", id, finals)
	}
	want := 1
	if strings.Contains(run.Question.Text, "faulty") {
		want = 2
	}
	revisions, err := b.store.Revisions(t.Context(), id)
	if err != nil || run.State == sparkwright.RunSucceeded && (len(revisions) != want || run.Repairs != want-1) {
		t.Errorf("%s has %d revisions and %d repairs, error %v", id, len(revisions), run.Repairs, err)
	}
}
