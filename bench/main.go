// Command bench measures a warm question against a cold spark-submit of the
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

// question is one join with an aggregate.
const question = "What is the total amount of payments for each segment?"

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
		if _, err := ask(ctx, url); err != nil {
			return err
		}
	}
	var warm, cold []float64
	for range runs {
		s, err := ask(ctx, url)
		if err != nil {
			return err
		}
		warm = append(warm, s)
		began := time.Now()
		out, err := exec.CommandContext(ctx, binary, "ask", question, "--connection", "shop", "--batch", "--json").Output()
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		c, err := sparkSeconds(out)
		if err != nil {
			return err
		}
		cold = append(cold, c)
		fmt.Fprintf(os.Stderr, "warm %.2f s · cold %.2f s (whole command %.2f s)\n", s, c, time.Since(began).Seconds())
	}
	w, c := median(warm), median(cold)
	_, _ = fmt.Fprintf(os.Stdout, "warm question over HTTP, whole     %6.2f s\n", w)
	_, _ = fmt.Fprintf(os.Stdout, "cold spark-submit, its step alone  %6.2f s\n", c)
	_, _ = fmt.Fprintf(os.Stdout, "ratio                              %6.1f\n", c/w)
	return eight(ctx, url, pid)
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
		wg.Go(func() { _, errs[i] = ask(ctx, url) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	took := time.Since(began).Seconds()
	stop()
	_, _ = fmt.Fprintf(os.Stdout, "eight at once, all answered        %6.2f s\n", took)
	_, _ = fmt.Fprintf(os.Stdout, "memory (PSS) at rest and at most   %6d MB %d MB\n", before>>20, (<-peak)>>20)
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

// ask asks over HTTP, by the reference contract, and returns
// the seconds it took.
func ask(ctx context.Context, url string) (float64, error) {
	table := func(schema, name string) map[string]string {
		return map[string]string{"connection_name": "shop", "database": "shop", "schema": schema, "table": name}
	}
	body, err := json.Marshal(map[string]any{
		"prompt": question, "session_id": "bench-" + strconv.Itoa(os.Getpid()),
		"selected_postgres_tables": []any{table("sales", "payments"), table("sales", "orders"), table("crm", "customers")},
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
