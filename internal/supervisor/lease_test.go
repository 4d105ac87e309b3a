package supervisor

import (
	"testing"
	"time"
)

// After a pause the heartbeat may be stored before a run goes on: what counts
// is the run's own last write.
func TestCertain(t *testing.T) {
	t.Parallel()
	now := time.Now()
	beat := &heartbeat{silence: 8 * time.Second}
	j := &job{s: &Service{beat: beat}}
	if j.certain() {
		t.Error("nothing has been written")
	}
	beat.at(now)
	j.confirmed(now)
	if !j.certain() {
		t.Error("written just now")
	}
	j.held = now.Add(-5 * time.Second) // paused since, and the beat was first
	if j.certain() {
		t.Error("the last write is long ago")
	}
	beat.at(now.Add(-5 * time.Second))
	j.confirmed(now) // while others no longer believed that this server lives
	beat.at(now)
	if j.certain() {
		t.Error("written while the server was silent")
	}
}
