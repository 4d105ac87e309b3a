package connect_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/testkit"
)

// archived looks whether a process below pid has the archive of Spark's classes
// in its memory: Java lets go of one that it cannot use.
func archived(t *testing.T, pid int) {
	t.Helper()
	want := testkit.Runtime(t).Archived()
	if len(want) != 1 {
		t.Fatalf("archives %v", want)
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range all {
		id, _ := strconv.Atoi(filepath.Base(dir))
		for up := id; up > 1; up = parent(up) {
			if up != pid {
				continue
			}
			if maps, err := os.ReadFile(filepath.Join(dir, "maps")); err == nil && strings.Contains(string(maps), filepath.Base(want[0])) {
				return
			}
		}
	}
	t.Error("the server does not use " + want[0])
}

// parent is the process that has started another one; 0 when it has ended.
func parent(pid int) int {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
