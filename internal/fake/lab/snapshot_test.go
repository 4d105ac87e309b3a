package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	readers "github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// Amounts are moved between two tables all the time, and once between two reads
// of the job for certain; their total never changes.
const (
	sides = 200 // rows of each
	total = 2 * sides * 1000
	moved = 500 // between the two reads
)

// readBoth reads the two sides again and again, and lets the test write after
// the first one.
const readBoth = `
import os, time
totals = []
for i in range(4):
    left = spark.sql("SELECT sum(amount) AS s FROM left_side").collect()[0][0]
    if i == 0:
        print("left is read", flush=True)
        while not os.path.exists(%q):
            time.sleep(0.05)
    totals.append(int(left + spark.sql("SELECT sum(amount) AS s FROM right_side").collect()[0][0]))
result = spark.createDataFrame([(t,) for t in totals], "total long").coalesce(1)
`

// All tables of a job on EMR Serverless are read in one state: held by a session
// of the job's own, or by one of ours, which the job's takes over so that ours
// may end, or which the reads adopt by themselves. Without any, the total tears.
func TestOneSnapshotUnderWriters(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	archive, err := localruntime.Modules(t.Context(), install(t))
	if err != nil {
		t.Fatal(err)
	}
	url, err := executor(l).PutModules(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	if err = asOwner(t.Context(), shared.pg,
		"DROP TABLE IF EXISTS left_side, right_side",
		fmt.Sprintf("CREATE TABLE left_side AS SELECT i AS id, 1000::bigint AS amount FROM generate_series(1, %d) i", sides),
		"CREATE TABLE right_side AS SELECT * FROM left_side", "GRANT SELECT ON left_side, right_side TO "+reader); err != nil {
		t.Fatal(err)
	}
	owner := connectAs(t, shared.pg.Connection().User)
	ctx, stop := context.WithCancel(t.Context())
	writer := make(chan error, 1)
	go func() { writer <- keepMoving(ctx, connectAs(t, shared.pg.Connection().User)) }()
	defer func() {
		stop()
		if err := <-writer; err != nil {
			t.Error(err)
		}
	}()
	for _, tt := range []struct {
		name          string
		modules, ours bool
		ends          bool // ours, in the middle
		torn          bool
	}{
		{name: "none", torn: true},
		{name: "job", modules: true},
		{name: "taken-over", modules: true, ours: true, ends: true},
		{name: "adopted", ours: true},
	} {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // one Spark at a time
			run := "r-snap-" + tt.name
			ours := sparkwright.Snapshot{Time: time.Now(), None: "not reached"}
			var reading supervisor.Reading
			if tt.ours {
				reading = hold(t, l, run)
				defer func() { reading.End(context.WithoutCancel(t.Context()), &sparkwright.Run{}) }()
				if ours = reading.Snapshots()[0]; ours.ID == "" {
					t.Fatalf("no snapshot of ours: %s", ours.None)
				}
			}
			proceed := filepath.Join(t.TempDir(), "proceed")
			spec := bothSides(l, run)
			spec.Analysis, spec.Connections[0].Snapshot = fmt.Sprintf(readBoth, proceed), ours
			if tt.modules {
				spec.Modules = url
			}
			job := awsJob(t, run, awsemu.PostgresApp, awsemu.DriverURL, spec)
			job.Modules = spec.Modules
			began := time.Now()
			out, told := runAnd(t, executor(l), job, "left is read", func() {
				if _, err := owner.Exec(t.Context(), fmt.Sprintf(
					"BEGIN; UPDATE left_side SET amount = amount - %[1]d WHERE id = 1; UPDATE right_side SET amount = amount + %[1]d WHERE id = 1; COMMIT", moved),
					pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Error(err)
				}
				if n := backends(t, owner, run, "state = 'idle in transaction' AND backend_xmin IS NOT NULL"); (n > 0) != tt.modules {
					t.Errorf("%d sessions of the job hold a state", n)
				}
				if tt.ends { // as when Sparkwright is started anew
					reading.End(t.Context(), &sparkwright.Run{})
					gone(t, owner, run+"-held")
				}
				if err := os.WriteFile(proceed, nil, 0o600); err != nil {
					t.Error(err)
				}
			})
			if out.State != sparkwright.AttemptSucceeded {
				t.Fatalf("%s: %+v\n%s", out.State, out.Fault, told.text.String())
			}
			m := manifest(t, l, job)
			text, err := json.Marshal(m.Preview)
			if err != nil {
				t.Fatal(err)
			}
			var totals [][]int
			decode(t, string(text), &totals)
			t.Logf("%s, %+v after %s", text, m.Snapshot, time.Since(began).Round(time.Second))
			if len(totals) != 4 {
				t.Fatalf("totals %v", totals)
			}
			whole := 0
			for _, row := range totals {
				if row[0] == total {
					whole++
				}
			}
			switch s := m.Snapshot; {
			case tt.torn:
				if s == nil || s.ID != "" || s.None == "" {
					t.Errorf("the manifest says %+v", s)
				}
				if totals[0][0] < total+moved {
					t.Errorf("totals %v: nothing tore without a snapshot, the test shows nothing", totals)
				}
			case whole != len(totals):
				t.Errorf("totals %v, each is always %d", totals, total)
			case s == nil || s.ID == "" || s.None != "" || s.LSN == "" || s.Connection != "aurora" || time.Since(s.Time) > time.Hour:
				t.Errorf("the manifest says %+v", s)
			case tt.ours && (s.ID != ours.ID || s.LSN != ours.LSN || !s.Time.Equal(ours.Time)):
				t.Errorf("the manifest says %+v, ours is %+v", s, ours)
			}
			gone(t, owner, run)
			if strings.Contains(told.text.String(), password) {
				t.Error("the log holds the password")
			}
		})
	}
}

// hold has the product hold a state for a job.
func hold(t *testing.T, l *lab.Lab, run string) supervisor.Reading {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := broker.New(log)
	t.Cleanup(func() { b.Close(context.Background()) })
	cfg := connectAs(t, reader).Config().Config
	return readers.New(readers.Config{Log: log, Ways: &broker.Ways{
		Broker:  b,
		Login:   func(context.Context, string) (*pgconn.Config, error) { return &cfg, nil },
		Explain: func(_ context.Context, _ string, err error) error { return err },
	}}).Hold(t.Context(), supervisor.Opening{Run: &sparkwright.Run{ID: run}, Attempt: &sparkwright.Attempt{}, Reads: bothSides(l, run).Reads})
}

// bothSides is a job over the two tables, one of them read in parallel.
func bothSides(l *lab.Lab, run string) jobscript.AWSSpec {
	spec := postgresSpec(l, run)
	var tables []sparkwright.Table
	for _, name := range []string{"left_side", "right_side"} {
		tables = append(tables, sparkwright.Table{
			Connection: "aurora", Database: "shop", Schema: "public", Name: name, View: name,
			Columns: []sparkwright.Column{{Name: "id", BaseType: "int4"}, {Name: "amount", BaseType: "int8"}},
		})
	}
	spec.Reads = readplan.Plan(&sparkwright.Catalog{Tables: tables}, nil, readplan.Options{Cores: 2})
	spec.Reads[1].Column, spec.Reads[1].Lower, spec.Reads[1].Upper, spec.Reads[1].Partitions = "id", "1", fmt.Sprint(sides), 3
	return spec
}

// connectAs logs in to the shop.
func connectAs(t *testing.T, user string) *pgx.Conn {
	t.Helper()
	conn := shared.pg.Connection()
	cred, err := secret.Resolve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	cred.User, conn.Database = user, "shop"
	if user == reader {
		cred.Password = password
	}
	cfg, err := postgres.Config(conn, cred)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// keepMoving moves amounts until ctx ends.
func keepMoving(ctx context.Context, db *pgx.Conn) error {
	for i := 0; ctx.Err() == nil; i++ {
		id := i*7%sides + 1
		if _, err := db.Exec(context.WithoutCancel(ctx), fmt.Sprintf(
			"BEGIN; UPDATE left_side SET amount = amount - 1 WHERE id = %[1]d; UPDATE right_side SET amount = amount + 1 WHERE id = %[1]d; COMMIT; SELECT pg_sleep(0.005)", id),
			pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

// backends counts the sessions of a run.
func backends(t *testing.T, db *pgx.Conn, run, and string) int {
	t.Helper()
	n := 0
	err := db.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND "+and, "sparkwright/"+run).Scan(&n)
	if err != nil {
		t.Error(err)
	}
	return n
}

// gone waits until no session of a run is left: a closed one ends a moment later.
func gone(t *testing.T, db *pgx.Conn, run string) {
	t.Helper()
	n := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if n = backends(t, db, run, "pg_sleep(0.01) IS NOT NULL"); n == 0 {
			return
		}
	}
	t.Errorf("%d sessions of %s are left", n, run)
}
