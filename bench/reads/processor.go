package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticks a second, of the times in /proc.
const ticks = 100

// spent is processor time, in seconds, by who has spent it: PostgreSQL, all of
// them on this machine; Spark, of this program; and this process.
type spent struct{ postgres, spark, here float64 }

func (s spent) since(before spent) spent {
	return spent{s.postgres - before.postgres, s.spark - before.spark, s.here - before.here}
}

func (s spent) String() string {
	return fmt.Sprintf("PostgreSQL %.2f, Spark %.2f, this process with its broker %.2f", s.postgres, s.spark, s.here)
}

// spentNow adds up what all have spent so far. A process that has ended is
// among its parent's children.
func spentNow() (s spent) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents, java := map[string]string{}, map[string]float64{}
	for _, path := range all {
		text, err := os.ReadFile(path) //nolint:gosec // G304: /proc
		if err != nil {
			continue
		}
		head, rest, _ := strings.Cut(string(text), ") ")
		id, name, _ := strings.Cut(head, " (")
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			continue
		}
		var own, ended float64
		for i, f := range fields[11:15] { // utime, stime, and those of children that have ended
			n, _ := strconv.ParseFloat(f, 64)
			if i < 2 {
				own += n / ticks
			} else {
				ended += n / ticks
			}
		}
		switch {
		case id == strconv.Itoa(os.Getpid()):
			s.here += own
		case name == "postgres":
			s.postgres += own + ended
		case name == "java":
			java[id] = own
		}
		parents[id] = fields[1]
	}
	for id, own := range java {
		above := parents[id]
		for above != "" && above != strconv.Itoa(os.Getpid()) {
			above = parents[above]
		}
		if above != "" {
			s.spark += own
		}
	}
	return s
}
