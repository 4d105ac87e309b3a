package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright/internal/broker"
)

// measureMemory prints what the process of Spark's driver holds at most while
// all rows of the table travel through it once, and ten times over.
func measureMemory(ctx context.Context, out io.Writer, rows int) error {
	return onBed(ctx, rows, func(dir string, b *bed, session *broker.Session) error {
		return memoryOf(ctx, out, rows, dir, b, session)
	})
}

func memoryOf(ctx context.Context, out io.Writer, rows int, dir string, b *bed, session *broker.Session) error {
	s, err := newSpark(ctx, b, dir)
	if err != nil {
		return err
	}
	defer s.e.Close(context.WithoutCancel(ctx))
	w := way{session.JDBCURL(), session.Login()}
	for _, arm := range []struct {
		view  string
		times int
	}{{"orders", 1}, {"orders", 1}, {"orders_often", 10}} { // the first warms up
		began := time.Now()
		watch, end := context.WithCancel(ctx)
		peak := make(chan int64)
		go func() { peak <- peakOfDriver(watch) }()
		err := s.run(ctx, w, s.whole, fmt.Sprintf(scanAll, arm.view))
		end()
		most := <-peak
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%9d rows in one read: %6.0f MB at most, %.1f s\n", rows*arm.times, float64(most)/(1<<20), time.Since(began).Seconds())
	}
	return nil
}

// peakOfDriver is the largest resident memory of this process's Spark server
// until ctx ends.
func peakOfDriver(ctx context.Context) (most int64) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		most = max(most, driverMemory(os.Getpid()))
		select {
		case <-ctx.Done():
			return most
		case <-tick.C:
		}
	}
}

// driverMemory is the resident memory of the Spark server below a process.
func driverMemory(root int) (bytes int64) {
	parents := map[int]int{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range entries {
		stat, err := os.ReadFile(filepath.Join(dir, "stat")) //nolint:gosec // G304: /proc
		if err != nil {
			continue
		}
		id, _ := strconv.Atoi(filepath.Base(dir))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parents[id], _ = strconv.Atoi(fields[1])
	}
	for id := range parents {
		above := parents[id]
		for above > 1 && above != root {
			above = parents[above]
		}
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
		if above != root || !strings.Contains(string(command), "SparkConnectServer") {
			continue
		}
		statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", id))
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			bytes = max(bytes, pages*int64(os.Getpagesize()))
		}
	}
	return bytes
}
