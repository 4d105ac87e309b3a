package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
)

// TestInterpretServerError covers what cannot be provoked on the shared server.
func TestInterpretServerError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state, message string
		code           sparkwright.Code
	}{
		{"28000", `no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption`, sparkwright.CodeUnauthorized},
		{"28000", `PAM authentication failed for user "u"`, sparkwright.CodeUnauthorized},
		{"42501", "permission denied for table t", sparkwright.CodeUnauthorized},
		{"42P01", `relation "t" does not exist`, sparkwright.CodeNotFound},
		{"57014", "canceling statement due to statement timeout", sparkwright.CodeTimeout},
		{"57014", "canceling statement due to user request", sparkwright.CodeCancelled},
		{"57P03", "the database system is starting up", sparkwright.CodeUnavailable},
		{"XX000", "something else", sparkwright.CodeInternal},
	} {
		got := interpretError(sparkwright.Connection{User: "u", Database: "d"}, &pgconn.PgError{Code: tt.state, Message: tt.message})
		if got.Code != tt.code || got.Because != tt.message || got.Message == "" || got.Remedy == "" {
			t.Errorf("%s %s: %+v", tt.state, tt.message, got)
		}
	}
}
