// Command page measures the page in a real Chromium against the real server:
// what the first load weighs, how soon a result of a million rows and a tree of
// 2,000 tables answer the hand, and what memory the browser holds after 200 runs
// have been opened. It makes its own PostgreSQL; web/e2e/bench.mjs measures.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func main() {
	pgembed.KeeperMain()
	binary := flag.String("binary", "bin/sparkwright", "the program to measure")
	script := flag.String("script", filepath.Join("web", "e2e", "bench.mjs"), "what is done in the browser")
	tables := flag.Int("tables", 2000, "tables of the tree")
	rows := flag.Int("rows", 1_000_000, "rows of the result")
	runs := flag.Int("runs", 200, "runs that are opened")
	parts := flag.String("parts", "load,tree,rows,memory", "what is measured")
	flag.Parse()
	if err := measure(context.Background(), *binary, *script, *parts, *tables, *rows, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, binary, script, parts string, tables, rows, runs int) error {
	shared := os.Getenv("SPARKWRIGHT_HOME")
	if shared == "" {
		return fmt.Errorf("SPARKWRIGHT_HOME names the directory that has the runtime: make bench sets it")
	}
	home, err := os.MkdirTemp("", "sparkwright-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(home)                     //nolint:errcheck // a temporary directory
	if err = os.Chmod(home, 0o711); err != nil { //nolint:gosec // PostgreSQL of root runs as another user, below it
		return fmt.Errorf("open the directory: %w", err)
	}
	if err = os.Symlink(filepath.Join(shared, "runtime"), filepath.Join(home, "runtime")); err != nil {
		return fmt.Errorf("share the runtime: %w", err)
	}
	srv, err := pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(home, "pg"), CacheDir: filepath.Join(shared, "runtime", "postgres"),
		Settings: map[string]string{"fsync": "off", "max_locks_per_transaction": "256"},
	})
	if err != nil {
		return err
	}
	defer srv.Stop(ctx) //nolint:errcheck // a temporary database
	conn := srv.Connection()
	if err = fill(ctx, conn, tables); err != nil {
		return err
	}
	add := exec.CommandContext(ctx, binary, //nolint:gosec // ours, or what a person has named
		"connections", "add", "many", "--host", conn.Host, "--port", strconv.Itoa(conn.Port),
		"--database", conn.Database, "--user", conn.User, "--secret", conn.Secret, "--tls", "disable")
	add.Env = append(os.Environ(), "SPARKWRIGHT_HOME="+home)
	out, err := add.CombinedOutput()
	if err != nil {
		return fmt.Errorf("connections add: %w: %s", err, out)
	}
	stop, url, err := serve(ctx, binary, home)
	if err != nil {
		return err
	}
	defer stop()
	node := exec.CommandContext(ctx, "node", script) //nolint:gosec // ours, or what a person has named
	node.Env = append(os.Environ(), "SPARKWRIGHT_URL="+url, "BENCH_PARTS="+parts, fmt.Sprintf("BENCH_TABLES=%d", tables), fmt.Sprintf("BENCH_ROWS=%d", rows), fmt.Sprintf("BENCH_RUNS=%d", runs))
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	if err = node.Run(); err != nil {
		return fmt.Errorf("%s: %w", script, err)
	}
	return nil
}

// fill makes the tables, with eight columns each, in twenty schemas.
func fill(ctx context.Context, conn sparkwright.Connection, tables int) error {
	password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		return fmt.Errorf("password: %w", err)
	}
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
	if err != nil {
		return err
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	owner, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer owner.Close(ctx) //nolint:errcheck // nothing is lost
	var sql strings.Builder
	for s := range 20 {
		fmt.Fprintf(&sql, "CREATE SCHEMA area_%02d;\n", s)
	}
	kinds := []string{"orders", "invoices", "payments", "shipments", "returns", "tickets", "visits", "prices", "stocks", "audits"}
	for i := range tables {
		name := fmt.Sprintf("area_%02d.%s_%04d", i%20, kinds[i%len(kinds)], i)
		fmt.Fprintf(&sql, "CREATE TABLE %s (id bigint PRIMARY KEY, customer_id bigint, status text, amount numeric(12,2), note text, created_at timestamptz, updated_at timestamptz, tags text[]);\n"+
			"COMMENT ON TABLE %s IS '%s of area %d';\n", name, name, kinds[i%len(kinds)], i%20)
	}
	if _, err = owner.Exec(ctx, sql.String()); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

var serving = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// serve starts the server and returns its URL.
func serve(ctx context.Context, binary, home string) (stop func(), url string, err error) {
	cmd := exec.CommandContext(ctx, binary, "serve", "--port", "0")
	cmd.Env = append(os.Environ(), "SPARKWRIGHT_HOME="+home)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, "", fmt.Errorf("serve: %w", err)
	}
	if err = cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("serve: %w", err)
	}
	stop = func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }
	lines := bufio.NewScanner(pipe)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if url = serving.FindString(lines.Text()); url != "" {
			go func() {
				for lines.Scan() { // or the server would wait for somebody to read
				}
			}()
			return stop, url, nil
		}
	}
	stop()
	return nil, "", fmt.Errorf("serve: %s", said.String())
}
