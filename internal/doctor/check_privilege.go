package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// tables are the relations that could be asked about.
const tables = ` FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' `

func postgresRead(d *database) Check {
	return Check{
		Info: d.info("read", "the role may read the tables", "has_table_privilege and has_schema_privilege for every table", "postgres.login"),
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			var all, readable int
			var closed, user string
			err := tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE r), coalesce(min(name) FILTER (WHERE NOT r), ''), current_user FROM (
				SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS r, format('%I.%I', n.nspname, c.relname) AS name`+tables+`) t`).Scan(&all, &readable, &closed, &user)
			if err != nil {
				return Finding{}, err
			}
			schema, _, _ := strings.Cut(closed, ".")
			grant := sql(fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %q;\nGRANT SELECT ON ALL TABLES IN SCHEMA %s TO %q;", schema, user, schema, user))
			switch {
			case all == 0:
				return warn("the database of "+d.conn.Name+" has no tables", "or the role sees none", command("sparkwright tables --connection "+d.conn.Name)), nil
			case readable == 0:
				return fail(fmt.Sprintf("the role %s may read none of %d tables", user, all), "it has no SELECT, or no USAGE on the schema", grant), nil
			case readable < all:
				return warn(fmt.Sprintf("the role %s may read %d of %d tables", user, readable, all), closed+" is the first that it may not", grant), nil
			}
			return ok(fmt.Sprintf("all %d tables", all)), nil
		}),
	}
}

// readerSQL makes a role that can read and cannot write.
func readerSQL(role, database string, schemas []string) string {
	var b strings.Builder
	id := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	fmt.Fprintf(&b, "CREATE ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 40;\n", id(role))
	fmt.Fprintf(&b, "ALTER ROLE %s SET default_transaction_read_only = on;\nGRANT CONNECT ON DATABASE %s TO %s;\n", id(role), id(database), id(role))
	for _, s := range schemas {
		fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s;\nALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT ON TABLES TO %s;\n",
			id(s), id(role), id(s), id(role), id(s), id(role))
	}
	return b.String()
}

// readerName is the first free name for the role of a connection.
func readerName(ctx context.Context, tx pgx.Tx, connection string) (string, error) {
	base := "sparkwright_" + strings.ReplaceAll(strings.ToLower(connection), "-", "_")
	var name string
	err := tx.QueryRow(ctx, `SELECT n FROM (SELECT 0 AS i, $1::text AS n UNION ALL SELECT i, $1 || '_' || i FROM generate_series(2, 99) i) x
		WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = n) ORDER BY i LIMIT 1`, base).Scan(&name)
	return name, err
}

// writes is what a role can change.
type writes struct {
	user, database string
	super, create  bool
	schemas        []string // of the tables
	count          int
	first          string
	reader         string // a free name for a role that cannot
}

func (d *database) writes(ctx context.Context, tx pgx.Tx) (*writes, error) {
	w := &writes{}
	err := tx.QueryRow(ctx, `SELECT current_user, current_database(), r.rolsuper OR pg_has_role(current_user, 'pg_write_all_data', 'USAGE'), t.n, t.first, t.schemas,
		EXISTS (SELECT FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'CREATE'))
		FROM pg_roles r, LATERAL (SELECT count(*) FILTER (WHERE w) AS n, coalesce(min(name) FILTER (WHERE w), '') AS first, coalesce(array_agg(DISTINCT nspname::text), '{}') AS schemas FROM (
			SELECT n.nspname, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS w, format('%I.%I', n.nspname, c.relname) AS name`+tables+`) x) t
		WHERE r.rolname = current_user`).Scan(&w.user, &w.database, &w.super, &w.count, &w.first, &w.schemas, &w.create)
	return w, err
}

func postgresWrite(c Config, d *database) Check {
	var found *writes
	info := d.info("write", "the role cannot write", "its grants: has_table_privilege for INSERT, UPDATE, DELETE, TRUNCATE; superuser; CREATE on schemas. A setting such as default_transaction_read_only does not count: code can switch it off", "postgres.login")
	info.Cheap = true
	check := Check{
		Info: info,
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			w, err := d.writes(ctx, tx)
			if err != nil {
				return Finding{}, err
			}
			if w.reader, err = readerName(ctx, tx, d.conn.Name); err != nil {
				return Finding{}, err
			}
			found = w
			fix := sql(readerSQL(w.reader, w.database, w.schemas))
			role := pgx.Identifier{w.user}.Sanitize()
			switch {
			case w.super:
				return fail("the role "+w.user+" of "+d.conn.Name+" can write everything", "it is a superuser, or has pg_write_all_data", fix), nil
			case w.count > 0:
				schema, _, _ := strings.Cut(w.first, ".")
				tables := fmt.Sprintf("%d tables", w.count)
				if w.count == 1 {
					tables = "a table"
				}
				return fail(fmt.Sprintf("the role %s of %s can write %s", w.user, d.conn.Name, tables), w.first+" is the first; generated code runs with this role's rights",
					sql(fmt.Sprintf("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA %s FROM %s;", schema, role)), fix), nil
			case w.create:
				return warn("the role "+w.user+" can create tables", "it has CREATE on a schema, perhaps through PUBLIC", sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC;")), nil
			}
			return ok(w.user + " can only read"), nil
		}),
	}
	if c.Save != nil {
		check.Repair = func() *Repair {
			if found == nil || !found.super && found.count == 0 {
				return nil
			}
			return &Repair{
				Plan: "create the role " + found.reader + " with a random password, and have the connection " + d.conn.Name + " use it:\n" + readerSQL(found.reader, found.database, found.schemas),
				Do:   func(ctx context.Context) error { return makeReader(ctx, c, d, found) },
			}
		}
	}
	return check
}

// makeReader creates the read-only role as the present login, stores its
// password where the connection's secret is, and has the connection use it.
func makeReader(ctx context.Context, c Config, d *database, w *writes) error {
	l, err := d.login(ctx)
	if err != nil {
		return err
	}
	cfg, err := postgres.Config(l.conn, l.cred)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return postgres.Interpret(l.conn, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	password := rand.Text()
	statements := "BEGIN;\n" + readerSQL(w.reader, w.database, w.schemas) +
		fmt.Sprintf("ALTER ROLE %s PASSWORD '%s';\nCOMMIT;", pgx.Identifier{w.reader}.Sanitize(), password) // letters and digits only
	if _, err = conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		e := postgres.Interpret(l.conn, err)
		return &sparkwright.Error{Code: e.Code, Message: "the role " + w.reader + " could not be created", Because: firstOf(e.Because, e.Message), Remedy: "run the statements that were shown as the owner of the tables", Err: err}
	}
	if arn, found := strings.CutPrefix(d.conn.Secret, "aws-sm:"); found && c.AWS != nil {
		var text []byte
		text, err = json.Marshal(map[string]any{
			"connection_name": d.conn.Name, "host": l.conn.Host, "port": l.conn.Port, "database": l.conn.Database, "username": w.reader, "password": password,
			"jdbc_url": fmt.Sprintf("jdbc:postgresql://%s:%d/%s", l.conn.Host, l.conn.Port, l.conn.Database),
		})
		if err == nil {
			_, err = c.AWS.Secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: aws.String(string(text))})
		}
		if err != nil {
			return &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: "the new password could not be stored", Because: because(err), Remedy: `set one with ALTER ROLE "` + w.reader + `" PASSWORD '…' and put it into the secret`, Err: err}
		}
		return c.Save(func(s *settings.Settings) error { return useReader(s, d.conn, w.reader, d.conn.Secret) })
	}
	path := filepath.Join(c.Home, "secrets", d.conn.Name)
	if err = secret.Write(path, []byte(password+"\n")); err != nil {
		return err
	}
	return c.Save(func(s *settings.Settings) error { return useReader(s, d.conn, w.reader, "file:"+path) })
}

func useReader(s *settings.Settings, conn sparkwright.Connection, reader, secret string) error {
	conn.User, conn.Secret = reader, secret
	return s.PutConnection(conn)
}

func postgresTypes(d *database) Check {
	return Check{
		Info: d.info("types", "Spark reads every column as it is", "looks at pg_attribute for types that Spark changes or cannot read", "postgres.login"),
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			rows, err := tx.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname), a.attname, format_type(a.atttypid, a.atttypmod)
				FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
				WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND a.attnum > 0 AND NOT a.attisdropped
				AND (t.typname IN ('timetz', '_money', '_timetz') OR a.attndims > 1
					OR t.typname = 'numeric' AND (a.atttypmod < 4 OR ((a.atttypmod - 4) >> 16) & 65535 > 38))
				ORDER BY 1, 2 LIMIT 200`)
			if err != nil {
				return Finding{}, err
			}
			type column struct{ Table, Name, Type string }
			list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
			if err != nil || len(list) == 0 {
				return ok("no column of a type that Spark changes"), err
			}
			first, casts := list[0], []string{}
			for _, c := range list {
				if c.Table == first.Table {
					casts = append(casts, castOf(c.Name, c.Type)+" AS "+pgx.Identifier{c.Name}.Sanitize())
				}
			}
			return warn(fmt.Sprintf("%d columns have types that Spark reads differently", len(list)),
				fmt.Sprintf("%s.%s is %s; numeric without precision is read with 18 decimals, the others are left out of the question", first.Table, first.Name, first.Type),
				sql(fmt.Sprintf("CREATE VIEW reporting AS SELECT %s FROM %s;", strings.Join(casts, ", "), first.Table))), nil
		}),
	}
}

func castOf(name, kind string) string {
	column := pgx.Identifier{name}.Sanitize()
	if strings.HasPrefix(kind, "numeric") && !strings.HasSuffix(kind, "[]") {
		return column + "::numeric(38, 6)"
	}
	return column + "::text"
}
