package testkit

import (
	"os"
	"testing"
)

// Long skips a variant of what another test shows already; make soak sets
// SPARKWRIGHT_LONG=1 and runs them all.
func Long(t *testing.T) {
	t.Helper()
	if os.Getenv("SPARKWRIGHT_LONG") != "1" {
		t.Skip("SPARKWRIGHT_LONG=1 runs it, as make soak does")
	}
}
