package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Version is the text of PostgreSQL's version().
func (s *Source) Version(ctx context.Context) (string, error) {
	list, err := s.names(ctx, `SELECT version()`)
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

// Databases lists the databases of the server that can be connected to,
// sorted; templates are left out.
func (s *Source) Databases(ctx context.Context) ([]string, error) {
	return s.names(ctx, `SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1`)
}

// Schemas lists the schemas of the database that the login may use, sorted;
// those of PostgreSQL itself are left out.
func (s *Source) Schemas(ctx context.Context) ([]string, error) {
	return s.names(ctx, `SELECT nspname::text FROM pg_namespace
		WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp_|toast_temp_)'
			AND has_schema_privilege(oid, 'USAGE') ORDER BY 1`)
}

func (s *Source) names(ctx context.Context, query string) (list []string, err error) {
	err = s.readOnly(ctx, func(tx pgx.Tx) error {
		rows, queryErr := tx.Query(ctx, query)
		if queryErr != nil {
			return queryErr
		}
		list, queryErr = pgx.CollectRows(rows, pgx.RowTo[string])
		return queryErr
	})
	return list, err
}
