package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
)

// A server in a bad state is told of, or refused, by setting.
func TestGuardJudges(t *testing.T) {
	t.Parallel()
	limits := Guard{Lag: 10 * time.Second, Transaction: time.Hour, Active: 20}
	for _, tt := range []struct {
		name  string
		state state
		says  []string
	}{
		{"at the limits", state{Lag: 10, Oldest: 3600, Active: 20}, nil},
		{"a standby behind", state{Lag: 11}, []string{"11s behind its primary"}},
		{"a long transaction", state{Oldest: 7200}, []string{"open for 2h0m0s"}},
		{"load", state{Active: 21}, []string{"21 statements of others"}},
		{"all", state{Lag: 11, Oldest: 7200, Active: 21}, []string{"behind", "open for", "statements"}},
	} {
		notes, err := limits.judge(&tt.state)
		if err != nil || len(notes) != len(tt.says) {
			t.Errorf("%s: %q, %v", tt.name, notes, err)
		}
		refusing := limits
		refusing.Refuse = true
		_, err = refusing.judge(&tt.state)
		if (err != nil) != (len(tt.says) > 0) || err != nil && sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable {
			t.Errorf("%s, refusing: %v", tt.name, err)
		}
		for i, text := range tt.says {
			if !strings.Contains(notes[i], text) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q is not in %q, %v", tt.name, text, notes, err)
			}
		}
		if notes, err = (Guard{Refuse: true}).judge(&tt.state); err != nil || notes != nil {
			t.Errorf("%s without limits: %q, %v", tt.name, notes, err)
		}
	}
}
