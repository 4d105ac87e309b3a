package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/redact"
	"github.com/sparkwright/sparkwright/internal/secret"
)

// lockedBuffer is a log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestSecretsAreNowhere: passwords and keys that were given to the server are in
// no reply of any route, no log, no metric, no audit entry and no file of the data
// directory, whether raw, as JSON, URL, base64 or hexadecimal.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := newTeam(t)
	const password, key, wrong = `canary-pä"ss/w0rd+1`, "sk-canary-key-8d21", "canary-wrong-3b7c"
	secrets := redact.New(password, key, wrong)
	seen := func(where, text string) {
		t.Helper()
		if secrets.Text(text) != text {
			t.Errorf("a secret is in %s: %s", where, secrets.Text(text))
		}
	}
	quoted, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	const admin = "eve/admin"
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/v1/connections", `{"name":"one","host":"127.0.0.1","port":1,"user":"u","tls":"disable","password":` + string(quoted) + `}`},
		{"POST", "/postgres/connections", `{"name":"two","host":"127.0.0.1","port":1,"auth_method":"user_password","username":"u","password":` + string(quoted) + `}`},
		{"PUT", "/api/v1/settings", `{"secrets":{"model.api_key":"` + key + `"}}`},
		{"PUT", "/api/v1/settings", `{"secrets":{"model.nothing":"` + wrong + `"}}`},
		{"PUT", "/api/v1/settings", `{"values":{"model.api_key":"` + wrong + `"}}`},
		{"POST", "/api/v1/connections", `{"name":"three","host":"h","user":"u","secret":"` + wrong + `"}`},
		{"POST", "/api/v1/connections", `{"name":"four","host":"h","user":"u","password":{"x":"` + wrong + `"}}`},
		{"POST", "/api/v1/connections/one/test", ""},
		{"POST", "/api/v1/connections/test", `{"name":"five","host":"127.0.0.1","port":1,"user":"u","tls":"disable","password":` + string(quoted) + `}`},
		{"POST", "/postgres/test-connection", `{"host":"127.0.0.1","port":1,"auth_method":"user_password","username":"u","password":` + string(quoted) + `}`},
		{"POST", "/api/v1/plan", `{"question":"q","tables":["one.public.t"]}`},
		{"POST", "/api/v1/runs", `{"question":"q","tables":["one.public.t"]}`},
	} {
		_, text := s.as(t, admin, c.method, c.path, c.body)
		seen(c.method+" "+c.path, text)
	}
	hole := regexp.MustCompile(`\{[^}]*\}`)
	for _, pattern := range s.patterns {
		method, path, ok := strings.Cut(pattern, " ")
		if ok && method == "GET" && !strings.Contains(path, "doctor") {
			_, text := s.as(t, admin, method, hole.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "one"), "")
			seen(pattern, text)
		}
	}
	// It is kept all the same, and can be used.
	kept, err := s.app.databases.conf().Connection("one")
	if err != nil {
		t.Fatal(err)
	}
	if cred, lost := secret.Resolve(t.Context(), sparkwright.Connection{Secret: kept.Secret}); lost != nil || cred.Password != password {
		t.Errorf("the password is lost: %v", lost)
	}
	entries, err := s.app.store.Audit(t.Context(), "", 0, 1000)
	if err != nil || len(entries) < 10 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	told, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	seen("the audit log", string(told))
	s.log.mu.Lock()
	if said := s.log.b.String(); !strings.Contains(said, "POST /api/v1/runs") && !strings.Contains(said, `"route":"/api/v1/runs"`) {
		t.Errorf("the log says nothing: %s", said)
	}
	seen("the log", s.log.b.String())
	s.log.mu.Unlock()
	files := 0
	err = filepath.WalkDir(s.app.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if err == nil && secrets.Text(string(content)) != string(content) {
			t.Errorf("a secret is in %s", path)
		}
		return err
	})
	if err != nil || files < 6 {
		t.Errorf("%d files, %v", files, err)
	}
}
