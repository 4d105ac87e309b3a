package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestServerDialsOnlyWhatItMay: every place where a user names a host. What is
// listening on this machine, and the metadata services, are not reached.
func TestServerDialsOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	s := newTeam(t)
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var reached atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener's
	encode := func(fields map[string]any) string {
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const bob, eve = "bob/analyst", "eve/admin"
	refused := func(what, text string) {
		t.Helper()
		if !strings.Contains(text, "are refused") {
			t.Errorf("%s: %s", what, text)
		}
	}
	for i, host := range []string{"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "10.1.2.3", "fd00:ec2::254", "100.100.100.200"} {
		name := "b" + strconv.Itoa(i)
		fields := map[string]any{"name": name, "host": host, "port": port, "user": "u", "password": "x", "tls": "disable"}
		_, text := s.as(t, bob, "POST", "/api/v1/connections/test", encode(fields))
		if strings.Contains(text, "nothing at this path") {
			t.Fatal(text)
		}
		refused("try "+host, text)
		if status, said := s.as(t, bob, "POST", "/api/v1/connections", encode(fields)); status != http.StatusCreated {
			t.Fatalf("%s: HTTP %d: %s", host, status, said)
		}
		_, text = s.as(t, bob, "POST", "/api/v1/connections/"+name+"/test", "")
		refused("test "+host, text)
		_, text = s.as(t, bob, "GET", "/api/v1/connections/"+name+"/tables", "")
		refused("tables "+host, text)
		_, text = s.as(t, bob, "GET", "/postgres/"+name+"/databases", "")
		refused("databases "+host, text)
		_, text = s.as(t, bob, "POST", "/postgres/test-connection", encode(map[string]any{"host": host, "port": port, "auth_method": "user_password", "username": "u", "password": "x", "tls": "disable"}))
		refused("the contract's test of "+host, text)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("this machine was reached %d times", n)
	}
	// Logins of the server are not sent to hosts of a client's.
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/x-0123abcd"
	for what, c := range map[string]struct{ path, body string }{
		"a secret":                {"/api/v1/connections", `{"name":"c1","host":"evil.example.com","user":"u","secret":"aws-sm:` + arn + `"}`},
		"a secret of the machine": {"/api/v1/connections", `{"name":"c2","host":"evil.example.com","user":"u","secret":"file:/etc/passwd"}`},
		"an IAM login":            {"/api/v1/connections", `{"name":"c3","host":"evil.example.com","user":"postgres","auth_method":"iam"}`},
	} {
		if status, text := s.as(t, bob, "POST", c.path, c.body); status != http.StatusForbidden {
			t.Errorf("%s: HTTP %d: %s", what, status, text)
		}
	}
	for what, c := range map[string]struct{ path, body string }{
		"the contract's secret": {"/postgres/test-connection", `{"host":"evil.example.com","auth_method":"secrets_manager","secret_arn":"` + arn + `"}`},
		"the contract's IAM":    {"/postgres/connections", `{"name":"c4","host":"evil.example.com","auth_method":"iam"}`},
		"a jdbc_url": {"/spark/generate", `{"prompt":"q","session_id":"s","selected_postgres_tables":[{"connection_name":"no","database":"d","schema":"s","table":"t",` +
			`"jdbc_url":"jdbc:postgresql://evil.example.com:5432/d","secret_arn":"` + arn + `"}]}`},
	} {
		if _, text := s.as(t, bob, "POST", c.path, c.body); !strings.Contains(text, "needs the role admin") {
			t.Errorf("%s: %s", what, text)
		}
	}
	// An administrator reaches this machine, and no metadata service either.
	admin := map[string]any{"name": "e1", "host": "127.0.0.1", "port": port, "user": "u", "password": "x", "tls": "disable"}
	if _, text := s.as(t, eve, "POST", "/api/v1/connections/test", encode(admin)); strings.Contains(text, "are refused") || reached.Load() == 0 {
		t.Errorf("%s", text)
	}
	admin["host"] = "169.254.169.254"
	_, text := s.as(t, eve, "POST", "/api/v1/connections/test", encode(admin))
	refused("an administrator", text)
	before := reached.Load()
	if status, text := s.as(t, eve, "PUT", "/api/v1/settings", `{"values":{"network.private_addresses":true}}`); status != http.StatusOK {
		t.Fatal(text)
	}
	if _, text := s.as(t, bob, "POST", "/api/v1/connections/b0/test", ""); strings.Contains(text, "are refused") || reached.Load() == before {
		t.Errorf("with the setting: %s", text)
	}
	if _, text := s.as(t, bob, "POST", "/api/v1/connections/b5/test", ""); !strings.Contains(text, "are refused") {
		t.Errorf("metadata with the setting: %s", text)
	}
}
