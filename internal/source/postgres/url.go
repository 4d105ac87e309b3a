package postgres

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// ParseURL takes a postgresql:// (or postgres://) URL apart. Only the
// parameters sslmode and sslrootcert are allowed. The connection has no name
// and no secret; the credentials come apart from it. Errors never repeat the
// URL, since it may hold a password.
func ParseURL(raw string) (sparkwright.Connection, sparkwright.Credentials, error) {
	conn := sparkwright.Connection{AuthMethod: sparkwright.AuthUserPassword}
	var cred sparkwright.Credentials
	fail := func(because string) (sparkwright.Connection, sparkwright.Credentials, error) {
		return sparkwright.Connection{}, sparkwright.Credentials{}, invalid("the database URL is not valid", because,
			"write it as postgresql://user:password@host:5432/database?sslmode=verify-full; special characters in user, password and database are percent-encoded")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fail("it cannot be taken apart")
	}
	if u.Scheme != "postgresql" && u.Scheme != "postgres" {
		return fail("it does not begin with postgresql://")
	}
	if u.Opaque != "" || u.Fragment != "" {
		return fail("it has more parts than host, port and database")
	}
	conn.Host, conn.Port = u.Hostname(), 5432
	if p := u.Port(); p != "" {
		if conn.Port, err = strconv.Atoi(p); err != nil {
			return fail("its port is not a number")
		}
	}
	if u.User != nil {
		conn.User = u.User.Username()
		cred.User = conn.User
		cred.Password, _ = u.User.Password()
	}
	if conn.User == "" {
		return fail("it names no user")
	}
	conn.Database = strings.TrimPrefix(u.Path, "/")
	if conn.Database == "" {
		conn.Database = conn.User // as libpq does
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fail("its parameters cannot be taken apart")
	}
	for _, key := range slices.Sorted(maps.Keys(query)) {
		values := query[key]
		if len(values) != 1 {
			return fail("the parameter " + strconv.Quote(key) + " is given twice")
		}
		switch key {
		case "sslmode":
			conn.TLS = sparkwright.TLSMode(values[0])
		case "sslrootcert":
			conn.RootCert = values[0]
		default:
			return fail("the parameter " + strconv.Quote(key) + " is not supported (sslmode and sslrootcert are)")
		}
	}
	if err := Validate(conn); err != nil {
		return sparkwright.Connection{}, sparkwright.Credentials{}, err
	}
	return conn, cred, nil
}
