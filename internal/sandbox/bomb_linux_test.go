package sandbox_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// Programs that make others without end are stopped: by the kernel where it can
// hold root to a number, else by process 1, which ends everything inside.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	const bomb = "i=0; while [ $i -lt 3000 ]; do sleep 600 & i=$((i+1)); done 2>/dev/null; echo survived"
	for name, counted := range map[string]bool{"by the kernel": false, "by process 1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, r := start(t, sandbox.Spec{CountTasks: counted, Limits: sandbox.Limits{Tasks: 400}}, bomb)
			<-box.Done()
			text := make([]byte, 100)
			n, _ := r.Read(text)
			if strings.Contains(string(text[:n]), "survived") || box.ExitCode() == 0 {
				t.Errorf("3000 processes were made: exit code %d", box.ExitCode())
			}
			if counted && os.Geteuid() == 0 && box.ExitCode() != 137 {
				t.Errorf("process 1 has not ended it: exit code %d", box.ExitCode())
			}
		})
	}
	// A program with few is left alone.
	if got := run(t, sandbox.Spec{CountTasks: true, Limits: sandbox.Limits{Tasks: 400}}, "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1 & done; wait; echo well"); got != "well" {
		t.Errorf("%q", got)
	}
}
