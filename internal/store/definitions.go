package store

import (
	"context"

	"github.com/sparkwright/sparkwright"
)

// Definition is a file of definitions as it is kept.
type Definition struct {
	Name string // of the file
	Body string // YAML
}

// Definitions lists the files of definitions by name.
func (s *Store) Definitions(ctx context.Context) ([]Definition, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT name, body FROM definitions ORDER BY name`)
	if err != nil {
		return nil, interpretError("list the definitions", err)
	}
	list, err := collect(rows, func(row scanner) (d Definition, err error) {
		err = row.Scan(&d.Name, &d.Body)
		return d, err
	})
	if err != nil {
		return nil, interpretError("list the definitions", err)
	}
	return list, nil
}

// ReplaceDefinitions keeps these files in the place of all that there were.
// Names are unique.
func (s *Store) ReplaceDefinitions(ctx context.Context, list []Definition) error {
	return s.inTx(ctx, "replace the definitions", func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM definitions`); err != nil {
			return err
		}
		for _, d := range list {
			if d.Name != clean(d.Name) || d.Body != clean(d.Body) {
				return sparkwright.Errorf(sparkwright.CodeInvalid, "definitions must be UTF-8 without NUL: %q", d.Name)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO definitions (name, body) VALUES (?, ?)`, d.Name, d.Body); err != nil {
				return err
			}
		}
		return nil
	})
}
