// Command bench measures warm questions against a cold spark-submit of the
// same script, and eight questions at once. Both arms run in one process, on
// the demo data, and medians are printed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// question is asked of some tables of the demo.
type question struct {
	name, text string
	tables     []string // schema.table
}

// The first is also asked eight times at once.
var questions = []question{
	{"join", "What is the total amount of payments for each segment?", []string{"sales.payments", "sales.orders", "crm.customers"}},
	{"count", "How many orders are there?", []string{"sales.orders"}},
}

func main() {
	runs := flag.Int("runs", 5, "measurements of each arm")
	binary := flag.String("binary", "bin/sparkwright", "the program to measure")
	flag.Parse()
	if err := measure(context.Background(), *binary, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, binary string, runs int) error {
	stop, url, pid, err := serve(ctx, binary)
	if err != nil {
		return err
	}
	defer stop()
	for range 3 { // the first answers of a server are slow
		for i := range questions {
			if _, err := questions[i].ask(ctx, url); err != nil {
				return err
			}
		}
	}
	for i := range questions {
		if err := questions[i].measure(ctx, url, binary, runs); err != nil {
			return err
		}
	}
	return eight(ctx, url, pid)
}

// measure asks a warm server and a cold spark-submit in turn.
func (q *question) measure(ctx context.Context, url, binary string, runs int) error {
	var warm, cold []float64
	for range runs {
		s, err := q.ask(ctx, url)
		if err != nil {
			return err
		}
		warm = append(warm, s)
		began := time.Now()
		out, err := exec.CommandContext(ctx, binary, "ask", q.text, "--connection", "shop", "--batch", "--json").Output() //nolint:gosec // G204: a program of ours, a question of ours
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		c, err := sparkSeconds(out)
		if err != nil {
			return err
		}
		cold = append(cold, c)
		fmt.Fprintf(os.Stderr, "%s: warm %.2f s · cold %.2f s (whole command %.2f s)\n", q.name, s, c, time.Since(began).Seconds())
	}
	w, c := median(warm), median(cold)
	_, _ = fmt.Fprintf(os.Stdout, "%-5s  warm over HTTP, the whole request  %6.2f s\n", q.name, w)
	_, _ = fmt.Fprintf(os.Stdout, "%-5s  cold spark-submit, its step alone  %6.2f s\n", q.name, c)
	_, _ = fmt.Fprintf(os.Stdout, "%-5s  ratio                              %6.1f\n", q.name, c/w)
	return nil
}

// eight asks eight questions at once, and samples the memory of the server's
// process and all its descendants meanwhile.
func eight(ctx context.Context, url string, pid int) error {
	before := treeMemory(pid)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	peak := make(chan int64, 1)
	go func() { peak <- peakMemory(ctx, pid) }()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	began := time.Now()
	for i := range errs {
		wg.Go(func() { _, errs[i] = questions[0].ask(ctx, url) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	took := time.Since(began).Seconds()
	stop()
	_, _ = fmt.Fprintf(os.Stdout, "eight at once, all answered               %6.2f s\n", took)
	_, _ = fmt.Fprintf(os.Stdout, "memory (PSS) at rest and at most          %6d MB %d MB\n", before>>20, (<-peak)>>20)
	return nil
}

// serve starts the server with the demo data and returns its URL.
func serve(ctx context.Context, binary string) (stop func(), url string, pid int, err error) {
	cmd := exec.CommandContext(ctx, binary, "serve", "--demo", "--port", "0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, "", 0, fmt.Errorf("serve: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, "", 0, fmt.Errorf("serve: %w", err)
	}
	stop = func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := pipe.Read(buf)
		seen.Write(buf[:n])
		if _, rest, ok := strings.Cut(seen.String(), "http://"); ok && strings.Contains(rest, " ") {
			address, _, _ := strings.Cut(rest, " ")
			go func() { _, _ = seen.ReadFrom(pipe) }()
			return stop, "http://" + address, cmd.Process.Pid, nil
		}
		if err != nil {
			stop()
			return nil, "", 0, fmt.Errorf("serve: %s", seen.String())
		}
	}
}

// ask asks over HTTP, by the reference contract, and returns the seconds it took.
func (q *question) ask(ctx context.Context, url string) (float64, error) {
	var tables []map[string]string
	for _, t := range q.tables {
		schema, name, _ := strings.Cut(t, ".")
		tables = append(tables, map[string]string{"connection_name": "shop", "database": "shop", "schema": schema, "table": name})
	}
	body, err := json.Marshal(map[string]any{
		"prompt": q.text, "session_id": "bench-" + strconv.Itoa(os.Getpid()), "selected_postgres_tables": tables,
	})
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	began := time.Now()
	reply, err := post(ctx, url+"/spark/generate", body)
	if err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	var r struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
		Result  struct {
			Outcome string `json:"execution_result"`
			Message string `json:"execution_message"`
		} `json:"result"`
	}
	if err := json.Unmarshal(reply, &r); err != nil {
		return 0, fmt.Errorf("decode: %w", err)
	}
	if r.Result.Outcome != "success" {
		return 0, fmt.Errorf("not answered: %s%s", r.Error, r.Result.Message)
	}
	return took, nil
}

// sparkSeconds is the time of the step that ran Spark.
func sparkSeconds(out []byte) (float64, error) {
	var run struct {
		Timings []struct {
			Step    string  `json:"step"`
			Seconds float64 `json:"seconds"`
		} `json:"timings"`
	}
	if err := json.Unmarshal(out, &run); err != nil {
		return 0, fmt.Errorf("decode: %w", err)
	}
	for _, t := range run.Timings {
		if t.Step == "spark" {
			return t.Seconds, nil
		}
	}
	return 0, fmt.Errorf("no step named spark in %s", out)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
