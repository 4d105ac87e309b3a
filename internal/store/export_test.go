package store

import (
	"context"
	"database/sql"
)

// InterpretError is interpretError, for its test.
var InterpretError = interpretError

// Exec runs a statement on the writing connection.
func (s *Store) Exec(ctx context.Context, statement string) (sql.Result, error) {
	return s.write.ExecContext(ctx, statement)
}

// IntegrityCheck is SQLite's own.
func (s *Store) IntegrityCheck(ctx context.Context) (answer string, err error) {
	return answer, s.write.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&answer)
}
