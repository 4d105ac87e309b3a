package supervisor_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

const holdEnv = "SPARKWRIGHT_TEST_HOLD"

// holdMain is another process that keeps a backend busy until it is killed, and
// of whose end PostgreSQL learns nothing for an hour.
func holdMain() {
	at := os.Getenv(holdEnv)
	if at == "" {
		return
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, at)
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_sleep(3600)")
	}
	_, _ = os.Stderr.WriteString(err.Error())
	os.Exit(1)
}

// hold starts such a process.
func hold(t *testing.T, c sparkwright.Connection, user, runID string) *exec.Cmd {
	t.Helper()
	u := url.URL{
		Scheme: "postgresql", User: url.UserPassword(user, canary), Host: c.Host + ":" + strconv.Itoa(c.Port), Path: "/" + c.Database,
		RawQuery: url.Values{"sslmode": {"disable"}, "application_name": {"sparkwright/" + runID}}.Encode(),
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+u.String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd
}

// holders are who sleeps in PostgreSQL, and for which run.
func holders(t *testing.T, owner *pgx.Conn) []string {
	t.Helper()
	rows, err := owner.Query(t.Context(), `SELECT usename || ' ' || substr(application_name, 13) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// TestReap: what a killed process has left of a run that is over is ended, when
// a server starts. Other logins' backends, others' runs and runs that go on are
// left alone.
func TestReap(t *testing.T) {
	t.Parallel()
	conn, owner := embedded(t)
	reader := &database{conn: conn, cred: sparkwright.Credentials{User: "reader", Password: canary}}
	reader.conn.User = "reader"
	var config supervisor.Config
	p := play(t, []string{"a"}, func(c *supervisor.Config) {
		c.Reaped = func(context.Context) []string { return []string{"t", "gone"} }
		config = *c
	})
	over := p.end(t, p.submit(t, sparkwright.Request{Question: "q"})).ID
	p.world.JobTime = time.Hour
	open := p.submit(t, sparkwright.Request{Question: "q"})
	held := []*exec.Cmd{
		hold(t, conn, "reader", over), hold(t, conn, "narrow", over), hold(t, conn, "reader", open), hold(t, conn, "reader", "r_ofothers"),
	}
	eventually(t, "four processes hold a backend each", func() bool { return len(holders(t, owner)) == 4 })
	for _, cmd := range held {
		_, _ = cmd.Process.Kill(), cmd.Wait()
	}
	if left := holders(t, owner); len(left) != 4 {
		t.Fatalf("PostgreSQL has noticed by itself: %v", left)
	}
	config.Databases = databases{"t": reader}
	next := supervisor.New(config)
	t.Cleanup(func() { _ = next.Close(context.Background()) })
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"narrow " + over, "reader " + open, "reader r_ofothers"}
	slices.Sort(want)
	eventually(t, "the run's own backend is ended, the others are not", func() bool { return slices.Equal(holders(t, owner), want) })
}
