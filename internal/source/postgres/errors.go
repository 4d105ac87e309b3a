package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/netguard"
)

// Interpret makes an error for people of what the driver says of conn. It never
// repeats a password.
func Interpret(conn sparkwright.Connection, err error) *sparkwright.Error {
	return interpretError(conn, err)
}

// interpretError is the one place where what the driver says becomes an error
// for people. conn tells where it happened. It never repeats a password.
func interpretError(conn sparkwright.Connection, err error) *sparkwright.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return interpretServerError(conn, pg)
	}
	if e, ok := netguard.Refusal(err); ok {
		return e
	}
	at := fmt.Sprintf("%s:%d", conn.Host, conn.Port)
	out := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: "cannot connect to PostgreSQL at " + at, Err: err}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	var (
		netErr    net.Error
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the database operation was cancelled", Err: err}
	case isDNS:
		out.Because = "the host name " + dns.Name + " cannot be resolved"
		out.Remedy = "check the host of the connection and this machine's name service"
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Because = "nothing listens there"
		out.Remedy = "start PostgreSQL, or correct host and port of the connection"
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		out.Because = "the network does not reach it"
		out.Remedy = "check the network, the VPN or the security group"
	case errors.As(err, &hostname):
		out.Because = "its certificate is for another host name"
		out.Remedy = "use the name in the certificate as host, or TLS mode verify-ca"
	case errors.As(err, &authority) || errors.As(err, &verify):
		out.Because = "its certificate is not signed by a trusted authority"
		out.Remedy = "give the authority's PEM file as root certificate of the connection"
	case strings.Contains(err.Error(), "server refused TLS"):
		out.Because = "the server does not support TLS"
		out.Remedy = "switch TLS on in the server, or set the connection's TLS mode to disable when the network is trusted"
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		out.Code = sparkwright.CodeTimeout
		out.Because = "it did not answer in time"
		out.Remedy = "check host and port, and whether a firewall or security group drops the packets"
	default:
		out.Because = lastPart(err.Error())
		out.Remedy = "check that PostgreSQL itself listens at this host and port"
	}
	return out
}

// interpretServerError handles what the server itself says, by SQLSTATE.
func interpretServerError(conn sparkwright.Connection, pg *pgconn.PgError) *sparkwright.Error {
	user := conn.User
	out := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Because: pg.Message, Err: pg}
	set := func(code sparkwright.Code, message, remedy string) *sparkwright.Error {
		out.Code, out.Message, out.Remedy = code, message, remedy
		return out
	}
	database := fmt.Sprintf("%q", conn.Database)
	switch pg.Code {
	case "28P01":
		return set(sparkwright.CodeUnauthorized, "PostgreSQL refused the login", "check user and password that the connection's secret holds")
	case "28000":
		if strings.Contains(pg.Message, "pg_hba.conf") {
			return set(sparkwright.CodeUnauthorized, "PostgreSQL does not let this machine in as "+user,
				"add an entry for this user, database and address to the server's pg_hba.conf; it may demand TLS")
		}
		if strings.Contains(pg.Message, "PAM authentication failed") {
			return set(sparkwright.CodeUnauthorized, "RDS refused the IAM login of "+user,
				"GRANT rds_iam TO the role, and allow rds-db:connect as this user to the AWS identity that sparkwright runs as")
		}
		return set(sparkwright.CodeUnauthorized, "PostgreSQL refused the login", "check that the user exists and may log in")
	case "3D000":
		return set(sparkwright.CodeNotFound, "there is no database "+database, "correct the database of the connection")
	case "53300":
		return set(sparkwright.CodeResource, "PostgreSQL has no connection free", "close others, raise max_connections, or try again later")
	case "42501":
		return set(sparkwright.CodeUnauthorized, "the login "+user+" may not read this", "GRANT SELECT on the table and USAGE on its schema to it")
	case "42P01", "3F000", "42703":
		return set(sparkwright.CodeNotFound, "the database has changed", "read the tables again: something that was there is gone")
	case "57014":
		if strings.Contains(pg.Message, "timeout") {
			return set(sparkwright.CodeTimeout, "PostgreSQL took too long", "try again; a lock or a very busy server can be the cause")
		}
		return set(sparkwright.CodeCancelled, "the query was cancelled in PostgreSQL", "run it again when that was not on purpose")
	case "55P03":
		return set(sparkwright.CodeTimeout, "a table is locked", "wait for the other transaction and try again")
	case "57P01", "57P02", "57P03":
		return set(sparkwright.CodeUnavailable, "PostgreSQL is starting or shutting down", "try again in a moment")
	case "25006":
		return set(sparkwright.CodeInvalid, "the session is read-only", "")
	case "53100", "53200", "53400":
		return set(sparkwright.CodeResource, "PostgreSQL has run out of a resource", "free disk or memory on the database server")
	default:
		return set(sparkwright.CodeInternal, "PostgreSQL reports an error (SQLSTATE "+pg.Code+")", "see the server's log")
	}
}

// lastPart is the innermost message of a chain.
func lastPart(s string) string {
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return strings.TrimSpace(s[i+2:])
	}
	return s
}
