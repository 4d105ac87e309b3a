// Command readers measures the memory of connections that follow the events of
// a run, against as many bare held connections: a handler that sends a header
// and waits. Both arms run in this process, in turn, with the same clients;
// medians of several rounds are printed.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

func main() {
	count := flag.Int("readers", 1000, "connections of each arm")
	rounds := flag.Int("rounds", 5, "measurements of each arm")
	flag.Parse()
	if err := measure(context.Background(), *count, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, count, rounds int) error {
	dir, err := os.MkdirTemp("", "readers-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a scratch directory
	st, err := store.Open(ctx, filepath.Join(dir, "runs.db"))
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // a scratch database
	run := &sparkwright.Run{ID: store.NewRunID(), State: sparkwright.RunRunning}
	if err = st.CreateRun(ctx, run, sparkwright.Request{}, store.Admission{}); err != nil {
		return err
	}
	for range 20 {
		if err = st.AppendEvent(ctx, &sparkwright.Event{RunID: run.ID, Type: sparkwright.EventStep, Step: "spark", Text: "started"}); err != nil {
			return err
		}
	}
	log := slog.New(slog.DiscardHandler)
	v1 := api.New(api.Config{
		Runs: supervisor.New(supervisor.Config{Store: st, Log: log}), Results: result.New(result.Config{CacheDir: dir}), Log: log,
		Limits: api.Limits{Readers: 2 * count, ReadersPerClient: 2 * count},
	})
	arms := []struct {
		name    string
		handler http.Handler
		last    string // of what each connection gets before it counts as held
		bytes   []float64
	}{
		{name: "bare held connections", handler: http.HandlerFunc(hold), last: "held"},
		{name: "readers of events", handler: telemetry.HTTP{Log: log, Metrics: telemetry.NewMetrics(nil)}.Wrap(v1), last: "id: 20"},
	}
	for range rounds + 1 { // the first round warms up
		for i := range arms {
			n, err := connections(ctx, arms[i].handler, "/api/v1/runs/"+run.ID+"/events", arms[i].last, count)
			if err != nil {
				return fmt.Errorf("%s: %w", arms[i].name, err)
			}
			arms[i].bytes = append(arms[i].bytes, n)
		}
	}
	for _, a := range arms {
		m := median(a.bytes[1:])
		_, _ = fmt.Fprintf(os.Stdout, "%-24s %5d: %6.1f MB, %5.1f kB each\n", a.name, count, m/(1<<20), m/1024/float64(count))
	}
	return nil
}

// hold is the bare arm.
func hold(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "held\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// connections opens so many, waits until each has got its text, and returns
// the bytes of heap and stacks that they take, clients included.
func connections(ctx context.Context, h http.Handler, path, last string, count int) (float64, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }()
	defer srv.Close() //nolint:errcheck // cuts the connections
	before := inUse()
	var dialer net.Dialer
	conns := make([]net.Conn, count)
	for i := range conns {
		if conns[i], err = dialer.DialContext(ctx, "tcp", listener.Addr().String()); err != nil {
			return 0, fmt.Errorf("connect: %w", err)
		}
		defer conns[i].Close() //nolint:errcheck // read only
		if _, err = fmt.Fprintf(conns[i], "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path); err != nil {
			return 0, fmt.Errorf("ask: %w", err)
		}
		if err = until(conns[i], last); err != nil {
			return 0, err
		}
	}
	return inUse() - before, nil
}

// until reads lines up to the one that begins so.
func until(c net.Conn, last string) error {
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if strings.HasPrefix(line, last) {
			return nil
		}
	}
}

func inUse() float64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
