// Command sandbox measures what the walls cost: the start of a client process
// and of a Spark server inside and outside, and reading a table from inside
// through the broker against reading it directly. The arms of a pair take
// turns in every round; medians are printed.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

func main() {
	pgembed.KeeperMain()
	sandbox.HelperMain()
	rounds := flag.Int("rounds", 5, "measurements of each arm")
	rows := flag.Int("rows", 1_000_000, "rows of the table")
	server := flag.Bool("server", true, "measure the Spark server too")
	reader := flag.String("reader", "", "read the table of this login, and end (used by itself)")
	flag.Parse()
	err := error(nil)
	if *reader != "" {
		err = readAll(context.Background(), *reader)
	} else {
		err = measure(context.Background(), *rounds, *rows, *server)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// arm is one way to do the same work; it returns the seconds.
type arm struct {
	run   func(ctx context.Context) (float64, error)
	times []float64
}

func (a *arm) median() float64 {
	slices.Sort(a.times)
	return a.times[len(a.times)/2]
}

// pair is what is done inside and outside.
type pair struct {
	name            string
	inside, outside *arm
	ratio           bool // what counts is the ratio, else the difference
}

func measure(ctx context.Context, rounds, rows int, server bool) error {
	dir, err := os.MkdirTemp("", "swb-") // sockets below it have short names
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	rt, err := runtimeOfTests(ctx)
	if err != nil {
		return err
	}
	reads, stop, err := readPair(ctx, dir, rows)
	if err != nil {
		return err
	}
	defer stop()
	cfg := connect.Config{Runtime: rt, Master: "local[2]", DriverMemory: "1g", ClientMemory: 2 << 30, ResultsDir: filepath.Join(dir, "results")}
	if err = os.Mkdir(cfg.ResultsDir, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	pairs := []*pair{
		{name: "client process, until it is ready", inside: &arm{run: client(cfg, true)}, outside: &arm{run: client(cfg, false)}},
		reads,
	}
	if server {
		pairs = append(pairs, &pair{name: "Spark server, until it answers", inside: &arm{run: sparkServer(cfg, false)}, outside: &arm{run: sparkServer(cfg, true)}})
	}
	for _, p := range pairs {
		for round := range rounds + 1 { // the first warms up
			for _, a := range []*arm{p.inside, p.outside} {
				seconds, err := a.run(ctx)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				if round > 0 {
					a.times = append(a.times, seconds)
				}
			}
		}
		in, out := p.inside.median(), p.outside.median()
		last := fmt.Sprintf("%+.0f ms", (in-out)*1000)
		if p.ratio {
			last = fmt.Sprintf("%.2f times", in/out)
		}
		_, _ = fmt.Fprintf(os.Stdout, "%-36s inside %6.3f s (%.3f to %.3f) · outside %6.3f s (%.3f to %.3f) · %s\n", p.name,
			in, p.inside.times[0], p.inside.times[rounds-1], out, p.outside.times[0], p.outside.times[rounds-1], last)
	}
	return nil
}

func runtimeOfTests(ctx context.Context) (*localruntime.Runtime, error) {
	home := os.Getenv("SPARKWRIGHT_TEST_HOME")
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
		home = filepath.Join(cache, "sparkwright-test")
	}
	return localruntime.Install(ctx, localruntime.Options{Home: home, Progress: func(string) {}})
}

// client starts the process that carries out runs, as runs have it, until it
// says that it is ready.
func client(cfg connect.Config, inside bool) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) {
		spec := connect.ClientBox(cfg)
		repliesR, repliesW, err1 := os.Pipe()
		requestsR, requestsW, err2 := os.Pipe()
		if err := errors.Join(err1, err2); err != nil {
			return 0, fmt.Errorf("make a pipe: %w", err)
		}
		defer repliesR.Close()  //nolint:errcheck // read only
		defer requestsW.Close() //nolint:errcheck // nothing is asked
		began := time.Now()
		end, err := startClient(spec, inside, repliesW, requestsR)
		_, _ = repliesW.Close(), requestsR.Close()
		if err != nil {
			return 0, err
		}
		defer end()
		if _, err := bufio.NewReader(repliesR).ReadString('\n'); err != nil {
			return 0, fmt.Errorf("the client has not said that it is ready: %w", err)
		}
		return time.Since(began).Seconds(), nil
	}
}

func startClient(spec sandbox.Spec, inside bool, files ...*os.File) (end func(), err error) {
	if inside {
		box, problem := sandbox.Start(spec, sandbox.Stdio{Stderr: os.Stderr, Extra: files}, syscall.SIGKILL)
		if problem != nil {
			return nil, problem
		}
		return box.Close, nil
	}
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx,gosec // ended below; the client's own
	cmd.Env, cmd.ExtraFiles, cmd.Stderr = spec.Env, files, os.Stderr
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, fmt.Errorf("start a client: %w", err)
	}
	return child.Kill, nil
}

// sparkServer starts the managed server until it answers.
func sparkServer(cfg connect.Config, unconfined bool) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		cfg.Unconfined, cfg.NoRefill = unconfined, true
		e := connect.New(cfg)
		defer e.Close(ctx)
		began := time.Now()
		err := e.Warm(ctx)
		return time.Since(began).Seconds(), err
	}
}

// seconds is the number that a reader has printed.
func seconds(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("a reader says %q", text)
	}
	return n, nil
}
