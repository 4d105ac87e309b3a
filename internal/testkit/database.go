package testkit

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

// NewDatabase makes a database on an embedded PostgreSQL and returns its URL,
// with the login of the owner.
func NewDatabase(tb testing.TB, c sparkwright.Connection, name string) string {
	tb.Helper()
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		tb.Fatal(err)
	}
	u := url.URL{
		Scheme: "postgresql", User: url.UserPassword(c.User, strings.TrimSpace(string(password))),
		Host: c.Host + ":" + strconv.Itoa(c.Port), Path: "/" + c.Database, RawQuery: "sslmode=disable",
	}
	owner, err := pgx.Connect(tb.Context(), u.String())
	if err != nil {
		tb.Fatal(err)
	}
	defer owner.Close(tb.Context()) //nolint:errcheck // nothing is lost
	if _, err = owner.Exec(tb.Context(), `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
