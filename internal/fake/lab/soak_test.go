//go:build soak

package lab_test

import (
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
)

// As TestKilledProcessStartsEachJobOnce, ten times as many kills, and the jobs
// run on Spark 3.5.
func TestSoakKilledProcessWithSpark(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	killRounds(t, l, 200, 20*time.Second, func(n int) sparkwright.Job { return plainJob(t, n) })
}
