package rds_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/rds"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// owner is the login of the superuser of a real PostgreSQL.
var owner *pgconn.Config

func TestMain(m *testing.M) {
	os.Exit(testkit.WithPostgres(m, nil, func(ctx context.Context, server *pgembed.Server) error {
		conn := server.Connection()
		password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
		if err != nil {
			return err
		}
		cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
		if err != nil {
			return err
		}
		owner = &cfg.Config
		pg, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			return err
		}
		defer pg.Close(ctx) //nolint:errcheck // nothing is lost
		_, err = pg.Exec(ctx, `SET default_transaction_read_only = off; CREATE ROLE rds_iam; CREATE ROLE reporter LOGIN IN ROLE rds_iam;
			CREATE ROLE other LOGIN IN ROLE rds_iam; CREATE ROLE plain LOGIN PASSWORD 'pw'`)
		return err
	}))
}

const resource = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-X/"

// front is a front whose AKIAKNOWN may connect as reporter, ASIAJOB with its
// session token too, and AKIADENIED as nobody.
func front(t *testing.T) *rds.Server {
	t.Helper()
	refusal := func(action, on string) string {
		if action != "rds-db:connect" || on != resource+"reporter" {
			return "no policy allows " + action + " on " + on
		}
		return ""
	}
	s, err := rds.Start(t.Context(), rds.Config{
		Owner: owner, Account: "123456789012", Region: "eu-west-1", ResourceID: "db-X",
		Caller: func(id string) (rds.Caller, bool) {
			c, ok := map[string]rds.Caller{
				"AKIAKNOWN": {Secret: "s1", Refusal: refusal}, "ASIAJOB": {Secret: "s2", Token: "session", Refusal: refusal},
				"AKIADENIED": {Secret: "s3", Refusal: func(action, on string) string { return "no policy allows " + action + " on " + on }},
			}[id]
			return c, ok
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func at(s *rds.Server, user string) sparkwright.Connection {
	return sparkwright.Connection{Name: "c", Host: s.Host(), Port: s.Port(), Database: "postgres", User: user, TLS: sparkwright.TLSRequire}
}

// token makes a token as the product does.
func token(t *testing.T, address, region, user, key, secret, session string) string {
	t.Helper()
	text, err := auth.BuildAuthToken(t.Context(), address, region, user, credentials.NewStaticCredentialsProvider(key, secret, session))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func connect(t *testing.T, conn sparkwright.Connection, password string) (*pgx.Conn, error) {
	t.Helper()
	cfg, err := postgres.Config(conn, sparkwright.Credentials{Password: password})
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["application_name"] = "sparkwright/r_1"
	pg, err := pgx.ConnectConfig(t.Context(), cfg)
	if err == nil {
		t.Cleanup(func() { _ = pg.Close(context.WithoutCancel(t.Context())) })
	}
	return pg, err
}

// Who has a good token is in, as the user it is for, with what the session
// asked for; a cancel finds its way too.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := front(t)
	conn := at(s, "reporter")
	conn.TLS, conn.RootCert = sparkwright.TLSVerifyFull, filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(conn.RootCert, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort(s.Host(), strconv.Itoa(s.Port()))
	for _, keys := range [][3]string{{"AKIAKNOWN", "s1", ""}, {"ASIAJOB", "s2", "session"}} {
		pg, err := connect(t, conn, token(t, address, "eu-west-1", "reporter", keys[0], keys[1], keys[2]))
		if err != nil {
			t.Fatalf("%s: %v", keys[0], err)
		}
		var user, name string
		if err = pg.QueryRow(t.Context(), "SELECT current_user, current_setting('application_name')").Scan(&user, &name); err != nil || user != "reporter" || name != "sparkwright/r_1" {
			t.Errorf("%s: %s, %s, %v", keys[0], user, name, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() { _, failed := pg.Exec(ctx, "SELECT pg_sleep(60)"); ended <- failed }()
		for canceled := false; !canceled; {
			if err = pg.PgConn().CancelRequest(ctx); err != nil {
				t.Fatal(err)
			}
			select {
			case err = <-ended:
				canceled = true
			case <-time.After(100 * time.Millisecond): // it had not begun
			}
		}
		if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || pgErr.Code != "57014" {
			t.Errorf("%s: the cancel: %v", keys[0], err)
		}
	}
	for _, l := range s.Logins() {
		if l.Refused != "" || l.User != "reporter" {
			t.Errorf("%+v", l)
		}
	}
}

// What is not a good token is refused in PostgreSQL's words, and no word more.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := front(t)
	address := net.JoinHostPort(s.Host(), strconv.Itoa(s.Port()))
	good := token(t, address, "eu-west-1", "reporter", "AKIAKNOWN", "s1", "")
	const pam = `PAM authentication failed for user "reporter"`
	for _, tt := range []struct {
		name, user, token, says, why string
		ahead                        time.Duration
		mode                         sparkwright.TLSMode
	}{
		{name: "old", token: good, ahead: 16 * time.Minute, says: pam, why: "expired"},
		{name: "of the future", token: good, ahead: -time.Hour, says: pam, why: "future"},
		{name: "another user's", user: "other", token: good, says: `PAM authentication failed for user "other"`, why: "for the user reporter"},
		{name: "a user the keys may not be", user: "other", token: token(t, address, "eu-west-1", "other", "AKIAKNOWN", "s1", ""), says: `user "other"`, why: "no policy allows rds-db:connect on " + resource + "other"},
		{name: "another host's", token: token(t, "db.example.com:5432", "eu-west-1", "reporter", "AKIAKNOWN", "s1", ""), says: pam, why: "db.example.com"},
		{name: "another region's", token: token(t, address, "us-east-1", "reporter", "AKIAKNOWN", "s1", ""), says: pam, why: "us-east-1"},
		{name: "signed by another", token: token(t, address, "eu-west-1", "reporter", "AKIAKNOWN", "guessed", ""), says: pam, why: "signature"},
		{name: "changed", token: strings.Replace(good, "X-Amz-Expires=900", "X-Amz-Expires=899", 1), says: pam, why: "signature"},
		{name: "good for longer", token: strings.Replace(good, "X-Amz-Expires=900", "X-Amz-Expires=90000", 1), says: pam, why: "90000"},
		{name: "unknown keys", token: token(t, address, "eu-west-1", "reporter", "AKIANOBODY", "s1", ""), says: pam, why: "nobody"},
		{name: "without its session token", token: token(t, address, "eu-west-1", "reporter", "ASIAJOB", "s2", ""), says: pam, why: "nobody"},
		{name: "keys that may not", token: token(t, address, "eu-west-1", "reporter", "AKIADENIED", "s3", ""), says: pam, why: "no policy"},
		{name: "a password", token: "pw", says: pam, why: "no token"},
		{name: "without TLS", token: good, mode: sparkwright.TLSDisable, says: `no pg_hba.conf entry for host "127.0.0.1", user "reporter", database "postgres", no encryption`},
		{name: "a role without rds_iam", user: "plain", token: good, says: `password authentication failed for user "plain"`},
	} {
		conn := at(s, "reporter")
		if tt.user != "" {
			conn.User = tt.user
		}
		if tt.mode != "" {
			conn.TLS = tt.mode
		}
		s.Advance(tt.ahead)
		before := len(s.Logins())
		_, err := postgres.Open(t.Context(), conn, sparkwright.Credentials{Password: tt.token})
		if sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
		after := s.Logins()
		if why := tt.why; why == "" && len(after) != before || why != "" && (len(after) != before+1 || !strings.Contains(after[before].Refused, why)) {
			t.Errorf("%s: refused because %+v, want %q", tt.name, after[before:], why)
		}
	}
	s.Advance(0)
	if pg, err := connect(t, at(s, "plain"), "pw"); err != nil || pg.Ping(t.Context()) != nil {
		t.Errorf("a login by password: %v", err)
	}
}
