package crashtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// run is a run that was acknowledged.
func (b *bundle) run(key string) *sparkwright.Run {
	b.t.Helper()
	run, err := b.store.Run(b.t.Context(), b.acked[key])
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// in waits until a run is in a state.
func (b *bundle) in(c *child, key string, state sparkwright.RunState) {
	b.t.Helper()
	b.until(key+" is "+string(state), c, func() bool { return b.acked[key] != "" && b.run(key).State == state })
	if got := b.run(key).State; got != state {
		b.t.Fatalf("%s is %s, want %s", key, got, state)
	}
}

// TestKilledWhileCancelling kills the server at each point of a cancel: the
// next one finishes it, and no job goes on.
func TestKilledWhileCancelling(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	both(t, "cancelling", func(t *testing.T, b *bundle) {
		b.setup.JobTime = time.Hour
		cancelled := map[string]bool{}
		for _, point := range supervisor.CancelFailpoints {
			c := b.start(point + ":1")
			b.ask(c, point, sparkwright.Request{Question: point, Executor: "cloud"})
			b.in(c, point, sparkwright.RunRunning)
			b.until("its job runs", c, func() bool { a := b.run(point).Attempts; return len(a) == 1 && a[0].Handle != nil })
			cancelled[b.acked[point]] = true
			b.cancel(c, b.acked[point])
			b.until("the server dies at "+point, c, func() bool { return false })
			b.died(c)
			next := b.start("")
			b.in(next, point, sparkwright.RunCancelled)
			if a := b.run(point).Attempts; len(a) != 1 || a[0].State != sparkwright.AttemptCancelled {
				t.Errorf("%s: attempts %+v", point, a)
			}
			b.kill(next)
		}
		b.check(cancelled)
	})
}

// TestKilledWhileDeciding kills the server at each point of an approval. One
// that was not stored is still waited for, one that was is acted on.
func TestKilledWhileDeciding(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	both(t, "deciding", func(t *testing.T, b *bundle) {
		for _, point := range supervisor.DecisionFailpoints {
			c := b.start(point + ":1")
			b.ask(c, point, sparkwright.Request{Question: point, Executor: "cloud", Review: true})
			b.in(c, point, sparkwright.RunAwaitingApproval)
			approve := func(c *child) {
				sum := sha256.Sum256([]byte(b.run(point).Analysis))
				b.send(c, decision(b.acked[point], hex.EncodeToString(sum[:])))
			}
			approve(c)
			b.until("the server dies at "+point, c, func() bool { return false })
			b.died(c)
			next := b.start("")
			if point == "decide:taken" {
				b.until("it can be approved again", next, func() bool {
					approve(next)
					return b.run(point).State != sparkwright.RunAwaitingApproval
				})
			}
			b.in(next, point, sparkwright.RunSucceeded)
			b.kill(next)
		}
		b.check(nil)
	})
}

// TestKilledWhileTakingOver kills the server that goes on with the runs of a
// dead one, at the moment when it takes them.
func TestKilledWhileTakingOver(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	both(t, "taking", func(t *testing.T, b *bundle) {
		first := b.start("submit:after:1")
		b.some(first, "a")
		b.until("the first server dies", first, func() bool { return false })
		b.died(first)
		second := b.start(supervisor.TakeOverFailpoint + ":1")
		b.again(second)
		b.until("the second server dies", second, func() bool { return false })
		b.died(second)
		b.settle()
		b.check(nil)
	})
}
