package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// login is what both endpoints that take a login read.
type login struct {
	conn                          sparkwright.Connection
	secretARN, username, password string
}

func (b *body) login(name func() string) login {
	var l login
	if name != nil {
		l.conn.Name = name()
	}
	l.conn.Host = b.text("host")
	l.conn.Port = b.numberOr("port", 5432)
	l.conn.Database = b.defaulted("database", "postgres")
	l.conn.AuthMethod = sparkwright.AuthMethod(b.text("auth_method"))
	l.secretARN = b.optional("secret_arn")
	l.username, l.password = b.optional("username"), b.optional("password")
	// Not in the reference: how the server's certificate is checked.
	l.conn.TLS = sparkwright.TLSMode(b.optional("tls"))
	l.conn.RootCert = b.optional("root_cert")
	return l
}

// incomplete is what the reference says of a login that lacks something.
func (l *login) incomplete() error {
	says := ""
	switch l.conn.AuthMethod {
	case sparkwright.AuthSecretsManager:
		if l.secretARN == "" {
			says = "Secret ARN required"
		}
	case sparkwright.AuthUserPassword:
		if l.username == "" || l.password == "" {
			says = "Username and password required"
		}
	case sparkwright.AuthIAM:
	default:
		return sparkwright.Errorf(sparkwright.CodeInvalid, "Invalid authentication method")
	}
	if says != "" {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s", says)
	}
	return nil
}

// allowed refuses what only administrators may name: a login of this server,
// which would be sent to a host of the client's, and a path of this machine.
// Others reach public addresses only, unless the settings say more.
func (s *server) allowed(ctx context.Context, l *login) error {
	if access.MayChange(ctx, "") {
		return nil
	}
	if l.conn.AuthMethod != sparkwright.AuthUserPassword || l.conn.RootCert != "" {
		return access.Denied(access.Admin)
	}
	set, err := s.cfg.Settings.Load()
	if err == nil {
		l.conn.Outside = !set.Network.PrivateAddresses
	}
	return err
}

// defaultUser is whom an IAM login without a user name logs in as.
const defaultUser = "postgres"

// testConnection is POST /postgres/test-connection.
func (s *server) testConnection(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	l := b.login(nil)
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	err := l.incomplete()
	if err == nil {
		err = s.allowed(r.Context(), &l)
	}
	if err != nil {
		s.write(w, http.StatusOK, map[string]any{"success": false, "message": err.Error()})
		return
	}
	conn := l.conn
	conn.Name = "test"
	var cred *sparkwright.Credentials
	switch conn.AuthMethod {
	case sparkwright.AuthSecretsManager: // the secret knows host, port and database
		conn.Secret, conn.Host, conn.Port, conn.Database = secretManager+l.secretARN, "", 0, ""
	case sparkwright.AuthIAM:
		conn.User = cmp.Or(l.username, defaultUser)
	default:
		conn.User = l.username
		cred = &sparkwright.Credentials{User: l.username, Password: l.password}
	}
	version, err := s.cfg.Postgres.Version(r.Context(), conn, cred)
	if err != nil {
		s.write(w, http.StatusOK, map[string]any{"success": false, "message": "Connection failed: " + s.explain(err)})
		return
	}
	version, _, _ = strings.Cut(version, ",")
	s.write(w, http.StatusOK, map[string]any{"success": true, "message": "Connection successful! " + version})
}

const secretManager = "aws-sm:"

// saveConnection is POST /postgres/connections: it adds a connection, or
// replaces the one of its name.
func (s *server) saveConnection(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	l := b.login(func() string { return b.text("name") })
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	err := l.incomplete()
	if err == nil {
		err = s.allowed(r.Context(), &l)
	}
	if err == nil {
		err = s.save(r.Context(), &l)
	}
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	c := &l.conn
	s.ok(w, map[string]any{"connection": map[string]any{
		"name": c.Name, "description": address(c), "enabled": true, "host": c.Host, "port": c.Port,
		"database": c.Database, "auth_method": c.AuthMethod, "secret_arn": shownSecret(c),
	}})
}

// save keeps the secret first and names it in the settings then; a secret that
// is not named any more is removed.
func (s *server) save(ctx context.Context, l *login) error {
	c := &l.conn
	switch c.AuthMethod {
	case sparkwright.AuthSecretsManager:
		c.Secret = secretManager + l.secretARN
	case sparkwright.AuthIAM:
		c.User = cmp.Or(l.username, defaultUser)
	default:
		c.User = l.username
		content, err := json.Marshal(secretDocument{ //nolint:gosec // the password goes into the secret, which is what it is for
			ConnectionName: c.Name, Host: c.Host, Port: c.Port, Database: c.Database, Username: l.username,
			Password: l.password, JDBCURL: jdbcURL(c),
		})
		if err != nil {
			return fmt.Errorf("encode the secret: %w", err)
		}
		if c.Secret, err = s.cfg.Secrets.Keep(ctx, c.Name, content); err != nil {
			return err
		}
	}
	before := ""
	access.Add(ctx, "connection "+c.Name)
	err := s.cfg.Settings.Update(func(set *settings.Settings) error {
		old, absent := set.Connection(c.Name)
		owner, err := access.Ownership(ctx, c.Name, absent == nil, set.OwnerOf(c.Name))
		if err != nil {
			return err
		}
		before = old.Secret
		if err = set.PutConnection(*c); err == nil {
			set.Own(c.Name, owner)
		}
		return err
	})
	unused := before
	if err != nil {
		unused = c.Secret
	}
	if unused == "" || (err == nil && unused == c.Secret) || (err != nil && c.AuthMethod != sparkwright.AuthUserPassword) {
		return err
	}
	if forgetErr := s.cfg.Secrets.Forget(ctx, unused); forgetErr != nil {
		s.cfg.Log.WarnContext(ctx, "secret not removed", "connection", c.Name, "error", forgetErr)
	}
	return err
}

// secretDocument is a secret as the reference writes it.
type secretDocument struct {
	ConnectionName string `json:"connection_name"`
	Host           string `json:"host"`
	Port           int    `json:"port"`
	Database       string `json:"database"`
	Username       string `json:"username"`
	Password       string `json:"password"`
	JDBCURL        string `json:"jdbc_url"`
}

// jdbcURL is the literal URL, without options.
func jdbcURL(c *sparkwright.Connection) string { return "jdbc:postgresql://" + address(c) }

func address(c *sparkwright.Connection) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) + "/" + c.Database
}

// shownSecret is what clients see in the place of a secret's ARN. A secret
// that is not in AWS is known by its connection's name: no path is told.
func shownSecret(c *sparkwright.Connection) string {
	if arn, ok := strings.CutPrefix(c.Secret, secretManager); ok {
		return arn
	}
	if c.Secret == "" {
		return ""
	}
	base, _, _ := strings.Cut(c.Name, "/")
	return localSecret + base
}

// localSecret begins the name of a secret that is not in AWS.
const localSecret = "local:"

// listConnections is GET /postgres/connections: those that are enabled.
func (s *server) listConnections(w http.ResponseWriter, r *http.Request) {
	empty := map[string]any{"connections": []any{}}
	set, err := s.cfg.Settings.Load()
	if err != nil {
		s.fail(w, err, empty)
		return
	}
	names, err := s.cfg.Postgres.Names(r.Context())
	if err != nil {
		s.fail(w, err, empty)
		return
	}
	list := []any{}
	known := map[string]bool{}
	for i := range set.Postgres.Connections {
		c := &set.Postgres.Connections[i]
		if c.Enabled && !known[c.Name] && access.MayUse(r.Context(), c.Owner) {
			list = append(list, map[string]any{"name": c.Name, "description": c.Description, "enabled": true})
		}
		known[c.Name] = true
	}
	for _, name := range names { // those that are not in the settings: the demo
		if !known[name] {
			list = append(list, map[string]any{"name": name, "description": "", "enabled": true})
		}
	}
	s.ok(w, map[string]any{"connections": list})
}
