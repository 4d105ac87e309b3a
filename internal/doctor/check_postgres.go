package doctor

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func postgresChecks(c Config) []Check {
	var list []Check
	if c.Login == nil {
		return nil
	}
	for _, conn := range slices.Concat(c.connections(), c.Extra) {
		if c.Distant[conn.Name] {
			continue
		}
		d := newDatabase(c, conn)
		of := []Check{
			postgresReach(d), postgresTLS(d), postgresLogin(d), postgresEnforced(d),
			postgresRead(d), postgresWrite(c, d), postgresLimits(c, d), postgresReplica(d), postgresEncoding(d), postgresTypes(d),
		}
		for i := range of {
			of[i].done = d.close
		}
		list = append(list, of...)
	}
	return list
}

func (d *database) info(name, title, how, needs string) Info {
	return Info{ID: "postgres." + name, Group: "postgres", Title: title, How: how, About: d.conn.Name, Needs: needs}
}

// dial opens a TCP connection to the server, without a login.
func (d *database) dial(ctx context.Context) (net.Conn, *login, error) {
	l, err := d.login(ctx)
	if err != nil {
		return nil, nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(l.conn.Host, strconv.Itoa(l.conn.Port)))
	return conn, l, err
}

func (d *database) fails(message string, err error, remedy string) Finding {
	e := postgres.Interpret(d.conn, err)
	if e.Remedy != "" {
		remedy = e.Remedy
	}
	return fail(message, firstOf(e.Because, e.Message), command(remedy))
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func postgresReach(d *database) Check {
	info := d.info("reach", "PostgreSQL is reached", "resolves the host and opens a TCP connection", "secrets.readable")
	info.Cheap = true
	return Check{Info: info, Run: func(ctx context.Context) Finding {
		conn, l, err := d.dial(ctx)
		if err != nil {
			f := d.fails("PostgreSQL of "+d.conn.Name+" is not reached", err, "sparkwright connections test "+d.conn.Name)
			f.Fixes = append(f.Fixes, command("aws ec2 authorize-security-group-ingress --group-id DATABASE_GROUP --protocol tcp --port 5432 --source-group JOBS_GROUP"))
			return f
		}
		defer func() { _ = conn.Close() }()
		return ok(net.JoinHostPort(l.conn.Host, strconv.Itoa(l.conn.Port)))
	}}
}

// requestTLS asks the server whether it speaks TLS: S or N.
func requestTLS(conn net.Conn) (byte, error) {
	const sslRequest = 80877103
	packet := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := conn.Write(packet); err != nil {
		return 0, err
	}
	answer := make([]byte, 1)
	_, err := io.ReadFull(conn, answer)
	return answer[0], err
}

func postgresTLS(d *database) Check {
	return Check{
		Info: d.info("tls", "the connection is encrypted and the server verified", "SSLRequest, then a TLS handshake with the connection's authorities", "postgres.reach"),
		Run: func(ctx context.Context) Finding {
			conn, l, err := d.dial(ctx)
			if err != nil {
				return skip("PostgreSQL is not reached")
			}
			defer func() { _ = conn.Close() }()
			if deadline, limited := ctx.Deadline(); limited {
				_ = conn.SetDeadline(deadline) // a TCP connection has deadlines
			}
			mode := postgres.TLS(l.conn)
			answer, err := requestTLS(conn)
			switch {
			case err != nil:
				return fail("what answers is not PostgreSQL", err.Error(), command("correct host and port of the connection "+d.conn.Name))
			case mode == sparkwright.TLSDisable && postgres.Loopback(l.conn.Host):
				return ok("not encrypted, on this machine")
			case mode == sparkwright.TLSDisable:
				return warn("the connection "+d.conn.Name+" is not encrypted", "its tls is disable", setting(`"tls": "verify-full" in the connection`))
			case answer != 'S':
				return fail("the server of "+d.conn.Name+" does not support TLS", "the connection's tls is "+string(mode),
					sql("ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf();  -- with server.crt and server.key in the data directory"), setting(`"tls": "disable" in the connection, on a network that you trust`))
			}
			cfg, err := postgres.Config(l.conn, l.cred)
			if err != nil {
				return fromError(err, "correct root_cert of the connection")
			}
			if err := tls.Client(conn, cfg.TLSConfig).HandshakeContext(ctx); err != nil {
				f := d.fails("the certificate of "+d.conn.Name+" is not accepted", err, "give the authority's PEM file as root_cert of the connection")
				f.Fixes = append(f.Fixes, command("curl -O https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"), setting(`"root_cert": "/absolute/path/global-bundle.pem" in the connection`))
				return f
			}
			return ok(string(mode))
		},
	}
}

func postgresLogin(d *database) Check {
	info := d.info("login", "the login works", "logs in with the connection's secret", "postgres.tls secrets.form")
	info.Cheap = true
	return Check{
		Info: info,
		Run: func(ctx context.Context) Finding {
			var version string
			err := d.query(ctx, func(tx pgx.Tx) error {
				return tx.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&version)
			})
			if err != nil {
				remedy := "sparkwright connections test " + d.conn.Name
				if pg, isServer := errors.AsType[*pgconn.PgError](err); isServer && pg.Code == "28P01" {
					f := d.fails("the login of "+d.conn.Name+" is refused", err, remedy)
					f.Because = "the password in the secret is wrong or old"
					f.Fixes = append(f.Fixes, sql(`ALTER ROLE "`+d.conn.User+`" PASSWORD 'NEW';  -- then store it in the secret`))
					return f
				}
				return d.fails("the login of "+d.conn.Name+" fails", err, remedy)
			}
			return ok("PostgreSQL " + version)
		},
	}
}

func postgresEnforced(d *database) Check {
	return Check{
		Info: d.info("enforced", "the server refuses logins without TLS", "tries a login without TLS", "postgres.tls"),
		Run: func(ctx context.Context) Finding {
			l, err := d.login(ctx)
			if err != nil {
				return skip("the secret cannot be read")
			}
			if postgres.TLS(l.conn) == sparkwright.TLSDisable {
				return ok("not asked for: the connection's tls is disable")
			}
			plain := l.conn
			plain.TLS, plain.RootCert = sparkwright.TLSDisable, ""
			cfg, err := postgres.Config(plain, l.cred)
			if err != nil {
				return fromError(err, "correct the connection")
			}
			cfg.ValidateConnect = func(context.Context, *pgconn.PgConn) error { return nil }
			open, err := pgx.ConnectConfig(ctx, cfg)
			if err != nil {
				return ok("a login without TLS is refused")
			}
			_ = open.Close(ctx) // there is nothing to lose
			return warn("the server of "+d.conn.Name+" also takes logins without TLS", "a client that is set up wrongly would send data in the clear",
				command("aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters ParameterName=rds.force_ssl,ParameterValue=1,ApplyMethod=immediate"),
				sql("-- in pg_hba.conf, instead of host: hostssl all all 0.0.0.0/0 scram-sha-256"))
		},
	}
}

// looked runs a check that reads from the shared session.
func (d *database) looked(look func(ctx context.Context, tx pgx.Tx) (Finding, error)) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		var f Finding
		err := d.query(ctx, func(tx pgx.Tx) (err error) {
			f, err = look(ctx, tx)
			return err
		})
		if err != nil {
			return d.fails("it cannot be looked at", err, "sparkwright connections test "+d.conn.Name)
		}
		return f
	}
}

func postgresEncoding(d *database) Check {
	return Check{
		Info: d.info("encoding", "the database is in UTF-8", "SHOW server_encoding", "postgres.login"),
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			var encoding string
			err := tx.QueryRow(ctx, "SELECT current_setting('server_encoding')").Scan(&encoding)
			switch encoding {
			case "UTF8":
				return ok(encoding), err
			case "SQL_ASCII":
				return fail("the database is in SQL_ASCII", "PostgreSQL does not know what its bytes mean; Spark will show wrong letters or fail",
					command("pg_dump DATABASE | iconv -f LATIN1 -t UTF8 | psql NEW_DATABASE"), sql("CREATE DATABASE new_database ENCODING 'UTF8' TEMPLATE template0")), err
			}
			return warn("the database is in "+encoding, "PostgreSQL converts to UTF-8; characters without a counterpart fail"), err
		}),
	}
}

func postgresReplica(d *database) Check {
	return Check{
		Info: d.info("replica", "reads are current and of one snapshot", "pg_is_in_recovery(), pg_last_xact_replay_timestamp()", "postgres.login"),
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			var replica bool
			var lag float64
			err := tx.QueryRow(ctx, `SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
				THEN coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) ELSE 0 END::float8`).Scan(&replica, &lag)
			if err != nil || !replica {
				return ok("a primary"), err
			}
			return warn(fmt.Sprintf("%s is a replica, %.0f s behind", d.conn.Name, lag), "a replica cannot export a snapshot: tables of one answer may be of different moments",
				sql("ALTER SYSTEM SET hot_standby_feedback = on; ALTER SYSTEM SET max_standby_streaming_delay = '15min'; SELECT pg_reload_conf();"),
				setting("host of the connection: that of the primary, when answers must be of one snapshot")), nil
		}),
	}
}

func postgresLimits(c Config, d *database) Check {
	return Check{
		Info: d.info("limits", "there are connections enough", "max_connections, the role's limit and pg_stat_activity against parallel reads", "postgres.login"),
		Run: d.looked(func(ctx context.Context, tx pgx.Tx) (Finding, error) {
			var most, used, reserved, role, own int
			var user string
			err := tx.QueryRow(ctx, `SELECT current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
				current_setting('superuser_reserved_connections')::int, r.rolconnlimit, (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user), current_user
				FROM pg_roles r WHERE r.rolname = current_user`).Scan(&most, &used, &reserved, &role, &own, &user)
			if err != nil {
				return Finding{}, err
			}
			need := max(4, c.Settings.Spark.ExecutorCores) + 1 // parallel reads, and the session that holds the snapshot
			free := most - reserved - used
			if role >= 0 {
				free = min(free, role-own)
			}
			if free < need {
				return fail(fmt.Sprintf("%s has %d connections free", d.conn.Name, max(0, free)), fmt.Sprintf("a parallel read needs %d; max_connections %d, in use %d, limit of the role %d (-1 = none)", need, most, used, role),
					sql(fmt.Sprintf("ALTER ROLE %q CONNECTION LIMIT %d;", user, max(40, 4*need))), sql("ALTER SYSTEM SET max_connections = 200;  -- and restart")), nil
			}
			return ok(fmt.Sprintf("%d free", free)), nil
		}),
	}
}
