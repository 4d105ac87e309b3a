// Package rds stands for what Amazon RDS for PostgreSQL has before a
// PostgreSQL: its own TLS certificate, and logins by IAM token. A member of the
// role rds_iam is asked for its password in clear text, over TLS only; the
// password must be a token, a SigV4 presigned URL of rds-db:connect for this
// very host, port and user, of keys that are known and may connect, not older
// than 15 minutes. Everybody else logs in to the PostgreSQL behind as always:
// what passes is only relayed.
//
// How refusals are worded is PostgreSQL's own for the method "pam". That RDS
// answers a member of rds_iam without TLS as rds.force_ssl does is our reading.
package rds

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Role is the role whose members log in with a token.
const Role = "rds_iam"

// Caller is who signed a token.
type Caller struct {
	Secret, Token string // the secret access key and the session token; Token "" = none
	// Refusal says why the caller may not do something; "" = it may.
	Refusal func(action, resource string) string
}

// Config says what the front stands before.
type Config struct {
	Owner      *pgconn.Config // a superuser's login to the PostgreSQL behind
	Account    string
	Region     string
	ResourceID string // of the instance, as policies name it: db-…
	// Caller finds the keys of an access key id.
	Caller func(accessKeyID string) (Caller, bool)
}

// Login is a login with a token that came to an end.
type Login struct {
	User      string
	AccessKey string // "" = the password was no token
	Refused   string // why, for tests: the client hears no reason; "" = let in
}

// Server is a running front. Its methods are safe for concurrent use.
type Server struct {
	cfg      Config
	listener net.Listener
	cert     tls.Certificate
	ca       []byte
	work     sync.WaitGroup
	ctx      context.Context //nolint:containedctx // the life of the server: sessions live in it
	cancel   context.CancelFunc

	mu        sync.Mutex
	ahead     time.Duration // how far the clock is ahead
	logins    []Login
	passwords map[string]string // by role: what the PostgreSQL behind knows it by
}

// Start makes the role rds_iam where it is missing, and serves on a port of
// 127.0.0.1 until Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, passwords: map[string]string{}}
	err := s.asOwner(ctx, func(pg *pgconn.PgConn) error {
		return pg.Exec(ctx, "DO $$ BEGIN CREATE ROLE "+Role+"; EXCEPTION WHEN duplicate_object THEN END $$").Close()
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the database for IAM: %w", err)
	}
	if s.cert, s.ca, err = certificate("127.0.0.1", "localhost"); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.work.Go(s.accept)
	return s, nil
}

// Host and Port are where the front listens.
func (s *Server) Host() string { return "127.0.0.1" }

// Port is the port at Host.
func (s *Server) Port() int {
	at, _ := s.listener.Addr().(*net.TCPAddr)
	return at.Port
}

// CA is the certificate of the authority that signed the server's, as PEM.
func (s *Server) CA() []byte { return s.ca }

// Advance sets how far the front's clock is ahead: by more than 15 minutes, and
// every token has expired.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = d
}

// Logins are the logins with tokens so far.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Login(nil), s.logins...)
}

// Close ends every session.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.work.Wait()
	return err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.work.Go(func() {
			defer context.AfterFunc(s.ctx, func() { _ = conn.Close() })()
			defer conn.Close() //nolint:errcheck // it is over
			s.serve(conn)
		})
	}
}

// asOwner uses a session of the superuser's.
func (s *Server) asOwner(ctx context.Context, use func(*pgconn.PgConn) error) error {
	cfg := s.cfg.Owner.Copy()
	cfg.RuntimeParams = map[string]string{"application_name": "rds", "default_transaction_read_only": "off"}
	pg, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pg.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	return use(pg)
}

// member reports whether a role logs in with a token.
func (s *Server) member(ctx context.Context, user string) (yes bool, err error) {
	const sql = `SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
		JOIN pg_catalog.pg_roles u ON u.oid = m.member WHERE r.rolname = $1 AND u.rolname = $2`
	err = s.asOwner(ctx, func(pg *pgconn.PgConn) error {
		got := pg.ExecParams(ctx, sql, [][]byte{[]byte(Role), []byte(user)}, nil, nil, nil).Read()
		yes = len(got.Rows) > 0
		return got.Err
	})
	return yes, err
}

// password is what the PostgreSQL behind lets a member of rds_iam in with. The
// role has none of its own: the front gives it one, which nobody else knows.
func (s *Server) password(ctx context.Context, user string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.passwords[user]; known != "" {
		return known, nil
	}
	password := rand.Text()
	err := s.asOwner(ctx, func(pg *pgconn.PgConn) error {
		got := pg.ExecParams(ctx, "SELECT pg_catalog.format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)",
			[][]byte{[]byte(user), []byte(password)}, nil, nil, nil).Read()
		if got.Err != nil {
			return got.Err
		}
		return pg.Exec(ctx, string(got.Rows[0][0])).Close()
	})
	if err != nil {
		return "", err
	}
	s.passwords[user] = password
	return password, nil
}

// relay passes bytes both ways until one side has ended.
func relay(a, b net.Conn) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(a, b)
		_ = a.Close()
		ended <- err
	}()
	_, err := io.Copy(b, a)
	_ = b.Close()
	return errors.Join(err, <-ended)
}
