package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/sparkwright/sparkwright"
)

// Connection is a connection as it is kept: a JSON document that holds
// references to secrets and never a secret.
type Connection struct {
	Name     string
	Document json.RawMessage
}

// Connections lists the connections in the order in which they were added. A
// table that no connection has ever been in gets those of first, which may be
// empty.
func (s *Store) Connections(ctx context.Context, first []Connection) ([]Connection, error) {
	list, used, err := s.connections(ctx, s.read)
	if err != nil {
		return nil, interpretError("list the connections", err)
	}
	if used || len(first) == 0 {
		return list, nil
	}
	err = s.ChangeConnections(ctx, first, func(all []Connection) ([]Connection, error) {
		list = all
		return all, nil
	})
	return list, err
}

// ChangeConnections replaces the list of connections by what change makes of
// it. Names are unique. Only one change is in progress at a time, in all
// servers together; nothing is kept when change returns an error, which is
// returned as it is. first is as in Connections.
func (s *Store) ChangeConnections(ctx context.Context, first []Connection, change func([]Connection) ([]Connection, error)) error {
	return s.inTx(ctx, "change the connections", func(tx *transaction) error {
		if s.d == inPostgres { // SQLite has one writer anyway
			if _, err := tx.ExecContext(ctx, `LOCK TABLE connections IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		old, used, err := s.connections(ctx, tx)
		if err != nil {
			return err
		}
		list := old
		if !used {
			list = first
		}
		if list, err = change(slices.Clone(list)); err != nil {
			return err
		}
		for _, c := range old {
			if !slices.ContainsFunc(list, func(o Connection) bool { return o.Name == c.Name }) {
				if _, err = tx.ExecContext(ctx, `UPDATE connections SET document_json = NULL WHERE name = ?`, c.Name); err != nil {
					return err
				}
			}
		}
		for i, c := range list {
			if c.Name != clean(c.Name) {
				return sparkwright.Errorf(sparkwright.CodeInvalid, "the name of a connection must be UTF-8 without NUL")
			}
			if _, err = tx.ExecContext(ctx, `INSERT INTO connections (name, position, document_json) VALUES (?, ?, ?)
				ON CONFLICT (name) DO UPDATE SET position = excluded.position, document_json = excluded.document_json`,
				c.Name, i, clean(string(c.Document))); err != nil {
				return err
			}
		}
		return nil
	})
}

// queryer is a database or a transaction of it.
type queryer interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// connections also reports whether the table was ever used.
func (s *Store) connections(ctx context.Context, q queryer) (list []Connection, used bool, err error) {
	rows, err := q.QueryContext(ctx, `SELECT name, document_json FROM connections ORDER BY position, name`)
	if err != nil {
		return nil, false, err
	}
	all, err := collect(rows, func(row scanner) (Connection, error) {
		var c Connection
		var text document
		if wrong := row.Scan(&c.Name, &text); wrong != nil {
			return c, wrong
		}
		if text.Valid {
			c.Document = json.RawMessage(text.String)
		}
		return c, nil
	})
	for _, c := range all {
		if c.Document != nil {
			list = append(list, c)
		}
	}
	return list, len(all) > 0, err
}
