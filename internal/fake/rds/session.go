package rds

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// loginTime bounds a login, from the first byte on.
const loginTime = 20 * time.Second

// serve is one connection of a client's.
func (s *Server) serve(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(loginTime))
	encrypted := false
	for {
		client := pgproto3.NewBackend(conn, conn)
		first, err := client.ReceiveStartupMessage()
		if err != nil {
			return
		}
		switch m := first.(type) {
		case *pgproto3.GSSEncRequest:
			_, err = conn.Write([]byte{'N'})
		case *pgproto3.SSLRequest:
			if _, err = conn.Write([]byte{'S'}); err == nil {
				conn, encrypted = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12}), true
			}
		case *pgproto3.CancelRequest:
			s.cancelRequest(m)
			return
		case *pgproto3.StartupMessage:
			s.login(conn, client, m, encrypted)
			return
		}
		if err != nil {
			return
		}
	}
}

// login lets a client in, or says why not.
func (s *Server) login(conn net.Conn, client *pgproto3.Backend, m *pgproto3.StartupMessage, encrypted bool) {
	ctx, cancel := context.WithTimeout(s.ctx, loginTime)
	defer cancel()
	user := m.Parameters["user"]
	byToken, err := s.member(ctx, user)
	switch {
	case err != nil:
		refuse(client, &pgconn.PgError{Severity: "FATAL", Code: "57P03", Message: "the database system is starting up"})
	case !byToken:
		s.pass(conn, m)
	case !encrypted:
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		refuse(client, &pgconn.PgError{
			Severity: "FATAL", Code: "28000",
			Message: "no pg_hba.conf entry for host \"" + host + "\", user \"" + user + "\", database \"" + databaseOf(m) + "\", no encryption",
		})
	default:
		s.byToken(ctx, conn, client, m)
	}
}

func databaseOf(m *pgproto3.StartupMessage) string {
	if name := m.Parameters["database"]; name != "" {
		return name
	}
	return m.Parameters["user"]
}

// byToken asks for the token, logs in behind in the client's name, and relays.
func (s *Server) byToken(ctx context.Context, conn net.Conn, client *pgproto3.Backend, m *pgproto3.StartupMessage) {
	client.Send(&pgproto3.AuthenticationCleartextPassword{})
	if client.Flush() != nil || client.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	answer, err := client.Receive()
	if err != nil {
		return
	}
	token, ok := answer.(*pgproto3.PasswordMessage)
	if !ok {
		return
	}
	user := m.Parameters["user"]
	key, why := s.check(ctx, user, token.Password)
	s.mu.Lock()
	s.logins = append(s.logins, Login{User: user, AccessKey: key, Refused: why})
	s.mu.Unlock()
	if why != "" {
		refuse(client, &pgconn.PgError{Severity: "FATAL", Code: "28000", Message: "PAM authentication failed for user \"" + user + "\""})
		return
	}
	behind, err := s.behind(ctx, m)
	if err != nil {
		refuse(client, err)
		return
	}
	defer behind.Conn.Close()                                            //nolint:errcheck // it is over
	defer context.AfterFunc(s.ctx, func() { _ = behind.Conn.Close() })() //nolint:contextcheck // the server's own end
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range behind.ParameterStatuses {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: behind.PID, SecretKey: behind.SecretKey})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: behind.TxStatus})
	if client.Flush() != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	_ = relay(conn, behind.Conn) // each side has seen its own end
}

// behind is a session with the PostgreSQL behind, as the client wants it.
func (s *Server) behind(ctx context.Context, m *pgproto3.StartupMessage) (*pgconn.HijackedConn, error) {
	password, err := s.password(ctx, m.Parameters["user"])
	if err != nil {
		return nil, err
	}
	cfg := s.cfg.Owner.Copy()
	cfg.User, cfg.Password, cfg.Database = m.Parameters["user"], password, databaseOf(m)
	cfg.RuntimeParams = map[string]string{}
	for name, value := range m.Parameters {
		if name != "user" && name != "database" {
			cfg.RuntimeParams[name] = value
		}
	}
	pg, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err = pg.SyncConn(ctx); err == nil {
		var h *pgconn.HijackedConn
		if h, err = pg.Hijack(); err == nil {
			return h, nil
		}
	}
	_ = pg.Close(ctx)
	return nil, err
}

// pass relays a login that is not by token, and the session.
func (s *Server) pass(conn net.Conn, m *pgproto3.StartupMessage) {
	behind, err := s.dial()
	if err != nil {
		return
	}
	defer behind.Close() //nolint:errcheck // it is over
	defer context.AfterFunc(s.ctx, func() { _ = behind.Close() })()
	start, err := m.Encode(nil)
	if err != nil {
		return
	}
	if _, err = behind.Write(start); err != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	_ = relay(conn, behind) // each side has seen its own end
}

func (s *Server) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: loginTime}
	return d.DialContext(s.ctx, "tcp", net.JoinHostPort(s.cfg.Owner.Host, strconv.Itoa(int(s.cfg.Owner.Port))))
}

// cancelRequest passes a cancel request on: clients have the keys of behind.
func (s *Server) cancelRequest(m *pgproto3.CancelRequest) {
	behind, err := s.dial()
	if err != nil {
		return
	}
	defer behind.Close() //nolint:errcheck // it is over
	if text, err := m.Encode(nil); err == nil {
		_, _ = behind.Write(text)
		_ = behind.SetReadDeadline(time.Now().Add(loginTime))
		_, _ = behind.Read(make([]byte, 1)) // its end: the request has been looked at
	}
}

// refuse tells a client what went wrong: PostgreSQL's own words where err has
// them.
func refuse(client *pgproto3.Backend, err error) {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		pg = &pgconn.PgError{Severity: "FATAL", Code: "08006", Message: err.Error()}
	}
	client.Send(&pgproto3.ErrorResponse{
		Severity: pg.Severity, SeverityUnlocalized: pg.Severity, Code: pg.Code, Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint,
	})
	_ = client.Flush()
}
