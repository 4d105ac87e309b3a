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

// OpenAt makes a database as an older program has made it.
func OpenAt(ctx context.Context, where string, version int) (*Store, error) {
	s, err := connect(where)
	if err != nil {
		return nil, err
	}
	list, err := scripts(s.d)
	if err != nil {
		return nil, err
	}
	for _, text := range list[:version] {
		if _, err = s.write.DB.ExecContext(ctx, text); err != nil {
			return nil, err
		}
	}
	return s, s.SetVersion(ctx, version)
}

// SetVersion changes the number of the schema.
func (s *Store) SetVersion(ctx context.Context, version int) error {
	return s.inTx(ctx, "test", func(tx *transaction) error { return s.setVersion(ctx, tx, version) })
}
