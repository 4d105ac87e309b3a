//go:build soak

package lab_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
)

// As TestKilledProcessStartsEachJobOnce, with ten times as many kills, or as
// SPARKWRIGHT_SOAK_KILLS says, and the jobs run on Spark 3.5.
func TestSoakKilledProcessWithSpark(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	kills := 200
	if text := os.Getenv("SPARKWRIGHT_SOAK_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	killRounds(t, l, kills, 20*time.Second, func(n int) sparkwright.Job { return plainJob(t, n) })
}
