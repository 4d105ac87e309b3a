package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// The test program is also the writer that the tests start and kill.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TEST_WRITER"); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	pgembed.KeeperMain()
	code := m.Run()
	if server.srv != nil {
		_ = server.srv.Stop(context.Background())
		_ = os.RemoveAll(server.dir)
	}
	os.Exit(code)
}

// server is one PostgreSQL for all tests.
var server struct {
	once sync.Once
	dir  string
	srv  *pgembed.Server
	err  error
	n    atomic.Int64
}

// postgresURL names a new, empty database.
func postgresURL(t *testing.T) string {
	t.Helper()
	server.once.Do(func() {
		if server.dir, server.err = os.MkdirTemp("", "store"); server.err != nil { //nolint:usetesting // it outlives the test
			return
		}
		server.srv, server.err = pgembed.Start(context.Background(), pgembed.Options{
			Dir: filepath.Join(server.dir, "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
			RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
		})
	})
	if server.err != nil {
		t.Fatal(server.err)
	}
	return testkit.NewDatabase(t, server.srv.Connection(), fmt.Sprintf("t%d", server.n.Add(1)))
}

// writeForever creates runs with an event each, adds to the run r_shared when
// there is one, and prints the id of each run that is acknowledged.
func writeForever(path string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	_, sharedErr := s.Run(ctx, "r_shared")
	for {
		r := &sparkwright.Run{ID: store.NewRunID(), State: sparkwright.RunQueued}
		if err = s.CreateRun(ctx, r, sparkwright.Request{}, store.Admission{}); err != nil {
			return err
		}
		if err = s.AppendEvent(ctx, &sparkwright.Event{RunID: r.ID, Type: sparkwright.EventLog, Text: "first"}); err != nil {
			return err
		}
		if sharedErr == nil {
			if err = s.AppendEvent(ctx, &sparkwright.Event{RunID: "r_shared", Type: sparkwright.EventLog, Text: r.ID}); err != nil {
				return err
			}
		}
		if _, err = fmt.Println(r.ID); err != nil { //nolint:forbidigo // this is a program of its own
			return err
		}
	}
}

// writeAndKill starts a writer, kills it after the given number of
// acknowledged runs, and returns all of them.
func writeAndKill(t *testing.T, path string, count int) (ids []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "STORE_TEST_WRITER="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err = cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if ids = append(ids, lines.Text()); len(ids) == count {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(ids) < count {
		t.Errorf("the writer ended after %d runs", len(ids))
	}
	return ids
}

func TestKilledWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	var acknowledged []string
	for round := range 4 {
		acknowledged = append(acknowledged, writeAndKill(t, path, 10+7*round)...)
	}
	s := open(t, path)
	if answer, err := s.IntegrityCheck(t.Context()); err != nil || answer != "ok" {
		t.Errorf("integrity check: %s, %v", answer, err)
	}
	for _, id := range acknowledged {
		if _, err := s.Run(t.Context(), id); err != nil {
			t.Errorf("an acknowledged run is lost: %v", err)
		}
		if events, err := s.Events(t.Context(), id, 0, 0); err != nil || len(events) != 1 {
			t.Errorf("run %s: events %v, %v", id, events, err)
		}
	}
	unfinished, err := s.OpenRuns(t.Context())
	if err != nil || len(unfinished) < len(acknowledged) {
		t.Errorf("%d unfinished runs, %v; want at least %d", len(unfinished), err, len(acknowledged))
	}
}

func TestConcurrentProcessesAndHandles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	s := open(t, path)
	create(t, s, "r_shared", sparkwright.RunRunning, epoch)
	const each = 25
	var wg sync.WaitGroup
	for range 2 { // processes
		wg.Go(func() { writeAndKill(t, path, each) })
	}
	for _, handle := range []*store.Store{s, open(t, path)} {
		for range 2 {
			wg.Go(func() {
				for range each {
					e := &sparkwright.Event{RunID: "r_shared", Type: sparkwright.EventLog, Text: "here"}
					if err := handle.AppendEvent(t.Context(), e); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	events, err := s.Events(t.Context(), "r_shared", 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	here := 0
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		if e.Text == "here" {
			here++
		}
	}
	if here != 4*each || len(events) < 6*each {
		t.Errorf("%d events, %d of this process; want at least %d, %d", len(events), here, 6*each, 4*each)
	}
}

func TestManyOpenANewDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err = s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
