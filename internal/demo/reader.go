package demo

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

// scramIterations is PostgreSQL's own default.
const scramIterations = 4096

// scramVerifier is what PostgreSQL stores of a password. Sending it instead of
// the password keeps the password out of the server's log and statistics.
func scramVerifier(password string) (string, error) {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	if password == "" || strings.ContainsFunc(password, unprintable) {
		return "", &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the password of " + Reader + " cannot be used",
			Because: "it is empty or has characters outside printable ASCII",
		}
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInternal, "derive the key of %s: %w", Reader, err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	enc := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, enc(salt), enc(stored[:]), enc(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// grant creates Reader, or gives it its password and privileges again.
func grant(ctx context.Context, conn *pgx.Conn, verifier string) error {
	var database string
	var exists bool
	err := conn.QueryRow(ctx, "SELECT current_database()::text, EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", Reader).Scan(&database, &exists)
	if err != nil {
		return failed(err)
	}
	verb := "CREATE"
	if exists {
		verb = "ALTER"
	}
	// The verifier has the characters of base64 and $:- only.
	return exec(ctx, conn, fmt.Sprintf(`
		%s ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '%s';
		ALTER ROLE %[2]s SET default_transaction_read_only = on;
		REVOKE TEMPORARY ON DATABASE %[4]s FROM PUBLIC;
		GRANT USAGE ON SCHEMA sales, crm TO %[2]s;
		GRANT SELECT ON ALL TABLES IN SCHEMA sales, crm TO %[2]s;`, verb, Reader, verifier, pgx.Identifier{database}.Sanitize()))
}
