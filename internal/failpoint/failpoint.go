// Package failpoint ends or pauses the process at a named point, for crash
// tests. Without SPARKWRIGHT_FAILPOINT in the environment there is nothing of
// it.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Variable is the environment variable: NAME:COUNT kills the process by
// SIGKILL the COUNTth time that the point is passed, NAME:COUNT:stop pauses it
// by SIGSTOP, NAME:COUNT:panic is a defect at that point.
const Variable = "SPARKWRIGHT_FAILPOINT"

// stopTime is how long a signal may take to reach every thread.
const stopTime = 200 * time.Millisecond

// FromEnv returns what to call at every named point; nil when the environment
// names none.
func FromEnv() func(name string) {
	value := os.Getenv(Variable)
	if value == "" {
		return nil
	}
	signal := syscall.SIGKILL
	if rest, ok := strings.CutSuffix(value, ":stop"); ok {
		value, signal = rest, syscall.SIGSTOP
	}
	rest, broken := strings.CutSuffix(value, ":panic")
	point := rest
	count := 1
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		if n, err := strconv.Atoi(rest[i+1:]); err == nil {
			point, count = rest[:i], n
		}
	}
	var mu sync.Mutex
	return func(name string) {
		if name != point {
			return
		}
		mu.Lock()
		count--
		hit := count == 0
		mu.Unlock()
		if hit && broken {
			panic("a defect at " + name)
		}
		if hit {
			_ = syscall.Kill(os.Getpid(), signal)
			if signal == syscall.SIGKILL {
				select {} // the signal ends the process
			}
			<-time.After(stopTime) // nothing behind the point happens before all threads have stopped
		}
	}
}
