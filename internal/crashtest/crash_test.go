package crashtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// both runs a test on SQLite and on PostgreSQL.
func both(t *testing.T, name string, test func(t *testing.T, b *bundle)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, newBundle(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(t, newBundle(t, postgresURL(t, name))) })
}

// some asks for one run of every kind.
func (b *bundle) some(c *child, prefix string) {
	b.ask(c, prefix+"-cloud", sparkwright.Request{Question: prefix + " cloud", Executor: "cloud"})
	b.ask(c, prefix+"-faulty", sparkwright.Request{Question: prefix + " faulty", Executor: "cloud"})
	b.ask(c, prefix+"-local", sparkwright.Request{Question: prefix + " local"})
}

// settle starts a last server and waits until everything is over.
func (b *bundle) settle() {
	b.t.Helper()
	c := b.start("")
	b.again(c)
	b.measure(c)
	b.until("all is over", c, func() bool { return len(b.acked) == len(b.asked) && len(b.open()) == 0 })
	b.kill(c)
	b.kills-- // nothing was under way
}

// TestKilledAtEveryPoint kills the server once at every named point.
func TestKilledAtEveryPoint(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	both(t, "points", func(t *testing.T, b *bundle) {
		cancelled := map[string]bool{}
		for i, point := range supervisor.Failpoints {
			prefix := fmt.Sprintf("p%d", i)
			c := b.start(point + ":1")
			b.some(c, prefix)
			b.until("the server dies at "+point, c, func() bool { return false })
			b.died(c)
			next := b.start("")
			b.again(next)
			b.measure(next)
			b.kill(next)
		}
		b.settle()
		b.check(cancelled)
	})
}

// TestKilledAtRandom kills the server again and again at random moments.
// SPARKWRIGHT_SOAK_KILLS says how often.
func TestKilledAtRandom(t *testing.T) { //nolint:tparallel // they share the machine
	t.Parallel()
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("SPARKWRIGHT_SOAK_KILLS")); err == nil {
		kills = n
	}
	both(t, "random", func(t *testing.T, b *bundle) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		cancelled := map[string]bool{}
		for i := range kills {
			c := b.start("")
			b.again(c)
			b.measure(c)
			b.some(c, fmt.Sprintf("r%d", i))
			if key := fmt.Sprintf("r%d-cloud", random.IntN(i+1)); b.acked[key] != "" && random.IntN(3) == 0 {
				cancelled[b.acked[key]] = true
				b.cancel(c, b.acked[key])
			}
			moment := time.NewTimer(time.Duration(random.IntN(1200)) * time.Millisecond)
			<-moment.C
			b.kill(c)
		}
		b.settle()
		b.check(cancelled)
	})
}
