package reader_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// server is one real PostgreSQL for all tests.
var server *pgembed.Server

func TestMain(m *testing.M) {
	os.Exit(testkit.WithPostgres(m, nil, func(_ context.Context, s *pgembed.Server) error {
		server = s
		return nil
	}))
}

func login(ctx context.Context) (*pgx.ConnConfig, error) {
	conn := server.Connection()
	cred, err := secret.Resolve(ctx, conn)
	if err != nil {
		return nil, err
	}
	cfg, err := postgres.Config(conn, cred)
	if err != nil {
		return nil, err
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	return cfg, nil
}

// holder is a reader whose connections are all the real database, but "gone".
func holder(t *testing.T, rows *[][]string) *reader.Reader {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := broker.New(log)
	t.Cleanup(func() { b.Close(context.Background()) })
	return reader.New(reader.Config{
		Log: log,
		Ways: &broker.Ways{
			Broker: b,
			Login: func(ctx context.Context, name string) (*pgconn.Config, error) {
				if name == "gone" {
					return nil, errors.New("no such host")
				}
				cfg, err := login(ctx)
				if err != nil {
					return nil, err
				}
				return &cfg.Config, nil
			},
			Explain: func(_ context.Context, _ string, err error) error { return err },
		},
		Translate: func(_ context.Context, _, code string, views []crosscheck.View) (crosscheck.Translation, error) {
			if len(views) != 1 || views[0].Table == "" {
				return crosscheck.Translation{Why: "it reads another table"}, nil
			}
			for _, c := range views[0].Columns {
				if c.Type == "" && strings.Contains(code, c.Name) {
					return crosscheck.Translation{Why: c.Name + " is compared in another way"}, nil
				}
			}
			return crosscheck.Translation{SQL: strings.ReplaceAll(code, "{}", views[0].Table)}, nil
		},
		Rows: func(_ context.Context, _ *sparkwright.Manifest, each func([]json.RawMessage) error) error {
			for _, row := range *rows {
				cells := make([]json.RawMessage, len(row))
				for i := range row {
					cells[i] = json.RawMessage(row[i])
				}
				if err := each(cells); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// An answer of a job in AWS is checked on the state that was held for it, which
// the job has adopted; of any other state it is not checked, and the reason is
// told.
func TestCheckOnTheHeldSnapshot(t *testing.T) { //nolint:tparallel // its parts share the table
	t.Parallel()
	cfg, err := login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	exec := func(sql string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("DROP TABLE IF EXISTS sales")
	exec("CREATE TABLE sales AS SELECT i::bigint AS amount FROM generate_series(1, 100) i")
	adopts := func(m *sparkwright.Manifest, s []sparkwright.Snapshot) { m.Snapshot = &s[0] }
	own := sparkwright.Snapshot{Connection: "shop", ID: "0000FFFF-00000001-1", LSN: "0/1"}
	none := sparkwright.Snapshot{Connection: "shop", None: "the server is a standby"}
	shop := []string{"shop"}
	for i, tt := range []struct {
		name        string
		connections []string
		distant     bool
		total       string // what the job made of it
		manifest    func(*sparkwright.Manifest, []sparkwright.Snapshot)
		state       sparkwright.CrosscheckState
		why         string
		second      sparkwright.SecondState
	}{
		{name: "adopted", connections: shop, total: "5050", manifest: adopts, state: sparkwright.CrosscheckVerified, second: sparkwright.SecondAgrees},
		{
			name: "of another moment", connections: shop, total: "4050", manifest: adopts,
			state: sparkwright.CrosscheckMismatch, why: "total of total", second: sparkwright.SecondDiffers,
		},
		{name: "its own", connections: shop, total: "5050", manifest: func(m *sparkwright.Manifest, _ []sparkwright.Snapshot) { m.Snapshot = &own }, why: "read one of its own"},
		{
			name: "its own, of the same moment", connections: shop, total: "5050",
			manifest: func(m *sparkwright.Manifest, s []sparkwright.Snapshot) {
				m.Snapshot = &sparkwright.Snapshot{Connection: "shop", ID: own.ID, LSN: s[0].LSN}
			}, why: "read one of its own",
		},
		{
			name: "of another server with the same number", connections: shop, total: "5050",
			manifest: func(m *sparkwright.Manifest, s []sparkwright.Snapshot) {
				m.Snapshot = &sparkwright.Snapshot{Connection: "shop", ID: s[0].ID, LSN: "0/1"}
			}, why: "read one of its own",
		},
		{name: "none", connections: shop, total: "5050", manifest: func(m *sparkwright.Manifest, _ []sparkwright.Snapshot) { m.Snapshot = &none }, why: "the server is a standby"},
		{name: "not said", connections: shop, total: "5050", manifest: func(*sparkwright.Manifest, []sparkwright.Snapshot) {}, why: "does not say"},
		{name: "distant", connections: shop, distant: true, total: "5050", manifest: adopts, why: "does not reach the database"},
		{name: "refused", connections: []string{"gone"}, total: "5050", manifest: adopts, why: "no such host"},
		{name: "two databases", connections: []string{"shop", "crm"}, total: "5050", manifest: adopts, why: "exactly one database"},
		{name: "files only", total: "5050", manifest: func(*sparkwright.Manifest, []sparkwright.Snapshot) {}, why: "exactly one database"},
	} {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // each changes the table again
			var rows [][]string
			rows = append(rows, []string{tt.total})
			r := holder(t, &rows)
			var reads []readplan.Read
			distant := map[string]bool{}
			for k, name := range tt.connections {
				table := sparkwright.Table{
					Connection: name, Schema: "public", Name: "sales", View: fmt.Sprintf("sales%d", k),
					Columns: []sparkwright.Column{{Name: "amount", BaseType: "int8", Type: "bigint"}},
				}
				reads = append(reads, readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{table}}, nil, readplan.Options{Cores: 1})...)
				distant[name] = tt.distant
			}
			run := &sparkwright.Run{ID: fmt.Sprintf("r-held-%d", i)}
			const code = "SELECT sum(amount) FROM {}"
			second := &sparkwright.SecondReading{Code: code, State: sparkwright.SecondNotCompared, Why: "there is no answer"}
			if len(reads) > 0 {
				second.Tables = []sparkwright.Table{reads[0].Table}
			}
			run.Crosscheck = &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Second: second}
			held := r.Hold(t.Context(), supervisor.Opening{Run: run, Attempt: &sparkwright.Attempt{Analysis: code, StartedAt: time.Now()}, Reads: reads, Distant: distant})
			second.Tables = nil                           // as after a look into the store
			exec("UPDATE sales SET amount = amount - 10") // after the state that is held
			run.Result = &sparkwright.Manifest{Schema: []sparkwright.ResultColumn{{Name: "total", Type: "bigint"}}, RowCount: 1, Preview: [][]json.RawMessage{{json.RawMessage(tt.total)}}}
			tt.manifest(run.Result, held.Snapshots())
			held.End(t.Context(), run)
			exec("UPDATE sales SET amount = amount + 10")

			if tt.state == "" {
				tt.state, tt.second = sparkwright.CrosscheckNotChecked, sparkwright.SecondNotCompared
			}
			c := run.Crosscheck
			if c.State != tt.state || !strings.Contains(c.Why, tt.why) || c.Second == nil || c.Second.State != tt.second {
				t.Fatalf("%+v, second reading %+v", c, c.Second)
			}
			if tt.second == sparkwright.SecondNotCompared && c.Second.Why != c.Why {
				t.Errorf("the second reading was not compared: %q", c.Second.Why)
			}
			left := 1
			for end := time.Now().Add(10 * time.Second); left > 0 && time.Now().Before(end); { // a closed one ends a moment later
				const sql = "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01) WHERE application_name = $1"
				if err := owner.QueryRow(t.Context(), sql, "sparkwright/"+run.ID+"-held").Scan(&left); err != nil {
					t.Fatal(err)
				}
			}
			if left > 0 {
				t.Errorf("%d sessions are left", left)
			}
		})
	}
}

// Dates of a view, which has no statistics, are compared when PostgreSQL itself
// says that none is infinite: for Spark that is the end of 9999.
func TestDatesThatAreComparedInAnotherWay(t *testing.T) {
	t.Parallel()
	cfg, err := login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	if _, err = owner.Exec(t.Context(), `DROP TABLE IF EXISTS shifts CASCADE; CREATE TABLE shifts (day date, until date);
		INSERT INTO shifts VALUES ('2020-01-01', 'infinity'), ('2020-01-02', '9999-12-31'); CREATE VIEW all_shifts AS SELECT * FROM shifts`); err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]sparkwright.CrosscheckState{"day": sparkwright.CrosscheckVerified, "until": sparkwright.CrosscheckNotChecked} {
		rows := [][]string{{"2"}}
		table := sparkwright.Table{
			Connection: "shop", Schema: "public", Name: "all_shifts", View: "all_shifts", Kind: sparkwright.KindView,
			Columns: []sparkwright.Column{{Name: "day", BaseType: "date", Type: "date"}, {Name: "until", BaseType: "date", Type: "date"}},
		}
		reads := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{table}}, nil, readplan.Options{Cores: 1})
		run := &sparkwright.Run{ID: "r-dates-" + column}
		code := "SELECT count(DISTINCT " + column + ") FROM {}"
		held := holder(t, &rows).Hold(t.Context(), supervisor.Opening{Run: run, Attempt: &sparkwright.Attempt{Analysis: code, StartedAt: time.Now()}, Reads: reads})
		run.Result = &sparkwright.Manifest{Schema: []sparkwright.ResultColumn{{Name: "n", Type: "bigint"}}, RowCount: 1, Snapshot: &held.Snapshots()[0]}
		held.End(t.Context(), run)
		if run.Crosscheck == nil || run.Crosscheck.State != want {
			t.Errorf("%s: %+v", column, run.Crosscheck)
		}
	}
}
