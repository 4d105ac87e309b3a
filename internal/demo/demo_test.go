package demo_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

var server *pgembed.Server

func TestMain(m *testing.M) {
	os.Exit(testkit.WithPostgres(m, nil, func(_ context.Context, s *pgembed.Server) error {
		server = s
		return nil
	}))
}

func connect(t *testing.T, database, user, password string) *pgx.Conn {
	t.Helper()
	c := server.Connection()
	c.Database = database
	if user == "" {
		content, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
		if err != nil {
			t.Fatal(err)
		}
		user, password = c.User, string(content)
	}
	cfg, err := postgres.Config(c, sparkwright.Credentials{User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// newDatabase creates a database and connects as its owner.
func newDatabase(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return connect(t, name, "", "")
}

// Data of an earlier version, which had its mark in a schema of its own, is
// replaced with that.
func TestLoadReplacesOldData(t *testing.T) {
	t.Parallel()
	conn := newDatabase(t, "old")
	if _, err := conn.Exec(t.Context(), `CREATE SCHEMA crm; CREATE TABLE crm.x (i int); CREATE SCHEMA sparkwright_demo;
		CREATE TABLE sparkwright_demo.shop (version integer, complete boolean); INSERT INTO sparkwright_demo.shop VALUES (2, true)`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_ = demo.Load(ctx, conn, demo.Options{ReaderPassword: "x"}, func(string) { cancel() }) // the first step is enough
	conn = connect(t, "old", "", "")
	if got := value(t, conn, "SELECT concat(to_regnamespace('sparkwright_demo'), to_regclass('crm.x'))"); got != "" {
		t.Errorf("left of the old data: %s", got)
	}
}

func value(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	var out string
	if err := conn.QueryRow(t.Context(), query).Scan(&out); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// checksum covers values of all kinds of columns.
const checksum = `SELECT md5(concat_ws('|',
	(SELECT string_agg(concat_ws(',', status, n, s), ';' ORDER BY status) FROM (SELECT status, count(*) n, sum(extract(epoch FROM created_at)) s FROM sales.orders GROUP BY 1) a),
	(SELECT concat_ws(',', count(*), sum(quantity), sum(unit_price), sum(order_id * product_id)) FROM sales.order_items),
	(SELECT concat_ws(',', count(*), min(customer_uuid::text), max(email), count(birth_date), max(preferences::text)) FROM crm.customers),
	(SELECT concat_ws(',', count(*), count(customer_id), max(session_id::text), sum(extract(epoch FROM occurred_at))) FROM sales.events),
	(SELECT sum(revenue)::text FROM sales.monthly_revenue),
	(SELECT concat_ws(',', count(*), sum(amount)) FROM sales.payments),
	(SELECT concat_ws(',', count(*), count(closed_at)) FROM crm.subscriptions),
	(SELECT concat_ws(',', count(*), count(order_id), sum(satisfaction)) FROM crm.tickets)))`

// The parts of TestLoad build on one another, as loading takes long.
func TestLoad(t *testing.T) {
	conn := newDatabase(t, "shop")
	var told []string
	o := demo.Options{ReaderPassword: `it's a \ secret`}
	if err := demo.Load(t.Context(), conn, o, func(s string) { told = append(told, s) }); err != nil {
		t.Fatal(err)
	}
	if len(told) < 5 {
		t.Errorf("progress: %q", told)
	}
	const want = "7e9e2863120281ab0b0b0fa9c8410e1b"
	if got := value(t, conn, checksum); got != want {
		t.Errorf("checksum %s, want %s: the data depends on the machine, or shop.sql was changed without its version", got, want)
	}

	t.Run("contents", func(t *testing.T) {
		for query, want := range map[string]string{
			"SELECT (count(*) BETWEEN 950000 AND 1050000)::text FROM sales.order_items":               "true",
			"SELECT count(*)::text FROM crm.customers":                                                "100000",
			"SELECT count(*)::text FROM sales.orders":                                                 "350000",
			"SELECT string_agg(DISTINCT extract(year FROM created_at)::text, ' ') FROM sales.orders":  "2023 2024 2025",
			"SELECT string_agg(DISTINCT extract(year FROM occurred_at)::text, ' ') FROM sales.events": "2023 2024 2025",
			"SELECT (count(DISTINCT status) = 6)::text FROM sales.orders":                             "true",
			// skew: a hundredth of the customers has more than a tenth of the orders
			"SELECT (count(*) FILTER (WHERE customer_id <= 1000) > count(*) / 10)::text FROM sales.orders":                         "true",
			"SELECT count(*)::text FROM sales.orders o JOIN crm.customers c USING (customer_id) WHERE o.created_at < c.created_at": "0",
			"SELECT count(*)::text FROM pg_constraint WHERE contype = 'f' AND NOT convalidated":                                    "0",
			"SELECT (count(*) >= 16)::text FROM pg_constraint WHERE contype = 'f' AND conparentid = 0":                             "true",
			"SELECT count(*)::text FROM sales.payments p LEFT JOIN sales.orders o USING (order_id) WHERE o.order_id IS NULL":       "0",
			"SELECT count(*)::text FROM sales.shipments WHERE delivered_at < shipped_at":                                           "0",
			"SELECT count(*)::text FROM crm.tickets WHERE resolved_at < opened_at":                                                 "0",
			`SELECT count(*)::text FROM sales.order_items JOIN sales.orders o USING (order_id) JOIN sales.products p USING (product_id)
				WHERE p.discontinued_on < (o.created_at AT TIME ZONE 'UTC')::date OR p.launched_on > (o.created_at AT TIME ZONE 'UTC')::date`: "0",
			// the data ends with 2025
			`SELECT greatest((SELECT max(paid_at) FROM sales.payments), (SELECT max(greatest(shipped_at, delivered_at)) FROM sales.shipments),
				(SELECT max(returned_at) FROM sales.returns), (SELECT max(created_at) FROM sales.reviews), (SELECT max(created_at) FROM sales.orders),
				(SELECT max(greatest(started_at, closed_at)) FROM crm.subscriptions), (SELECT max(greatest(opened_at, resolved_at)) FROM crm.tickets),
				(SELECT max(created_at) FROM crm.customers), (SELECT max(discontinued_on) FROM sales.products), (SELECT max(counted_on) FROM sales.inventory),
				(SELECT max(occurred_at) FROM sales.events))::date::text`: "2025-12-31",
		} {
			if got := value(t, conn, query); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
	})

	t.Run("nothing else", func(t *testing.T) {
		const others = `SELECT coalesce(string_agg(nspname, ' ' ORDER BY nspname), '') FROM pg_namespace
			WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'sales', 'crm')`
		if got := value(t, conn, others); got != "" {
			t.Errorf("schemas besides those of the demo: %s", got)
		}
	})

	t.Run("catalog", func(t *testing.T) {
		c := server.Connection()
		c.Database = "shop"
		src, err := postgres.Open(t.Context(), c, sparkwright.Credentials{User: demo.Reader, Password: o.ReaderPassword})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		catalog, err := src.Catalog(t.Context(), postgres.Filter{Schemas: []string{"sales", "crm"}})
		if err != nil {
			t.Fatal(err)
		}
		kinds, types := map[sparkwright.TableKind]int{}, map[string]bool{}
		for _, table := range catalog.Tables {
			kinds[table.Kind]++
			if table.Comment == "" || !table.Readable {
				t.Errorf("%s: comment %q, readable %v", table.Name, table.Comment, table.Readable)
			}
			for _, column := range table.Columns {
				types[column.Type] = true
				if column.Comment == "" && table.Kind != sparkwright.KindView && table.Kind != sparkwright.KindMaterializedView {
					t.Errorf("%s.%s has no comment", table.Name, column.Name)
				}
				if column.Stats == nil && table.Kind != sparkwright.KindView {
					t.Errorf("%s.%s has no statistics", table.Name, column.Name)
				}
			}
		}
		wantKinds := map[sparkwright.TableKind]int{
			sparkwright.KindTable: 15, sparkwright.KindPartitioned: 1, sparkwright.KindView: 1, sparkwright.KindMaterializedView: 1,
		}
		if diff := cmp.Diff(wantKinds, kinds); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
		for _, name := range []string{"numeric(12,2)", "timestamp with time zone", "date", "uuid", "jsonb", "sales.order_status", "boolean"} {
			if !types[name] {
				t.Errorf("no column of type %s", name)
			}
		}
	})

	t.Run("reader", func(t *testing.T) {
		reader := connect(t, "shop", demo.Reader, o.ReaderPassword)
		if got := value(t, reader, "SELECT count(*)::text FROM crm.countries"); got != "20" {
			t.Errorf("%s countries", got)
		}
		for _, statement := range []string{"DELETE FROM crm.agents", "CREATE TABLE sales.x (i int)", "CREATE TEMPORARY TABLE x (i int)"} {
			if _, err := reader.Exec(t.Context(), "SET default_transaction_read_only = off"); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})

	t.Run("again", func(t *testing.T) {
		told = nil
		if err := demo.Load(t.Context(), conn, demo.Options{ReaderPassword: "new"}, func(s string) { told = append(told, s) }); err != nil {
			t.Fatal(err)
		}
		if len(told) != 0 {
			t.Errorf("loaded again: %q", told)
		}
		connect(t, "shop", demo.Reader, "new")
	})

	t.Run("broken off", func(t *testing.T) {
		half := newDatabase(t, "half")
		ctx, cancel := context.WithCancel(t.Context())
		err := demo.Load(ctx, half, demo.Options{ReaderPassword: "new"}, func(s string) {
			if strings.HasPrefix(s, "Orders") {
				cancel()
			}
		})
		if sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
			t.Fatalf("cancelled load: %v", err)
		}
		half = connect(t, "half", "", "")
		if got := value(t, half, "SELECT (to_regclass('sales.orders') IS NOT NULL)::text"); got != "true" {
			t.Fatalf("this test needs a half-loaded database")
		}
		if err := demo.Load(t.Context(), half, demo.Options{ReaderPassword: "new"}, nil); err != nil {
			t.Fatal(err)
		}
		if a, b := value(t, conn, checksum), value(t, half, checksum); a != b {
			t.Errorf("checksums %s and %s", a, b)
		}
	})
}

func TestLoadRefusesUnusablePasswords(t *testing.T) {
	t.Parallel()
	conn := newDatabase(t, "refused")
	for name, password := range map[string]string{"empty": "", "control character": "a\x00b", "not ASCII": "pässword"} {
		err := demo.Load(t.Context(), conn, demo.Options{ReaderPassword: password}, nil)
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || (password != "" && strings.Contains(fmt.Sprint(err), password)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadLeavesForeignDataAlone(t *testing.T) {
	t.Parallel()
	conn := newDatabase(t, "theirs")
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA crm; CREATE TABLE crm.precious AS SELECT 1 AS one"); err != nil {
		t.Fatal(err)
	}
	err := demo.Load(t.Context(), conn, demo.Options{ReaderPassword: "x"}, nil)
	if sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("load: %v", err)
	}
	if got := value(t, conn, "SELECT one::text FROM crm.precious"); got != "1" {
		t.Error(fmt.Sprint(got))
	}
}
