package secret

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// fromJDBC takes jdbc:postgresql://HOST[:PORT]/DATABASE[?sslmode=…] apart. No
// other parameter is taken: pgjdbc has some that load classes or send the login
// elsewhere. Parameters that change neither are left out silently.
func fromJDBC(text string) (sparkwright.Connection, error) {
	var conn sparkwright.Connection
	fail := func(because string) (sparkwright.Connection, error) {
		return conn, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the jdbc_url cannot be used", Because: because,
			Remedy: "write it as jdbc:postgresql://HOST:PORT/DATABASE",
		}
	}
	rest, ok := strings.CutPrefix(text, "jdbc:")
	if !ok {
		return fail("it does not begin with jdbc:postgresql://")
	}
	u, err := url.Parse(rest)
	switch {
	case err != nil || u.Scheme != "postgresql" || u.Opaque != "":
		return fail("it does not begin with jdbc:postgresql://")
	case u.User != nil:
		return fail("it holds a login; that belongs into the secret")
	case u.Hostname() == "" || strings.Contains(u.Host, ","):
		return fail("it does not name one host")
	}
	conn.Host, conn.Port = u.Hostname(), 5432
	if p := u.Port(); p != "" {
		if conn.Port, err = strconv.Atoi(p); err != nil || conn.Port < 1 || conn.Port > 65535 {
			return fail("its port is not a port number")
		}
	}
	conn.Database = strings.TrimPrefix(u.Path, "/")
	if conn.Database == "" || strings.Contains(conn.Database, "/") {
		return fail("it does not name a database")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fail("its parameters cannot be taken apart")
	}
	for key, values := range query {
		switch key {
		case "sslmode":
			conn.TLS = sparkwright.TLSMode(values[0])
			switch conn.TLS {
			case sparkwright.TLSDisable, sparkwright.TLSRequire, sparkwright.TLSVerifyCA, sparkwright.TLSVerifyFull:
			default:
				return fail("its sslmode is not disable, require, verify-ca or verify-full")
			}
		case "ssl", "ApplicationName", "connectTimeout", "socketTimeout", "tcpKeepAlive", "loginTimeout":
		default:
			return fail("its parameter " + strconv.Quote(key) + " is not allowed")
		}
	}
	return conn, nil
}
