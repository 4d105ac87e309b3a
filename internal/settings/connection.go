package settings

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sparkwright/sparkwright"
)

// Connection is a PostgreSQL connection as it is kept: the keys of the
// reference system and ours. Older entries lack some of them.
type Connection struct {
	Name        string
	Description string // for people; "host:port/database" unless given
	Enabled     bool   // shown in lists; others can still be used by name
	AuthMethod  sparkwright.AuthMethod
	Host        string // "" when only the secret knows
	Port        int
	Database    string
	SecretARN   string
	User        string
	Secret      string // a reference; "" when SecretARN is set or no secret is needed
	TLS         sparkwright.TLSMode
	RootCert    string
	Owner       string // user whose it is; "" = everybody's

	doc map[string]any // as it was read, unknown keys included
}

// Domain returns the connection in the form that the other packages use.
func (c *Connection) Domain() sparkwright.Connection {
	d := sparkwright.Connection{
		Name: c.Name, Host: c.Host, Port: cmp.Or(c.Port, 5432), Database: c.Database, User: c.User,
		AuthMethod: c.AuthMethod, Secret: c.Secret, TLS: c.TLS, RootCert: c.RootCert,
	}
	if d.Secret == "" && c.SecretARN != "" {
		d.Secret = secretPrefix + c.SecretARN
	}
	return d
}

var (
	connectionName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$`)
	hostName       = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_.-]*[\pL\pN_.])?$`)
)

const secretPrefix = "aws-sm:"

// fromDomain overwrites what a sparkwright.Connection knows; description,
// enabled and unknown keys stay.
func (c *Connection) fromDomain(d sparkwright.Connection) {
	if c.Description == "" || c.Description == c.address() {
		c.Description = ""
	}
	c.Name, c.Host, c.Port, c.Database, c.User = d.Name, d.Host, cmp.Or(d.Port, 5432), d.Database, d.User
	c.AuthMethod, c.TLS, c.RootCert = cmp.Or(d.AuthMethod, sparkwright.AuthUserPassword), d.TLS, d.RootCert
	c.Secret, c.SecretARN = d.Secret, ""
	if arn, ok := strings.CutPrefix(d.Secret, secretPrefix); ok {
		c.Secret, c.SecretARN = "", arn
	}
	c.Description = cmp.Or(c.Description, c.address())
}

func (c *Connection) address() string {
	if c.Host == "" {
		return c.Database
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) + "/" + c.Database
}

// Connection returns the connection of that name, the first one if there are
// several. CodeNotFound names the connections that there are.
func (s *Settings) Connection(name string) (sparkwright.Connection, error) {
	i := s.find(name)
	if i < 0 {
		return sparkwright.Connection{}, s.noConnection(name)
	}
	return s.reach(&s.Postgres.Connections[i]), nil
}

// reach is the connection with what it may lead to: one that a user has made
// for themselves leads outside only, unless the settings allow more.
func (s *Settings) reach(c *Connection) sparkwright.Connection {
	d := c.Domain()
	d.Outside = c.Owner != "" && !s.Network.PrivateAddresses
	return d
}

// Connections returns all connections that can be found by name, in the order
// of the file.
func (s *Settings) Connections() []sparkwright.Connection {
	var list []sparkwright.Connection
	for i := range s.Postgres.Connections {
		if c := &s.Postgres.Connections[i]; s.find(c.Name) == i {
			list = append(list, s.reach(c))
		}
	}
	return list
}

// PutConnection adds the connection, or replaces all of its name. Nothing is
// written: see Update. CodeInvalid names the field; a secret that is not a
// reference is refused.
func (s *Settings) PutConnection(d sparkwright.Connection) error {
	c := Connection{Enabled: true}
	at := s.find(d.Name)
	if at >= 0 {
		c = s.Postgres.Connections[at]
	}
	c.fromDomain(d)
	if !connectionName.MatchString(c.Name) {
		return invalid("name", "of a connection must be 1 to 63 letters, digits, _ or -")
	}
	if c.Host == "" && c.SecretARN == "" {
		return invalid("host", "of connection "+c.Name+" must not be empty")
	}
	if err := c.validate("connection " + c.Name); err != nil {
		return err
	}
	if at < 0 {
		s.Postgres.Connections = append(s.Postgres.Connections, c)
		return nil
	}
	list := slices.Clone(s.Postgres.Connections)
	list[at] = c
	s.Postgres.Connections = append(list[:at+1], without(list[at+1:], c.Name)...)
	return nil
}

// RemoveConnection removes all connections of that name. CodeNotFound when
// there is none.
func (s *Settings) RemoveConnection(name string) error {
	if s.find(name) < 0 {
		return s.noConnection(name)
	}
	s.Postgres.Connections = without(slices.Clone(s.Postgres.Connections), name)
	return nil
}

func without(list []Connection, name string) []Connection {
	return slices.DeleteFunc(list, func(c Connection) bool { return c.Name == name })
}

func (s *Settings) find(name string) int {
	return slices.IndexFunc(s.Postgres.Connections, func(c Connection) bool { return c.Name == name })
}

func (s *Settings) noConnection(name string) error {
	e := &sparkwright.Error{
		Code:    sparkwright.CodeNotFound,
		Message: "there is no connection " + strconv.Quote(name),
		Remedy:  "add one with: sparkwright connections add",
	}
	var names []string
	for i := range s.Postgres.Connections {
		names = append(names, s.Postgres.Connections[i].Name)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 0 {
		if len(names) > 20 {
			names = append(names[:20:20], "…")
		}
		e.Remedy = "use one of: " + strings.Join(names, ", ")
	}
	return e
}

func connectionKey(i int) string { return fmt.Sprintf("%s[%d]", keyConnections, i) }

// connectionFields lists the keys of an entry.
func connectionFields(c *Connection) []field {
	return []field{
		{key: "name", ptr: &c.Name, check: checkName, about: "Name, as questions and tables use it."},
		{key: "description", ptr: &c.Description, check: checkText, about: "For people; `host:port/database` unless given."},
		{key: "enabled", ptr: &c.Enabled, about: "Shown in lists. Others can still be used by name."},
		{key: "auth_method", ptr: (*string)(&c.AuthMethod), check: checkAuthMethod, about: "`secrets_manager`, `iam` (RDS IAM tokens) or `user_password`."},
		{key: "host", ptr: &c.Host, check: checkHost, about: "Host name or address. Empty: the secret has it."},
		{key: "port", ptr: &c.Port, check: between(1, 65535), about: "Port."},
		{key: "database", ptr: &c.Database, check: checkIdentifier, about: "Database."},
		{key: "secret_arn", ptr: &c.SecretARN, check: checkText, about: "ARN of the secret in AWS Secrets Manager: JSON with username and password, and perhaps host, port and database (or dbname)."},
		{key: "user", ptr: &c.User, check: checkIdentifier, about: "User. Empty: the secret has it. Needed for `iam`."},
		{key: "secret", ptr: &c.Secret, check: checkReference, about: "Reference to the password, where there is no `secret_arn`."},
		{key: "tls", ptr: (*string)(&c.TLS), check: checkTLS, about: "`disable`, `require`, `verify-ca` or `verify-full`. Empty: `verify-full`, on loopback `disable`."},
		{key: "root_cert", ptr: &c.RootCert, check: checkDir, about: "PEM file of the authorities to trust. Empty: those of the system."},
		{key: "owner", ptr: &c.Owner, check: checkText, about: "User whose it is, and who alone can use it. Empty: everybody."},
	}
}

// validate checks an entry; key is how it is named in messages.
func (c *Connection) validate(key string) error {
	for _, f := range connectionFields(c) {
		if f.check == nil {
			continue
		}
		if must := f.check(f.get()); must != "" {
			return invalid(key+"."+f.key, must)
		}
	}
	if c.Secret != "" && c.SecretARN != "" && c.Secret != secretPrefix+c.SecretARN {
		return invalid(key+".secret", "must be empty when secret_arn is set")
	}
	return nil
}

// defaultConnection is an entry without any key.
func defaultConnection() Connection {
	return Connection{Enabled: true, AuthMethod: sparkwright.AuthSecretsManager, Port: 5432, Database: "postgres"}
}

// mergeConnections reads the list of the file.
func (s *Settings) mergeConnections(value any) error {
	list, ok := value.([]any)
	if !ok {
		return invalid(keyConnections, "must be a list, not "+typeName(value))
	}
	for i, item := range list {
		key := connectionKey(i)
		doc, ok := item.(map[string]any)
		if !ok {
			return invalid(key, "must be an object, not "+typeName(item))
		}
		c := defaultConnection()
		c.doc = doc
		known := map[string]bool{}
		for _, f := range connectionFields(&c) {
			known[f.key] = true
			if doc[f.key] == nil {
				continue
			}
			converted, ok := convert(f.ptr, doc[f.key])
			if !ok {
				return invalid(key+"."+f.key, "must be "+f.kind()+", not "+typeName(doc[f.key]))
			}
			f.set(converted)
		}
		for _, name := range slices.Sorted(maps.Keys(doc)) {
			if name == "password" {
				return invalid(key+".password", "must not be there: name the secret in "+key+".secret (env:NAME, file:PATH or aws-sm:ARN)")
			}
			if !known[name] {
				s.warn("the setting %s.%s is unknown; it is kept and not used", key, name)
			}
		}
		if s.find(c.Name) >= 0 {
			s.warn("%s.name is %q again; only the first connection of that name is used", key, c.Name)
		}
		s.Postgres.Connections = append(s.Postgres.Connections, c)
	}
	return nil
}

// document is the entry as it is written: all keys of the reference system,
// ours when they are set, unknown ones as they were.
func (c *Connection) document() map[string]any {
	doc := make(map[string]any, len(c.doc)+12)
	maps.Copy(doc, c.doc)
	for _, f := range connectionFields(c) {
		value := f.get()
		if _, had := c.doc[f.key]; !had && value == "" && f.key != "description" && f.key != "secret_arn" {
			continue
		}
		doc[f.key] = value
	}
	return doc
}

func checkName(value any) string {
	if value == "" {
		return "must not be empty"
	}
	return checkText(value)
}

func checkAuthMethod(value any) string {
	switch sparkwright.AuthMethod(fmt.Sprint(value)) {
	case sparkwright.AuthSecretsManager, sparkwright.AuthIAM, sparkwright.AuthUserPassword:
		return ""
	}
	return "must be secrets_manager, iam or user_password"
}

func checkTLS(value any) string {
	switch sparkwright.TLSMode(fmt.Sprint(value)) {
	case "", sparkwright.TLSDisable, sparkwright.TLSRequire, sparkwright.TLSVerifyCA, sparkwright.TLSVerifyFull:
		return ""
	}
	return "must be disable, require, verify-ca or verify-full"
}

// checkHost allows one host name or IP address, and nothing that would change
// the meaning of a URL that is built from it.
func checkHost(value any) string {
	host, _ := value.(string)
	if host == "" || net.ParseIP(host) != nil {
		return ""
	}
	if len(host) > 253 || !hostName.MatchString(host) {
		return "must be one host name or IP address"
	}
	return ""
}

// checkIdentifier allows what PostgreSQL allows as the name of a database or
// a user.
func checkIdentifier(value any) string {
	text, _ := value.(string)
	if len(text) > 63 || strings.ContainsFunc(text, unicode.IsControl) {
		return "must be at most 63 bytes without control characters"
	}
	return ""
}

// OwnerOf is the user whose connection it is; "" = everybody's, or there is
// none.
func (s *Settings) OwnerOf(name string) string {
	if i := s.find(name); i >= 0 {
		return s.Postgres.Connections[i].Owner
	}
	return ""
}

// Own makes the connection of that name a user's own; "" = everybody's.
func (s *Settings) Own(name, user string) {
	if i := s.find(name); i >= 0 {
		s.Postgres.Connections[i].Owner = user
	}
}
