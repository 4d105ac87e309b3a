package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// A read of the gated view does not end while the gate is shut.
const gated = `
CREATE TABLE gate AS SELECT false AS open;
CREATE VIEW gated AS SELECT i, CASE WHEN (SELECT open FROM gate) THEN 'open' ELSE pg_sleep(3600)::text END AS s FROM generate_series(1, 20) i;
`

// A server is killed while Spark reads PostgreSQL. The next one carries the run
// to its end in a second attempt; nothing of the dead one stays: no client, no
// Spark server, no backend.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	testkit.Runtime(t)
	conn, owner := ordersDatabase(t)
	if _, err := owner.Exec(t.Context(), gated); err != nil {
		t.Fatal(err)
	}
	home := newHome(t)
	first := serveIn(t, home)
	first.call(t, http.StatusCreated, http.MethodPost, "/api/v1/connections", map[string]any{
		"name": "t", "host": conn.Host, "port": conn.Port, "database": conn.Database, "user": "reader", "password": readerPassword, "tls": "disable",
	})
	run := read[api.Run](t, first.call(t, http.StatusAccepted, http.MethodPost, "/api/v1/runs", map[string]any{
		"tables": []string{"t.public.gated"}, "code": "result = spark.table('gated').select('i', 's')",
	}))
	path := "/api/v1/runs/" + run.ID
	var reads []string
	await(t, "Spark reads", func() bool {
		run = read[api.Run](t, first.call(t, http.StatusOK, http.MethodGet, path, nil))
		if run.Final {
			t.Fatalf("the run ended: %+v", run.Fault)
		}
		reads = backends(t, owner, "sparkwright/"+run.ID, "pg_sleep")
		return len(run.Attempts) == 1 && run.Attempts[0].State == sparkwright.AttemptRunning && len(reads) > 0
	})
	family := descendants(t, first.cmd.Process.Pid)
	if !family.has("org.apache.spark") || !family.has("sparkwright_client") {
		t.Fatalf("the server has no Spark server or no client: %v", family)
	}

	first.killed = true
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if _, err := owner.Exec(t.Context(), "UPDATE gate SET open = true"); err != nil {
		t.Fatal(err)
	}
	second := serveIn(t, home)
	await(t, "the dead server's processes are gone", func() bool { return len(family.living()) == 0 })
	await(t, "the dead server's backends are gone", func() bool {
		now := strings.Join(backends(t, owner, "sparkwright/"+run.ID, ""), " ")
		for _, b := range reads {
			if strings.Contains(now, b) {
				return false
			}
		}
		return true
	})
	await(t, "the run ends", func() bool {
		run = read[api.Run](t, second.call(t, http.StatusOK, http.MethodGet, path, nil))
		return run.Final
	})
	if run.State != sparkwright.RunSucceeded || run.Result == nil || run.Result.RowCount != 20 {
		t.Fatalf("the run is %s, fault %+v, result %+v", run.State, run.Fault, run.Result)
	}
	if len(run.Attempts) != 2 || run.Attempts[0].State != sparkwright.AttemptLost || run.Attempts[1].State != sparkwright.AttemptSucceeded {
		t.Errorf("attempts %+v", run.Attempts)
	}
	await(t, "no backend of the run is left", func() bool { return len(backends(t, owner, "sparkwright/"+run.ID, "")) == 0 })
}

// await polls until ok, and fails the test when that takes three minutes.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(3 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("not within three minutes: %s", what)
		case <-tick.C:
		}
	}
}

// backends are the PostgreSQL backends with that application_name, those that
// sleep in a query when wait is "pg_sleep". One is named by its process and start.
func backends(t *testing.T, owner *pgx.Conn, application, wait string) []string {
	t.Helper()
	rows, err := owner.Query(t.Context(), `SELECT pid || '@' || extract(epoch FROM backend_start) FROM pg_stat_activity
		WHERE application_name = $1 AND ($2 = '' OR lower(wait_event) = 'pgsleep')`, application, wait)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// process is a process: its number may be another's later.
type process struct {
	pid           int
	parent, start string
	command       string
}

type processes []process

func (list processes) has(command string) bool {
	for _, p := range list {
		if strings.Contains(p.command, command) {
			return true
		}
	}
	return false
}

func (list processes) living() (left processes) {
	for _, p := range list {
		if now, ok := look(p.pid); ok && now.start == p.start {
			left = append(left, p)
		}
	}
	return left
}

// look reads a process; a zombie is none.
func look(pid int) (process, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	command, _ := os.ReadFile(dir + "/cmdline")
	return process{pid: pid, parent: fields[1], start: fields[19], command: string(command)}, fields[0] != "Z" && fields[0] != "X"
}

// descendants are all processes that a process has started, directly or not.
func descendants(t *testing.T, pid int) (list processes) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	children := map[string]processes{}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			if p, ok := look(n); ok {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	var add func(parent int)
	add = func(parent int) {
		for _, p := range children[strconv.Itoa(parent)] {
			list = append(list, p)
			add(p.pid)
		}
	}
	add(pid)
	return list
}
