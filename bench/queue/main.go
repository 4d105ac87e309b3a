// Command queue measures what a durable run costs: accepting one against one
// bare insert that is synced to the disk, and carrying runs out through an
// executor that does nothing against the queue's own jobs that do nothing. Both
// arms of a pair take turns in one process on one disk.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

const (
	accepts = 200 // of each arm
	runs    = 300 // of each arm
)

func main() {
	pgembed.KeeperMain()
	if err := both(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func both(ctx context.Context) error {
	if err := measure(ctx, os.Stdout, "sqlite", ""); err != nil {
		return err
	}
	home, err := settings.Home()
	if err != nil {
		return err
	}
	s, err := settings.Load(home)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-queue-pg")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // scratch
	srv, err := pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(home, "runtime", "postgres"), RepositoryURL: s.Runtime.MavenURL,
	})
	if err != nil {
		return err
	}
	defer srv.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // scratch
	c := srv.Connection()
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		return err
	}
	u := url.URL{
		Scheme: "postgresql", User: url.UserPassword(c.User, strings.TrimSpace(string(password))),
		Host: fmt.Sprintf("%s:%d", c.Host, c.Port), Path: "/" + c.Database, RawQuery: "sslmode=disable",
	}
	return measure(ctx, os.Stdout, "postgresql", u.String())
}

func measure(ctx context.Context, out io.Writer, name, where string) error {
	dir, err := os.MkdirTemp("", "bench-queue")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // scratch
	if where == "" {
		where = filepath.Join(dir, "runs.db")
	}
	st, err := store.Open(ctx, where)
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // scratch
	svc := supervisor.New(config(st, dir))
	bare, accepted, err := acceptArms(ctx, st, svc)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s: accept a run %.2f ms, a bare synced insert %.2f ms (medians of %d)\n", name, ms(accepted), ms(bare), accepts)
	// What has been accepted above is carried out with the others.
	began := time.Now()
	if err = svc.Start(ctx); err != nil {
		return err
	}
	ids := make([]string, 0, runs)
	for i := range runs {
		run, refused := svc.Submit(ctx, sparkwright.Request{Question: fmt.Sprint("run ", i)})
		if refused != nil {
			return refused
		}
		ids = append(ids, run.ID)
	}
	for _, id := range ids {
		if err = end(ctx, svc, id); err != nil {
			return err
		}
	}
	ours := float64(runs+accepts) / time.Since(began).Seconds()
	if err = svc.Close(ctx); err != nil {
		return err
	}
	theirs, err := bareQueue(ctx, st)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s: %.0f runs/s through all steps, %.0f bare jobs/s of the queue\n", name, ours, theirs)
	return nil
}

func config(st *store.Store, dir string) supervisor.Config {
	c := crashtest.Config(st, &crashtest.World{Dir: dir, Server: "bench"})
	c.Limits = supervisor.Limits{}
	return c
}

// acceptArms takes turns between a bare insert and the acceptance of a run.
func acceptArms(ctx context.Context, st *store.Store, svc *supervisor.Service) (bare, accepted time.Duration, err error) {
	if _, err = st.DB().ExecContext(ctx, `CREATE TABLE bench (id TEXT PRIMARY KEY, body TEXT)`); err != nil {
		return 0, 0, err
	}
	insert := `INSERT INTO bench VALUES ($1, $2)`
	var a, b []time.Duration
	for i := range accepts {
		began := time.Now()
		if _, err = st.DB().ExecContext(ctx, insert, fmt.Sprint("b", i), "how many orders are there"); err != nil {
			return 0, 0, err
		}
		a = append(a, time.Since(began))
		began = time.Now()
		if _, err = svc.Submit(ctx, sparkwright.Request{Question: fmt.Sprint("accept ", i)}); err != nil {
			return 0, 0, err
		}
		b = append(b, time.Since(began))
	}
	return median(a), median(b), nil
}

func end(ctx context.Context, svc *supervisor.Service, id string) error {
	for after := int64(0); ; {
		run, err := svc.Run(ctx, id)
		if err != nil {
			return err
		}
		if run.State.Final() {
			if run.State != sparkwright.RunSucceeded {
				return fmt.Errorf("run %s is %s", id, run.State)
			}
			return nil
		}
		if err = svc.Changed(ctx, id, after); err != nil {
			return err
		}
		after++
	}
}

type nothing struct{}

func (nothing) Kind() string { return "nothing" }

type nothingWorker struct {
	river.WorkerDefaults[nothing]

	done *sync.WaitGroup
}

func (w *nothingWorker) Work(context.Context, *river.Job[nothing]) error {
	w.done.Done()
	return nil
}

// bareQueue is the queue alone: jobs a second, inserted and worked.
func bareQueue(ctx context.Context, st *store.Store) (float64, error) {
	var driver riverdriver.Driver[*sql.Tx] = riversqlite.New(st.DB())
	if st.Shared() {
		driver = riverdatabasesql.New(st.DB())
	}
	var done sync.WaitGroup
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &nothingWorker{done: &done}); err != nil {
		return 0, err
	}
	c, err := river.NewClient(driver, &river.Config{
		Workers: workers, PollOnly: true, FetchPollInterval: 20 * time.Millisecond, FetchCooldown: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), Queues: map[string]river.QueueConfig{"nothing": {MaxWorkers: 32}},
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err = c.Start(ctx); err != nil {
		return 0, err
	}
	for range runs {
		done.Add(1)
		if _, err = c.Insert(ctx, nothing{}, &river.InsertOpts{Queue: "nothing"}); err != nil {
			return 0, err
		}
	}
	done.Wait()
	rate := float64(runs) / time.Since(began).Seconds()
	return rate, c.StopAndCancel(ctx)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
