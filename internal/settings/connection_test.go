package settings_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func TestConnectionRoundTrip(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbC"
	tests := []struct {
		name string
		conn sparkwright.Connection
	}{
		{"password", sparkwright.Connection{
			Name: "shop", Host: "127.0.0.1", Port: 15432, Database: "größe", User: "a b",
			AuthMethod: sparkwright.AuthUserPassword, Secret: "file:/x/y", TLS: sparkwright.TLSVerifyCA, RootCert: "/ca.pem",
		}},
		{"secrets manager", sparkwright.Connection{
			Name: "aurora-prod", Port: 5432, Database: "d", AuthMethod: sparkwright.AuthSecretsManager, Secret: "aws-sm:" + arn,
		}},
		{"iam", sparkwright.Connection{Name: "i", Host: "::1", Port: 1, Database: "d", User: "u", AuthMethod: sparkwright.AuthIAM}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			if err := settings.Update(home, func(s *settings.Settings) error { return s.PutConnection(tt.conn) }); err != nil {
				t.Fatal(err)
			}
			s, err := settings.LoadEnv(home, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Connection(tt.conn.Name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.conn, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPutConnectionRefuses(t *testing.T) {
	t.Parallel()
	ok := sparkwright.Connection{Name: "c", Host: "h"}
	tests := []struct {
		name   string
		change func(*sparkwright.Connection)
	}{
		{"password", func(c *sparkwright.Connection) { c.Secret = "canary" }},
		{"password with a colon", func(c *sparkwright.Connection) { c.Secret = "env:canary!" }},
		{"not an ARN", func(c *sparkwright.Connection) { c.Secret = "aws-sm: canary\n" }},
		{"dot in name", func(c *sparkwright.Connection) { c.Name = "a.b" }},
		{"no name", func(c *sparkwright.Connection) { c.Name = "" }},
		{"no host", func(c *sparkwright.Connection) { c.Host = "" }},
		{"host with options", func(c *sparkwright.Connection) { c.Host = "h?canary=1" }},
		{"control character", func(c *sparkwright.Connection) { c.Database = "a\nb" }},
		{"port", func(c *sparkwright.Connection) { c.Port = -1 }},
		{"tls", func(c *sparkwright.Connection) { c.TLS = "allow" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, s := ok, settings.Default()
			tt.change(&conn)
			err := s.PutConnection(conn)
			if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || strings.Contains(fmt.Sprintf("%+v", err), "canary") {
				t.Errorf("PutConnection: %v", err)
			}
			if len(s.Connections()) != 0 {
				t.Error("the connection was taken")
			}
		})
	}
}

func TestPutReplacesAndRemoveFinds(t *testing.T) {
	t.Parallel()
	home := writeFile(t, `{"postgres": {"connections": [{"name": "a", "host": "1", "description": "mine", "enabled": false, "x": 1}, {"name": "b"}, {"name": "a"}]}}`)
	err := settings.Update(home, func(s *settings.Settings) error {
		return s.PutConnection(sparkwright.Connection{Name: "a", Host: "2", AuthMethod: sparkwright.AuthIAM})
	})
	if err != nil {
		t.Fatal(err)
	}
	list := readDoc(t, home)["postgres"].(map[string]any)["connections"].([]any)
	first := list[0].(map[string]any)
	if len(list) != 2 || first["host"] != "2" || first["description"] != "mine" || first["enabled"] != false || first["x"] != 1.0 {
		t.Errorf("connections: %v", list)
	}
	err = settings.Update(home, func(s *settings.Settings) error { return s.RemoveConnection("a") })
	if err != nil {
		t.Fatal(err)
	}
	err = settings.Update(home, func(s *settings.Settings) error { return s.RemoveConnection("a") })
	e, ok := errors.AsType[*sparkwright.Error](err)
	if !ok || e.Code != sparkwright.CodeNotFound || !strings.Contains(e.Remedy, "use one of: b") {
		t.Errorf("RemoveConnection again: %#v", err)
	}
}
