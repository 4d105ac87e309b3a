// Package demo loads the demo data "shop" into a PostgreSQL database: two
// schemas with customers, products, about a million order lines and what
// belongs to them. The data is generated inside the database and always the
// same.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

//go:embed shop.sql
var shopSQL string

//go:embed definitions.yaml
var definitions string

// Definitions is the file of what words mean for the demo data.
func Definitions() string { return definitions }

const (
	// Reader is the login that may read the demo data and nothing else.
	Reader = "shop_reader"
	// version is raised when shop.sql changes; older data is then replaced.
	version = 3
	// about is the comment on the schema crm. What follows it tells whether the
	// data is there as a whole: a table for that would be among those of the demo.
	about = "Customers and how they are looked after. Sparkwright demo, "
	// lockKey lets only one process load at a time.
	lockKey = 0x73706b77
)

// Options for Load.
type Options struct {
	// ReaderPassword is what Reader gets, also when the data is there already:
	// printable ASCII. The server never sees it in clear.
	ReaderPassword string
}

// Load makes the database hold the whole demo data and the login Reader. It
// returns quickly when that is so already, and begins anew when an earlier call
// was broken off. conn must be a superuser or own the database and be allowed to
// create roles. Schemas named sales or crm that Load has not made are never
// touched: CodeConflict.
func Load(ctx context.Context, conn *pgx.Conn, o Options, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	verifier, err := scramVerifier(o.ReaderPassword)
	if err != nil {
		return err
	}
	if err = exec(ctx, conn, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey)); err != nil {
		return err
	}
	defer func() {
		_ = exec(context.WithoutCancel(ctx), conn, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lockKey))
	}()

	there, err := complete(ctx, conn)
	if err != nil {
		return err
	}
	if !there {
		if err := load(ctx, conn, progress); err != nil {
			return err
		}
	}
	return grant(ctx, conn, verifier)
}

// complete reports whether the data is there as a whole. Data that is not ours
// is an error.
func complete(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var comment string
	var schemas, old bool // old data has its mark in a schema of its own
	err := conn.QueryRow(ctx, `SELECT coalesce(obj_description(to_regnamespace('crm'), 'pg_namespace'), ''),
		EXISTS (SELECT FROM pg_namespace WHERE nspname IN ('sales', 'crm')), to_regclass('sparkwright_demo.shop') IS NOT NULL`).Scan(&comment, &schemas, &old)
	if err != nil {
		return false, failed(err)
	}
	mark, ours := strings.CutPrefix(comment, about)
	if !ours && !old {
		if schemas {
			return false, &sparkwright.Error{
				Code: sparkwright.CodeConflict, Message: "the demo data cannot be loaded into this database",
				Because: "it has a schema sales or crm of its own", Remedy: "use an empty database",
			}
		}
		return false, nil
	}
	return mark == whole(), nil
}

// whole is the mark of data that is there as a whole.
func whole() string { return fmt.Sprintf("version %d", version) }

// load runs the steps of shop.sql, between marks that tell a broken-off load
// from a whole one.
func load(ctx context.Context, conn *pgx.Conn, progress func(string)) error {
	err := exec(ctx, conn, `
		BEGIN;
		DROP SCHEMA IF EXISTS sales, crm, sparkwright_demo CASCADE;
		CREATE SCHEMA crm;
		COMMENT ON SCHEMA crm IS '`+about+`being loaded';
		COMMIT;
		SET synchronous_commit = off;
		SET timezone = 'UTC';
		SET work_mem = '64MB';
		SET maintenance_work_mem = '128MB';
		SET client_min_messages = warning;
		DROP FUNCTION IF EXISTS pg_temp.u, pg_temp.pick, pg_temp.uuid;`)
	if err != nil {
		return err
	}
	for _, step := range strings.Split(shopSQL, "-- step: ")[1:] {
		title, sql, _ := strings.Cut(step, "\n")
		progress(title)
		if err := exec(ctx, conn, sql); err != nil {
			return err
		}
	}
	return exec(ctx, conn, fmt.Sprintf(`
		RESET ALL;
		COMMENT ON SCHEMA crm IS '%s%s';`, about, whole()))
}

// exec runs statements that return nothing of interest.
func exec(ctx context.Context, conn *pgx.Conn, sql string) error {
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return failed(err)
	}
	return nil
}

func failed(err error) error {
	if errors.Is(err, context.Canceled) {
		return &sparkwright.Error{
			Code: sparkwright.CodeCancelled, Message: "loading the demo data was cancelled",
			Remedy: "run it again; it begins anew", Err: err,
		}
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeInternal, Message: "the demo data could not be loaded", Because: err.Error(),
		Remedy: "run it again; it begins anew", Err: err,
	}
}
