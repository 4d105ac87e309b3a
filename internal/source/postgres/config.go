package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/netguard"
)

const (
	connectTimeout  = 10 * time.Second
	applicationName = "sparkwright"
	maxFieldLength  = 1024
)

// hostName allows what DNS and container networks use.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// Validate checks every field of conn that goes into a URL or a session.
// Errors are CodeInvalid and name the field.
func Validate(conn sparkwright.Connection) error {
	if err := validateHost(conn.Host); err != nil {
		return err
	}
	if conn.Port < 1 || conn.Port > 65535 {
		return invalid("the port "+strconv.Itoa(conn.Port)+" is not valid", "it must be between 1 and 65535", "PostgreSQL usually listens on 5432")
	}
	for _, field := range []struct{ name, value string }{{"database", conn.Database}, {"user", conn.User}} {
		switch {
		case field.value == "" && field.name == "user" && conn.Secret != "":
			// The secret may name the user.
		case field.value == "":
			return invalid("the connection has no "+field.name, "", "give the "+field.name+" name")
		case len(field.value) > maxFieldLength || !utf8.ValidString(field.value) || strings.ContainsFunc(field.value, isControl):
			return invalid("the "+field.name+" name is not valid", "it is too long or holds control characters", "")
		}
	}
	switch conn.TLS {
	case "", sparkwright.TLSDisable, sparkwright.TLSRequire, sparkwright.TLSVerifyCA, sparkwright.TLSVerifyFull:
	default:
		return invalid(fmt.Sprintf("the TLS mode %q is not known", conn.TLS), "prefer and allow promise nothing and are not supported",
			"use disable, require, verify-ca or verify-full")
	}
	if conn.RootCert != "" && (!filepath.IsAbs(conn.RootCert) || strings.ContainsFunc(conn.RootCert, isControl)) {
		return invalid("the certificate file "+strconv.Quote(conn.RootCert)+" is not an absolute path", "", "give the full path of the PEM file")
	}
	return nil
}

func validateHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return nil
	}
	if len(host) <= 253 && hostName.MatchString(host) {
		return nil
	}
	because := "it is neither a host name nor an IP address"
	switch {
	case host == "":
		because = "it is empty"
	case strings.HasPrefix(host, "/"):
		because = "Unix sockets are not supported: Spark reads over TCP"
	case strings.Contains(host, ","):
		because = "only one host is supported"
	}
	return invalid("the host "+strconv.Quote(host)+" is not valid", because, "give one host name, IPv4 or IPv6 address, without port")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func invalid(message, because, remedy string) error {
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: message, Because: because, Remedy: remedy}
}

// Loopback reports whether host is this machine by its very name.
func Loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// TLS returns the TLS mode that holds for conn: its own, else verify-full, or
// disable on loopback.
func TLS(conn sparkwright.Connection) sparkwright.TLSMode {
	switch {
	case conn.TLS != "":
		return conn.TLS
	case Loopback(conn.Host):
		return sparkwright.TLSDisable
	default:
		return sparkwright.TLSVerifyFull
	}
}

// JDBCURL builds the URL for pgjdbc from conn's fields, after Validate. It
// holds neither user nor password. appName becomes the session's
// application_name.
func JDBCURL(conn sparkwright.Connection, appName string) (string, error) {
	if err := Validate(conn); err != nil {
		return "", err
	}
	params := []string{
		"ApplicationName=" + escape(appName),
		"connectTimeout=" + strconv.Itoa(int(connectTimeout.Seconds())),
		"tcpKeepAlive=true",
	}
	mode := TLS(conn)
	params = append(params, "sslmode="+string(mode))
	switch {
	case mode == sparkwright.TLSDisable:
	case conn.RootCert != "":
		params = append(params, "sslrootcert="+escape(conn.RootCert))
	case mode != sparkwright.TLSRequire:
		// pgjdbc would look for ~/.postgresql/root.crt; this one trusts Java's authorities.
		params = append(params, "sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory")
	}
	host := conn.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("jdbc:postgresql://%s:%d/%s?%s", host, conn.Port, escape(conn.Database), strings.Join(params, "&")), nil
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// fixedDSN sets every parameter that pgx would otherwise take from the
// environment or the home directory. The real values are set as fields after.
const fixedDSN = "host=localhost port=5432 user=none database=none password=none passfile='' connect_timeout=10 " +
	"application_name='' timezone='' options='' sslmode=disable sslcertmode=disable sslcert='' sslkey='' sslrootcert='' " +
	"sslpassword='' sslsni=1 sslnegotiation=postgres target_session_attrs=any min_protocol_version=3.0 " +
	"max_protocol_version=3.0 channel_binding=prefer require_auth=''"

// Config builds the driver's configuration from validated fields. The user of
// cred takes precedence over conn's. The session is named "sparkwright" and
// has no other settings yet.
func Config(conn sparkwright.Connection, cred sparkwright.Credentials) (*pgx.ConnConfig, error) {
	if err := Validate(conn); err != nil {
		return nil, err
	}
	cfg, err := baseConfig(conn.Outside)
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port, cfg.Database = conn.Host, uint16(conn.Port), conn.Database //nolint:gosec // validated range
	cfg.User, cfg.Password = conn.User, cred.Password
	if cred.User != "" {
		cfg.User = cred.User
	}
	if cfg.User == "" {
		return nil, invalid("the connection has no user", "neither the connection nor its secret names one", "give the user name")
	}
	cfg.Fallbacks = nil
	cfg.RuntimeParams = map[string]string{"application_name": applicationName}
	cfg.TLSConfig, err = tlsConfig(conn)
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// baseConfig parses fixedDSN. Only PGSERVICE cannot be overridden in it: when
// it is set, an empty service of our own takes its place.
func baseConfig(outside bool) (*pgx.ConnConfig, error) {
	dsn := fixedDSN
	if os.Getenv("PGSERVICE") != "" {
		f, err := os.CreateTemp("", "sparkwright-service-*")
		if err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeResource, "cannot write a temporary file: %w", err)
		}
		defer func() { _ = os.Remove(f.Name()) }()
		_, err = f.WriteString("[none]\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeResource, "cannot write a temporary file: %w", err)
		}
		dsn += " service=none servicefile='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(f.Name()) + "'"
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the driver refuses its configuration: %w", err)
	}
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	cfg.ConnectTimeout = connectTimeout
	guard := &netguard.Guard{Policy: netguard.Private, Dial: dialer.DialContext}
	if outside {
		guard.Policy = netguard.Public
	}
	cfg.LookupFunc, cfg.DialFunc = guard.LookupHost, guard.DialContext // the driver looks up first, then dials what was found
	return cfg, nil
}

// tlsConfig is nil when TLS is off.
func tlsConfig(conn sparkwright.Connection) (*tls.Config, error) {
	mode := TLS(conn)
	if mode == sparkwright.TLSDisable {
		return nil, nil //nolint:nilnil // the driver's way to say "no TLS"
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: conn.Host}
	if conn.RootCert != "" {
		pem, err := os.ReadFile(conn.RootCert)
		if err != nil {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "cannot read the certificate file " + conn.RootCert,
				Because: err.Error(), Remedy: "correct the path or its permissions", Err: err,
			}
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, invalid("the certificate file "+conn.RootCert+" holds no certificate", "", "give a PEM file of the authorities to trust")
		}
	}
	switch mode {
	case sparkwright.TLSRequire:
		cfg.InsecureSkipVerify = true // what "require" means in libpq
	case sparkwright.TLSVerifyCA:
		cfg.InsecureSkipVerify = true // the chain is verified below, the name on purpose not
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			opts := x509.VerifyOptions{Roots: cfg.RootCAs, Intermediates: x509.NewCertPool()}
			for _, cert := range state.PeerCertificates[1:] {
				opts.Intermediates.AddCert(cert)
			}
			_, err := state.PeerCertificates[0].Verify(opts)
			return err
		}
	default:
	}
	return cfg, nil
}
