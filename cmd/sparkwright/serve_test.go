package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// The password of the reader; no log, script, table or metric may tell it.
const readerPassword = "canary-pw-51c2"

const apiRows = 1000 // of orders

const orders = `
CREATE TABLE order_details (order_id int NOT NULL, product_id int NOT NULL, unit_price numeric(10,2) NOT NULL, quantity int NOT NULL, discount numeric(4,2));
INSERT INTO order_details SELECT 1000 + o, p, 9.99, p, 0.05 FROM generate_series(1, 30) p, generate_series(1, 10) o;
CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount numeric(38,10), created_at timestamptz, tags text[]);
INSERT INTO orders SELECT i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '=1+' || i ELSE 'c' || i || ', "ü"' END,
	12345678901234567890.0000000001 * i, timestamptz '2025-01-01 00:00+00' + i * interval '1 hour', ARRAY['a', NULL, 'b' || i]
	FROM generate_series(1, 1000) i;
COMMENT ON TABLE orders IS 'what was bought';
CREATE ROLE reader LOGIN PASSWORD 'canary-pw-51c2' IN ROLE pg_read_all_data;
ANALYZE;
`

// TestServe is the real program with real Spark and PostgreSQL: one server
// answers a client of the reference's contract, then one of /api/v1.
func TestServe(t *testing.T) { //nolint:tparallel // its parts share the server
	t.Parallel()
	testkit.Runtime(t)
	conn, _ := ordersDatabase(t)
	s := serveBy(t, raced(t), newHome(t))
	t.Run("reference client", func(t *testing.T) { s.referenceClient(t, conn) }) //nolint:paralleltest // they share the server
	t.Run("api", func(t *testing.T) { s.api(t, conn) })                          //nolint:paralleltest // they share the server
	if strings.Contains(s.said(), "canary-pw") {
		t.Error("a password is in the log")
	}
}

// referenceClient runs a client that knows only the reference's contract.
func (s *testServer) referenceClient(t *testing.T, conn sparkwright.Connection) {
	client := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "reference_client.py"),
		s.url, conn.Host, strconv.Itoa(conn.Port), conn.Database, "reader")
	client.Stdin = strings.NewReader(readerPassword + "\n")
	out, err := client.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"Status: 200\n", "JDBC: ✓, Secrets: ✗\n", "Result: success\n", "the contract holds\n"} {
		if !strings.Contains(string(out), line) {
			t.Errorf("it did not say %q:\n%s", line, out)
		}
	}
}

// ordersDatabase is an embedded PostgreSQL with the orders, and its owner.
func ordersDatabase(t *testing.T) (sparkwright.Connection, *pgx.Conn) {
	t.Helper()
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	conn := srv.Connection()
	password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
	if err != nil {
		t.Fatal(err)
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	if _, err := owner.Exec(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	return conn, owner
}

var serving = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// testServer is a running sparkwright serve.
type testServer struct {
	url    string
	cmd    *exec.Cmd
	killed bool // by the test
	ended  chan struct{}
	mu     sync.Mutex
	log    bytes.Buffer
}

// said is what the server has logged so far.
func (s *testServer) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// newHome is a data directory with the runtime.
func newHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Symlink(filepath.Join(testkit.Home(t), "runtime"), filepath.Join(home, "runtime")); err != nil {
		t.Fatal(err)
	}
	return home
}

// serveIn starts sparkwright serve in a data directory, with these variables
// besides. It ends with the test, as by SIGTERM.
func serveIn(t *testing.T, home string, env ...string) *testServer {
	t.Helper()
	return serveBy(t, filepath.Join(program(t), "sparkwright"), home, env...)
}

func serveBy(t *testing.T, binary, home string, env ...string) *testServer {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--port", "0")
	cmd.Env = append(append(os.Environ(), "SPARKWRIGHT_HOME="+home, "SPARKWRIGHT_SPARK_MASTER=local[2]", "SPARKWRIGHT_SPARK_DRIVER_MEMORY=1g"), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &testServer{cmd: cmd, ended: make(chan struct{})}
	address := make(chan string, 1)
	go func() {
		defer close(s.ended)
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			s.mu.Lock()
			s.log.WriteString(line)
			s.mu.Unlock()
			if found := serving.FindString(line); found != "" && len(address) == 0 {
				address <- found
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-s.ended
		if err := cmd.Wait(); err != nil && !s.killed {
			t.Errorf("the server ended with %v", err)
		}
	})
	select {
	case s.url = <-address:
	case <-s.ended:
		t.Fatalf("the server ended before it served: %s", s.said())
	case <-time.After(3 * time.Minute):
		t.Fatal("the server does not serve")
	}
	return s
}
