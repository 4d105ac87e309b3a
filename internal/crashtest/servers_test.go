package crashtest_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
)

// two starts two servers on one PostgreSQL; the first one may have a failpoint.
func two(t *testing.T, name, point string) (b *bundle, first, second *child) {
	t.Helper()
	b = newBundle(t, postgresURL(t, name))
	second = b.start("")
	first = b.start(point)
	return b, first, second
}

// paused reports whether the process is stopped by a signal.
func paused(t *testing.T, c *child) bool {
	t.Helper()
	return crashtest.ProcessState(c.cmd.Process.Pid) == "T"
}

// TestTakeOver kills one of two servers: the other one goes on with its runs.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	b, first, second := two(t, "takeover", "")
	for i := range 4 {
		b.some(first, fmt.Sprintf("a%d", i))
	}
	b.until("the runs are acknowledged", first, func() bool { return len(b.acked) == len(b.asked) })
	b.kill(first)
	b.until("the other one ends them", second, func() bool { return len(b.open()) == 0 })
	b.check(nil)
}

// TestPausedServer pauses one of two servers before it submits, before it
// commits, and while it follows a job. The other one takes its runs over; when
// it wakes up it submits nothing and changes nothing of them, and goes on with
// new ones.
func TestPausedServer(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	for i, test := range []struct {
		point string
		runs  int
	}{
		{"submit:before", 1},
		{"submit:before", 3}, // another may be between its look at the lease and its submit
		{"commit:poll:before", 1},
		{"commit:final:before", 1},
	} {
		t.Run(fmt.Sprintf("%s of %d", test.point, test.runs), func(t *testing.T) {
			b, first, second := two(t, fmt.Sprintf("paused%d", i), test.point+":1:stop")
			b.kill(second) // so that the first one gets the runs
			b.kills--
			for n := range test.runs {
				question := fmt.Sprintf("a cloud %d", n)
				b.ask(first, question, sparkwright.Request{Question: question, Executor: "cloud"})
				b.torn[question] = 1 // it may have been paused with the answer in its hand
			}
			b.until("the server pauses", first, func() bool { return paused(t, first) })
			b.drain(first)
			second = b.start("")
			b.again(second)
			b.until("the other one ends its runs", second, func() bool { return len(b.acked) == len(b.asked) && len(b.open()) == 0 })
			before := b.submits(first)
			if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			b.ask(first, "new", sparkwright.Request{Question: "new", Executor: "cloud"})
			b.until("it goes on with a new run", first, func() bool { return b.acked["new"] != "" && len(b.open()) == 0 })
			b.kill(second) // one of them may still be busy with what it lost
			b.kill(first)
			late := 0
			for _, s := range b.submits(first)[len(before):] {
				if run := b.acked["new"]; s != run+"-1" {
					late++
				}
			}
			if late > test.runs-1 {
				t.Errorf("after the pause it submitted %d attempts of runs that it had lost", late)
			}
			b.check(nil) // whatever was late: no attempt has two jobs
		})
	}
}

// submits are the attempts that a server has submitted or started.
func (b *bundle) submits(c *child) (list []string) {
	b.t.Helper()
	entries, err := (&crashtest.World{Dir: b.setup.Dir}).Ledger()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Server == c.name && (e.What == crashtest.Submitted || e.What == crashtest.Started) {
			list = append(list, e.Subject)
		}
	}
	return list
}
