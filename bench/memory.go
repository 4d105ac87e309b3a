package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// peakMemory is the most that the tree of processes had until ctx ends.
func peakMemory(ctx context.Context, pid int) int64 {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var most int64
	for {
		most = max(most, treeMemory(pid))
		select {
		case <-ctx.Done():
			return most
		case <-tick.C:
		}
	}
}

// treeMemory is the proportional memory (PSS) of a process and all its
// descendants, in bytes; what they share counts once. 0 where /proc is not.
func treeMemory(pid int) int64 {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], id)
		}
	}
	var sum func(int) int64
	sum = func(id int) int64 {
		total := pss(id)
		for _, c := range children[id] {
			total += sum(c)
		}
		return total
	}
	return sum(pid)
}

func pss(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
