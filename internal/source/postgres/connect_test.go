package postgres_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func TestJDBCURL(t *testing.T) {
	t.Parallel()
	base := sparkwright.Connection{Host: "db.example.com", Port: 5432, Database: "shop", User: "me"}
	const tail = "ApplicationName=sparkwright%2Frun&connectTimeout=10&tcpKeepAlive=true&sslmode="
	java := "&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
	for _, tt := range []struct {
		name   string
		change func(c *sparkwright.Connection)
		want   string
		err    string
	}{
		{name: "remote", want: "jdbc:postgresql://db.example.com:5432/shop?" + tail + "verify-full" + java},
		{"loopback", func(c *sparkwright.Connection) { c.Host = "127.0.0.1" }, "jdbc:postgresql://127.0.0.1:5432/shop?" + tail + "disable", ""},
		{"localhost", func(c *sparkwright.Connection) { c.Host = "LocalHost" }, "jdbc:postgresql://LocalHost:5432/shop?" + tail + "disable", ""},
		{"IPv6", func(c *sparkwright.Connection) { c.Host = "::1" }, "jdbc:postgresql://[::1]:5432/shop?" + tail + "disable", ""},
		{"required", func(c *sparkwright.Connection) { c.TLS = "require" }, "jdbc:postgresql://db.example.com:5432/shop?" + tail + "require", ""},
		{"own authority", func(c *sparkwright.Connection) { c.RootCert = "/etc/ca &.pem" }, "jdbc:postgresql://db.example.com:5432/shop?" + tail + "verify-full&sslrootcert=%2Fetc%2Fca%20%26.pem", ""},
		{"database", func(c *sparkwright.Connection) { c.Database = "a/b?c=d&e ä%" }, "jdbc:postgresql://db.example.com:5432/a%2Fb%3Fc%3Dd%26e%20%C3%A4%25?" + tail + "verify-full" + java, ""},
		{"host with a path", func(c *sparkwright.Connection) { c.Host = "h/x?user=y" }, "", "neither a host name nor an IP"},
		{"two hosts", func(c *sparkwright.Connection) { c.Host = "a,b" }, "", "only one host"},
		{"socket", func(c *sparkwright.Connection) { c.Host = "/run/postgresql" }, "", "Unix sockets"},
		{"no host", func(c *sparkwright.Connection) { c.Host = "" }, "", "it is empty"},
		{"port", func(c *sparkwright.Connection) { c.Port = 65536 }, "", "65536"},
		{"no database", func(c *sparkwright.Connection) { c.Database = "" }, "", "no database"},
		{"control character", func(c *sparkwright.Connection) { c.Database = "a\nb" }, "", "control characters"},
		{"prefer", func(c *sparkwright.Connection) { c.TLS = "prefer" }, "", `"prefer" is not known`},
		{"relative certificate", func(c *sparkwright.Connection) { c.RootCert = "ca.pem" }, "", "not an absolute path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := base
			if tt.change != nil {
				tt.change(&c)
			}
			got, err := postgres.JDBCURL(c, "sparkwright/run")
			if tt.err == "" {
				if err != nil || got != tt.want {
					t.Errorf("%s\n%s\n%v", got, tt.want, err)
				}
			} else if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	conn, cred, err := postgres.ParseURL("postgresql://m%40e:p%2Fw%3A@[::1]:6000/my%20db?sslmode=require")
	want := sparkwright.Connection{Host: "::1", Port: 6000, Database: "my db", User: "m@e", AuthMethod: sparkwright.AuthUserPassword, TLS: "require"}
	if diff := cmp.Diff(want, conn); diff != "" || err != nil || cred.User != "m@e" || cred.Password != "p/w:" {
		t.Errorf("%v, %v (-want +got):\n%s", cred.User, err, diff)
	}
	if conn, _, err = postgres.ParseURL("postgres://me@h"); err != nil || conn.Database != "me" || conn.Port != 5432 {
		t.Errorf("%+v, %v", conn, err)
	}
	for _, bad := range []string{
		"", "mysql://me:hunter2@h/d", "postgresql://me:hunter2@h:port/d", "postgresql://me:hunter2@h/d?host=/tmp", "postgresql://:hunter2@h/d",
		"postgresql://me:hunter2@h/d?options=-c%20x", "postgresql://me:hunter2@h/d?sslmode=require&sslmode=disable", "postgresql://me:hunter2@h/d%zz",
		"postgresql://me:hunter2@a,b/d", "postgresql://me:hunter2@h/d?sslmode=prefer", "postgresql://me:hunter2@h/d?passfile=x", "postgresql://me:hunter2@h/d#x",
	} {
		_, cred, err := postgres.ParseURL(bad)
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || cred.Password != "" {
			t.Errorf("%s: %v", bad, err)
		} else if e := err.(*sparkwright.Error); strings.Contains(e.Error()+e.Remedy, "hunter2") { //nolint:errorlint // the very type is the promise
			t.Errorf("%s: the password is in %v", bad, e)
		}
	}
}

// TestConfigIgnoresTheEnvironment cannot run beside other tests: it sets
// environment variables.
func TestConfigIgnoresTheEnvironment(t *testing.T) {
	for _, name := range []string{
		"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGAPPNAME", "PGCONNECT_TIMEOUT", "PGSSLMODE", "PGSSLKEY", "PGSSLCERT",
		"PGSSLCERTMODE", "PGSSLSNI", "PGSSLROOTCERT", "PGSSLPASSWORD", "PGSSLNEGOTIATION", "PGTARGETSESSIONATTRS", "PGSERVICE", "PGSERVICEFILE", "PGTZ",
		"PGOPTIONS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGCHANNELBINDING", "PGREQUIREAUTH",
	} {
		t.Setenv(name, "nonsense")
	}
	c, cred := owner(t, "postgres")
	report, err := postgres.Test(t.Context(), c, cred)
	if err != nil {
		t.Fatal(err)
	}
	if report.User != c.User || report.TimeZone != "UTC" {
		t.Errorf("%+v", report)
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	conn := newDatabase(t, "report", "CREATE TABLE a (i int); CREATE TABLE b (i int); CREATE ROLE report_reader LOGIN PASSWORD 'r'; GRANT SELECT ON a TO report_reader")
	c, cred := owner(t, "report")
	got, err := postgres.Test(t.Context(), c, cred)
	if err != nil || !got.Superuser || !got.CanWrite || got.Tables != 2 || got.Readable != 2 || !strings.Contains(strings.Join(got.Warnings, " "), "superuser") {
		t.Errorf("%+v, %v", got, err)
	}
	reader := sparkwright.Credentials{User: "report_reader", Password: "r"}
	got, err = postgres.Test(t.Context(), c, reader)
	if err != nil || got.Superuser || got.CanWrite || got.Readable != 1 || got.Replica || got.TLS != "" || got.Latency <= 0 || len(got.Warnings) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.HasPrefix(got.Version, "17.") || got.Number < 170000 || !strings.Contains(strings.Join(got.Saw, " "), "1 of 2 tables and views can be read") {
		t.Errorf("%+v", got)
	}
	mustExec(t, conn, "GRANT UPDATE ON b TO report_reader")
	if got, err = postgres.Test(t.Context(), c, reader); err != nil || !got.CanWrite || len(got.Warnings) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	newDatabase(t, "errors", "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 0; CREATE ROLE mute PASSWORD 'mute'")
	closed := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().(*net.TCPAddr).Port
	}()
	for _, tt := range []struct {
		name   string
		change func(c *sparkwright.Connection, cred *sparkwright.Credentials)
		code   sparkwright.Code
		says   string
	}{
		{"wrong password", func(_ *sparkwright.Connection, cred *sparkwright.Credentials) { cred.Password = "hunter2" }, sparkwright.CodeUnauthorized, "check user and password"},
		{"unknown user", func(_ *sparkwright.Connection, cred *sparkwright.Credentials) { cred.User = "nobody_here" }, sparkwright.CodeUnauthorized, "refused the login"},
		{"may not log in", func(_ *sparkwright.Connection, cred *sparkwright.Credentials) {
			cred.User, cred.Password = "mute", "mute"
		}, sparkwright.CodeUnauthorized, "may log in"},
		{"unknown database", func(c *sparkwright.Connection, _ *sparkwright.Credentials) { c.Database = "nothing" }, sparkwright.CodeNotFound, `no database "nothing"`},
		{"nobody listens", func(c *sparkwright.Connection, _ *sparkwright.Credentials) { c.Port = closed }, sparkwright.CodeUnavailable, "nothing listens there"},
		{"unknown host", func(c *sparkwright.Connection, _ *sparkwright.Credentials) {
			c.Host, c.TLS = "nowhere.invalid", "disable"
		}, sparkwright.CodeUnavailable, "cannot be resolved"},
		{"no TLS", func(c *sparkwright.Connection, _ *sparkwright.Credentials) { c.TLS = "require" }, sparkwright.CodeUnavailable, "does not support TLS"},
		{"too many", func(_ *sparkwright.Connection, cred *sparkwright.Credentials) {
			cred.User, cred.Password = "few", "few"
		}, sparkwright.CodeResource, "no connection free"},
		{"no user", func(c *sparkwright.Connection, cred *sparkwright.Credentials) { c.User, cred.User = "", "" }, sparkwright.CodeInvalid, "no user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, cred := owner(t, "errors")
			tt.change(&c, &cred)
			_, err := postgres.Open(t.Context(), c, cred)
			wantError(t, err, tt.code, tt.says)
			if e, ok := err.(*sparkwright.Error); ok && strings.Contains(e.Error()+e.Remedy, "hunter2") { //nolint:errorlint // the very type is the promise
				t.Errorf("the password is in %v", e)
			}
		})
	}
	t.Run("silent server", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		c, cred := owner(t, "errors")
		c.Port = l.Addr().(*net.TCPAddr).Port
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = postgres.Open(ctx, c, cred)
		wantError(t, err, sparkwright.CodeTimeout, "did not answer in time")
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		c, cred := owner(t, "errors")
		src := open(t, c, cred)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := src.Catalog(ctx, postgres.Filter{})
		wantError(t, err, sparkwright.CodeCancelled, "cancelled")
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"sales.orders", "sales.order_items", "crm.customers", "crm.tickets", "sales.products"}
	for name, want := range map[string]string{
		"order": "sales.orders", "oredrs": "sales.orders", "item_order": "sales.order_items", "Customer": "crm.customers",
		"sales.product": "sales.products", "xyzzy": "", "": "",
	} {
		got := strings.Join(postgres.Nearest(name, names, 1), " ")
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := postgres.Nearest("orders", names, 2); len(got) != 2 || got[1] != "sales.order_items" {
		t.Errorf("%s: %q", strconv.Quote("orders"), got)
	}
}
