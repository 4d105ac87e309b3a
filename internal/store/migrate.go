package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sparkwright/sparkwright"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as ours, in its own header.
const applicationID = 0x53504b57 // "SPKW"

// migrationLock is the number of the advisory lock under which a PostgreSQL
// is migrated.
const migrationLock = 0x53504b57

// migrateWhenFree tries again while another process switches the same new
// file to WAL: SQLite's busy timeout does not cover that.
func (s *Store) migrateWhenFree(ctx context.Context, where string, upgrade bool) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		err := s.migrate(ctx, where, upgrade)
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return interpretError("open the run database", ctx.Err())
		case <-timer.C:
		}
	}
}

// scripts returns the migrations of a dialect, in order.
func scripts(d dialect) ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	skip, own := ".postgres.sql", ".sqlite.sql"
	if d == inPostgres {
		skip, own = own, skip
	}
	var list []string
	for _, name := range names {
		if strings.HasSuffix(name, skip) {
			continue
		}
		if want := fmt.Sprintf("migrations/%04d_", len(list)+1); !strings.HasPrefix(name, want) {
			return nil, fmt.Errorf("the migration %s is not number %d", name, len(list)+1)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, own) {
			list = append(list, string(text))
		} else {
			list = append(list, d.schema(string(text)))
		}
	}
	return list, nil
}

func (s *Store) migrate(ctx context.Context, where string, upgrade bool) error {
	const operation = "prepare the run database"
	list, err := scripts(s.d)
	if err != nil {
		return interpretError(operation, err)
	}
	if s.d == inPostgres {
		where = "the database" // its URL may hold a password
		unlock, err := s.lockMigrations(ctx)
		if err != nil {
			return interpretError(operation, err)
		}
		defer unlock()
	}
	return s.inTx(ctx, operation, func(tx *transaction) error {
		version, ours, err := s.version(ctx, tx)
		if err != nil {
			return err
		}
		switch {
		case !ours:
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: where + " is of another program",
				Remedy: "move it away, set SPARKWRIGHT_HOME to another directory, or name another database",
			}
		case version > len(list):
			return &sparkwright.Error{
				Code: sparkwright.CodeConflict, Message: where + " was written by a newer version of sparkwright",
				Because: fmt.Sprintf("its schema is number %d, this program knows %d", version, len(list)),
				Remedy:  "use the newer version, or set SPARKWRIGHT_HOME to another directory",
			}
		case version > 0 && version < len(list) && !upgrade:
			return &sparkwright.Error{
				Code: sparkwright.CodeConflict, Message: where + " was written by an older version of sparkwright",
				Because: fmt.Sprintf("its schema is number %d, this program needs %d", version, len(list)),
				Remedy:  "stop the servers that use it, make a backup, and run: sparkwright upgrade",
			}
		case version == len(list) && !upgrade:
			return nil
		}
		for i := version; i < len(list); i++ {
			if _, err := tx.Tx.ExecContext(ctx, list[i]); err != nil {
				return fmt.Errorf("migration %d: %w", i+1, err)
			}
		}
		if err := s.migrateQueue(ctx, tx.Tx); err != nil {
			return err
		}
		return s.setVersion(ctx, tx, len(list))
	})
}

// lockMigrations keeps other processes from migrating a PostgreSQL at the same
// time.
func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	c, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = c.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		_ = c.Close()
		return nil, err
	}
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = c.ExecContext(last, `SELECT pg_advisory_unlock($1)`, int64(migrationLock))
		_ = c.Close()
	}, nil
}

// version reads the number of the schema, 0 when there is none, and whether
// the database is ours or empty.
func (s *Store) version(ctx context.Context, tx *transaction) (version int, ours bool, err error) {
	if s.d == inSQLite {
		var application, tables int
		for pragma, value := range map[string]*int{
			"PRAGMA user_version": &version, "PRAGMA application_id": &application,
			"SELECT count(*) FROM sqlite_master": &tables,
		} {
			if err = tx.QueryRowContext(ctx, pragma).Scan(value); err != nil {
				return 0, false, err
			}
		}
		return version, application == applicationID || application == 0 && tables == 0, nil
	}
	var mark, runs bool
	err = tx.QueryRowContext(ctx, `SELECT to_regclass('sparkwright_schema') IS NOT NULL, to_regclass('runs') IS NOT NULL`).Scan(&mark, &runs)
	if err != nil || !mark {
		return 0, !runs, err
	}
	return version, true, tx.QueryRowContext(ctx, `SELECT version FROM sparkwright_schema`).Scan(&version)
}

func (s *Store) setVersion(ctx context.Context, tx *transaction, version int) error {
	text := fmt.Sprintf(`PRAGMA user_version = %d; PRAGMA application_id = %d`, version, applicationID)
	if s.d == inPostgres {
		text = fmt.Sprintf(`CREATE TABLE IF NOT EXISTS sparkwright_schema (version BIGINT NOT NULL);
			DELETE FROM sparkwright_schema; INSERT INTO sparkwright_schema VALUES (%d)`, version)
	}
	_, err := tx.Tx.ExecContext(ctx, text)
	return err
}

// migrateQueue makes the tables of the queue, in the same transaction: a
// database is ours whole or not at all. All migrations of the pinned version
// can be in one.
func (s *Store) migrateQueue(ctx context.Context, tx *sql.Tx) error {
	cfg := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	if s.d == inPostgres {
		m, err := rivermigrate.New(riverdatabasesql.New(s.write.DB), cfg)
		if err == nil {
			_, err = m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil) //nolint:staticcheck // SA1019: see above
		}
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(s.write.DB), cfg)
	if err == nil {
		_, err = m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil) //nolint:staticcheck // SA1019: see above
	}
	return err
}
