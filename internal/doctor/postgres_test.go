package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func clearDriver(s *settings.Settings) error {
	s.Postgres.JDBCDriverPath = ""
	return nil
}

// namedIdentity is a user: moto's caller is the account's root, whose policies
// nobody simulates.
type namedIdentity struct{ doctor.Identity }

func (n namedIdentity) GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, opt ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	out, err := n.Identity.GetCallerIdentity(ctx, in, opt...)
	if err == nil {
		out.Arn = aws.String("arn:aws:sts::123456789012:assumed-role/server/session")
	}
	return out, err
}

// The table of seeded faults in PostgreSQL.
func TestFaultsInPostgres(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id, database, extra string
		level               doctor.Level
		says                string
		change              func(*sparkwright.Connection)
		password            string
	}{
		{id: "", database: "well"},
		{id: "postgres.reach", database: "reach", level: doctor.Fail, says: "port", change: func(c *sparkwright.Connection) { c.Port = closedPort(t) }},
		{id: "postgres.tls", database: "tls", level: doctor.Fail, says: "ssl = on", change: func(c *sparkwright.Connection) { c.TLS = sparkwright.TLSRequire }},
		{id: "postgres.login", database: "login", level: doctor.Fail, says: "ALTER ROLE", password: "wrong"},
		{id: "postgres.read", database: "noread", level: doctor.Fail, says: "GRANT SELECT", extra: "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM READER"},
		{id: "postgres.read", database: "someread", level: doctor.Warn, says: "GRANT SELECT", extra: "REVOKE SELECT ON customers FROM READER"},
		{id: "postgres.write", database: "write", level: doctor.Fail, says: "REVOKE INSERT", extra: "GRANT INSERT ON orders TO READER"},
		{id: "postgres.write", database: "writesetting", level: doctor.Fail, says: "CREATE ROLE", extra: "GRANT UPDATE ON orders TO READER; ALTER ROLE READER SET default_transaction_read_only = on"},
		{id: "postgres.write", database: "writecreate", level: doctor.Warn, says: "REVOKE CREATE", extra: "GRANT CREATE ON SCHEMA public TO READER"},
		{id: "postgres.limits", database: "limits", level: doctor.Fail, says: "CONNECTION LIMIT", extra: "ALTER ROLE READER CONNECTION LIMIT 2"},
		{id: "postgres.types", database: "types", level: doctor.Warn, says: "numeric(38, 6)", extra: "CREATE TABLE odd (id int, x numeric, t timetz); GRANT SELECT ON odd TO READER"},
	}
	for _, tt := range tests {
		t.Run(tt.database, func(t *testing.T) {
			t.Parallel()
			c, password := shop(t, tt.database, tt.extra)
			if tt.change != nil {
				tt.change(&c)
			}
			if tt.password != "" {
				password = tt.password
			}
			cfg := config(t, c, password)
			r := doctor.Run(t.Context(), doctor.Only(doctor.Checks(cfg), "postgres"))
			if tt.id == "" {
				for _, f := range r.Findings {
					if f.Level != doctor.OK {
						t.Errorf("%s is %s: %s (%s)", f.ID, f.Level, f.Message, f.Because)
					}
				}
				return
			}
			f := wantOnly(t, r, tt.id, tt.level)
			var fixes strings.Builder
			for _, fix := range f.Fixes {
				fixes.WriteString(fix.Text + "\n")
			}
			if !strings.Contains(fixes.String(), tt.says) {
				t.Errorf("no %q in the fixes:\n%s", tt.says, fixes.String())
			}
		})
	}
}

// The repair of a role that can write: a new role, its password in a file, and
// a connection that uses it.
func TestMakeReader(t *testing.T) {
	t.Parallel()
	c, _ := shop(t, "makereader", "")
	admin, password := owner(t, server, c.Database)
	admin.Name = "makereader"
	home := t.TempDir()
	if err := settings.Update(home, func(s *settings.Settings) error { return s.PutConnection(admin) }); err != nil {
		t.Fatal(err)
	}
	make := func() doctor.Config {
		cfg := config(t, admin, password)
		cfg.Home, cfg.Settings = home, load(t, home)
		cfg.Save = func(change func(*settings.Settings) error) error { return settings.Update(home, change) }
		base := cfg.Login
		cfg.Login = func(ctx context.Context, c sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
			if !strings.HasPrefix(c.Secret, "file:"+home) {
				return base(ctx, c)
			}
			return secret.Complete(ctx, c) // what the repair has kept is sealed
		}
		return cfg
	}
	checks := doctor.Only(doctor.Checks(make()), "postgres")
	before := doctor.Run(t.Context(), checks)
	wantOnly(t, before, "postgres.write", doctor.Fail)
	shown := ""
	if _, err := doctor.Mend(t.Context(), checks, before, func(_ doctor.Finding, plan string) bool { shown = plan; return true }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown, "CREATE ROLE") {
		t.Errorf("the SQL was not shown: %q", shown)
	}
	after := doctor.Run(t.Context(), doctor.Only(doctor.Checks(make()), "postgres"))
	if f := finding(t, after, "postgres.write"); f.Level != doctor.OK || !strings.Contains(f.Message, "sparkwright_makereader") {
		t.Errorf("after the repair: %+v", f)
	}
	wantNoFailureBut(t, after, "")
	info, err := os.Stat(filepath.Join(home, "secrets", "makereader"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v %v", info, err)
	}
}

// A repair that nobody agreed to is not made.
func TestRepairIsRefused(t *testing.T) {
	t.Parallel()
	c, _ := shop(t, "refused", "")
	admin, password := owner(t, server, c.Database)
	cfg := config(t, admin, password)
	cfg.Save = func(func(*settings.Settings) error) error {
		t.Error("something was written")
		return nil
	}
	checks := doctor.Only(doctor.Checks(cfg), "postgres")
	before := doctor.Run(t.Context(), checks)
	after, err := doctor.Mend(t.Context(), checks, before, func(doctor.Finding, string) bool { return false })
	if err != nil || after != before {
		t.Errorf("%v", err)
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	c, password := owner(t, server, "postgres")
	exec(t, c, password, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	c.Database = "ascii"
	r := doctor.Run(t.Context(), doctor.Only(doctor.Checks(config(t, c, password)), "postgres"))
	f := finding(t, r, "postgres.encoding")
	if f.Level != doctor.Fail || len(f.Fixes) == 0 {
		t.Errorf("%+v", f)
	}
	seeded(t, f)
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// A server with TLS that also lets unencrypted logins in, with a certificate
// that the connection knows, or not.
func TestServerWithTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := pgembed.Start(t.Context(), pgembed.Options{Dir: dir, CacheDir: cacheDir(), Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	c, password := owner(t, s, "postgres")
	root := certificate(t, dataDir(t, dir))
	exec(t, c, password, "ALTER SYSTEM SET ssl = on")
	exec(t, c, password, "SELECT pg_reload_conf()")
	c.TLS, c.RootCert = sparkwright.TLSVerifyFull, root
	run := func() *doctor.Report {
		return doctor.Run(t.Context(), doctor.Only(doctor.Checks(config(t, c, password)), "postgres"))
	}
	waitFor(t, func() bool { return finding(t, run(), "postgres.tls").Level == doctor.OK })
	f := finding(t, run(), "postgres.enforced")
	if f.Level != doctor.Warn || !strings.Contains(f.Fixes[0].Text, "rds.force_ssl") {
		t.Errorf("unencrypted logins are allowed, and it is %s: %s", f.Level, f.Message)
	}
	seeded(t, f)
	exec(t, c, password, "SELECT pg_reload_conf()")
	c.RootCert = certificate(t, t.TempDir())
	r := run()
	if f := finding(t, r, "postgres.tls"); f.Level != doctor.Fail || !strings.Contains(f.Message, "certificate") {
		t.Errorf("an unknown authority: %+v", f)
	}
}

// A server in recovery is a replica.
func TestReplica(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opt := pgembed.Options{Dir: dir, CacheDir: cacheDir(), Settings: map[string]string{"fsync": "off"}}
	s, err := pgembed.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(dataDir(t, dir), "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = pgembed.Start(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	c, password := owner(t, s, "postgres")
	r := doctor.Run(t.Context(), doctor.Only(doctor.Checks(config(t, c, password)), "postgres"))
	f := finding(t, r, "postgres.replica")
	if f.Level != doctor.Warn || !strings.Contains(f.Because, "snapshot") {
		t.Errorf("%+v", f)
	}
	seeded(t, f)
}

// dataDir finds the server's data below its directory.
func dataDir(t *testing.T, dir string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == "PG_VERSION" && found == "" {
			found = filepath.Dir(path)
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no data in %s: %v", dir, err)
	}
	return found
}

// certificate writes server.key and server.crt for 127.0.0.1 and localhost, and returns the latter's path.
func certificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: der}, "server.key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		own(t, path, owner)
	}
	return filepath.Join(dir, "server.crt")
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatal("it did not happen within a minute")
		}
		<-time.After(100 * time.Millisecond)
	}
}
