package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// TestListening: who is let in where, and what is refused before anything
// starts.
func TestListening(t *testing.T) {
	t.Parallel()
	provider := func(s *settings.Settings) { s.Auth.OIDCIssuer, s.Auth.OIDCClientID = "https://id.example.com", "x" }
	for _, test := range []struct {
		name   string
		listen listening
		set    func(*settings.Settings)
		auth   string // as it is decided
		wrong  string // or why not
	}{
		{"loopback", listening{addr: "127.0.0.1"}, nil, authOpen, ""},
		{"loopback by name", listening{addr: "localhost"}, nil, authOpen, ""},
		{"loopback IPv6", listening{addr: "::1"}, nil, authOpen, ""},
		{"loopback with a token", listening{addr: "127.0.0.1", auth: authToken}, nil, authToken, ""},
		{"loopback and a provider", listening{addr: "127.0.0.1"}, provider, authOIDC, ""},
		{"every address", listening{addr: "0.0.0.0"}, nil, "", "open to everybody"},
		{"every address, IPv6", listening{addr: "::"}, nil, "", "open to everybody"},
		{"the network", listening{addr: "192.168.1.2"}, nil, "", "open to everybody"},
		{"the network, open", listening{addr: "192.168.1.2", auth: authOpen, cert: "c", key: "k"}, nil, "", "open to everybody"},
		{"behind a proxy without a login", listening{addr: "127.0.0.1", public: "https://ask.example.com"}, nil, "", "open to everybody"},
		{"behind a proxy, open", listening{addr: "127.0.0.1", public: "https://ask.example.com", auth: authOpen}, nil, "", "open to everybody"},
		{"behind a proxy with a token", listening{addr: "127.0.0.1", public: "https://ask.example.com/", auth: authToken}, nil, authToken, ""},
		{"every address with a token, no TLS", listening{addr: "0.0.0.0", auth: authToken}, nil, "", "travel unprotected"},
		{"every address with a token, a plain proxy", listening{addr: "0.0.0.0", auth: authToken, public: "http://ask.example.com"}, nil, "", "travel unprotected"},
		{"every address with a token and TLS", listening{addr: "0.0.0.0", auth: authToken, cert: "c", key: "k"}, nil, authToken, ""},
		{"every address and a provider behind a proxy", listening{addr: "0.0.0.0", public: "https://ask.example.com"}, provider, authOIDC, ""},
		{"a provider that is none", listening{addr: "127.0.0.1", auth: authOIDC}, nil, "", "no OpenID Connect provider"},
		{"a provider and a runtime", listening{addr: "127.0.0.1"}, func(s *settings.Settings) { provider(s); s.Spark.SupervisorARN = "arn" }, "", "exclude one another"},
		{"half of TLS", listening{addr: "127.0.0.1", cert: "c"}, nil, "", "belong together"},
		{"a word", listening{addr: "127.0.0.1", auth: "none"}, nil, "", "no --auth none"},
		{"a host name", listening{addr: "example.com"}, nil, "", "no IP address"},
		{"a public path", listening{addr: "127.0.0.1", public: "https://a.example/x", auth: authToken}, nil, "", "cannot be used"},
		{"a public word", listening{addr: "127.0.0.1", public: "ask", auth: authToken}, nil, "", "cannot be used"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := settings.Default()
			if test.set != nil {
				test.set(s)
			}
			err := test.listen.check(s)
			if test.wrong == "" && (err != nil || test.listen.auth != test.auth) {
				t.Errorf("%q, %v", test.listen.auth, err)
			}
			if test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong) || exitCode(err) != exitInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
	l := listening{addr: "10.0.0.5", public: "https://ask.example.com:8443"}
	if got := strings.Join(l.hosts(), " "); got != "127.0.0.1 localhost ::1 10.0.0.5 ask.example.com" {
		t.Error(got)
	}
}

// TestServeRefuses is the program itself: nothing is started.
func TestServeRefuses(t *testing.T) { //nolint:paralleltest // sets the environment
	t.Setenv("SPARKWRIGHT_HOME", t.TempDir())
	var out, errs bytes.Buffer
	if code := run([]string{"serve", "--addr", "0.0.0.0"}, strings.NewReader(""), &out, &errs); code != exitInvalid || !strings.Contains(errs.String(), "--auth token") {
		t.Errorf("exit %d: %s", code, &errs)
	}
	errs.Reset()
	if code := run([]string{"agent", "--addr", "0.0.0.0:0"}, strings.NewReader(""), &out, &errs); code != exitInvalid || !strings.Contains(errs.String(), "--behind-agentcore") {
		t.Errorf("exit %d: %s", code, &errs)
	}
}

func TestTokenAndAuditCommands(t *testing.T) { //nolint:paralleltest // sets the environment
	home := t.TempDir()
	t.Setenv("SPARKWRIGHT_HOME", home)
	do := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(args, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, &errs)
		}
		return strings.TrimSpace(out.String())
	}
	first := do("token", "show")
	if !strings.HasPrefix(first, "sw_") || do("token", "show") != first {
		t.Errorf("token %q", first)
	}
	if next := do("token", "rotate"); next == first || do("token", "show") != next {
		t.Errorf("it is not replaced: %q", next)
	}
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	st, err := app.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = st.Record(t.Context(), access.Entry{User: "oidc:1", Name: "an\x1b[31mn", Way: access.Cookie, Action: "POST /api/v1/runs", Object: "r1\nr2", Status: 202})
	if err != nil {
		t.Fatal(err)
	}
	app.close()
	if got := do("audit"); !strings.Contains(got, "an\uFFFD[31mn") || !strings.Contains(got, "202  cookie") || strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 0 {
		t.Errorf("%q", got)
	}
	if got := do("audit", "--json", "--user", "nobody"); got != "[]" {
		t.Errorf("%q", got)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"token", "link", "--server", "http://127.0.0.1:1"}, strings.NewReader(""), &out, &errs); code != exitUnavailable {
		t.Errorf("exit %d: %s", code, &errs)
	}
}

// userHeader takes user and role from a header.
type userHeader struct{}

func (userHeader) Identify(r *http.Request) (access.Identity, bool) {
	user, role, _ := strings.Cut(r.Header.Get("X-Test-User"), "/")
	return access.Identity{User: user, Name: user, Role: access.Role(role), Way: access.Token}, user != ""
}

func (userHeader) Login() string { return "" }

// team is a whole server of several users, without anything that runs.
type team struct {
	app      *app
	log      *lockedBuffer
	url      string
	patterns []string
}

func newTeam(t *testing.T) *team {
	t.Helper()
	testkit.Runtime(t)
	log := &lockedBuffer{}
	a := newApp(strings.NewReader(""), io.Discard, log)
	a.quiet, a.home = true, newHome(t)
	t.Cleanup(a.close)
	err := a.serverLog("debug")
	if err != nil {
		t.Fatal(err)
	}
	if a.settings, err = settings.LoadEnv(a.home, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	svc, err := a.service(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	around, err := a.api(t.Context(), svc)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := a.edge(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Auth, cfg.Audit, cfg.Mounts, cfg.PerSecond = userHeader{}, a.store, around.mounts, 1_000_000
	h := server.New(cfg)
	srv := httptest.NewServer(around.http.Wrap(h))
	t.Cleanup(srv.Close)
	return &team{app: a, log: log, url: srv.URL, patterns: h.Patterns()}
}

// as sends a request of a user, written USER/ROLE.
func (s *team) as(t *testing.T, user, method, path, body string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Test-User", user)
	req.Header.Set("Content-Type", "application/json")
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// TestEveryRouteOfTwoUsers: bob asks every route of the mux for what is ann's,
// by its true name, and gets nothing; ann still has everything.
func TestEveryRouteOfTwoUsers(t *testing.T) {
	t.Parallel()
	s := newTeam(t)
	const ann, bob = "ann/analyst", "bob/analyst"
	want := func(status int, user, method, path, body string) string {
		t.Helper()
		got, text := s.as(t, user, method, path, body)
		if got != status {
			t.Fatalf("%s: %s %s: HTTP %d: %s", user, method, path, got, text)
		}
		return text
	}
	// What is ann's; everything in it has a mark that bob must not see.
	want(201, ann, "POST", "/api/v1/connections", `{"name":"annsdb","host":"mark.example.com","database":"markdb","user":"mark","password":"mark"}`)
	want(200, ann, "POST", "/spark/upload-csv", `{"filename":"mark.csv","content":"mark,b\n1,2\n","session_id":"annssession"}`)
	sess, err := s.app.store.Session(t.Context(), "ann", "annssession", "")
	if err != nil || len(sess.Selection.Uploads) != 1 {
		t.Fatalf("%+v, %v", sess, err)
	}
	upload := sess.Selection.Uploads[0].Table
	var run api.Run
	if err := json.Unmarshal([]byte(want(202, ann, "POST", "/api/v1/runs", `{"question":"mark of ann","tables":["annsdb.public.mark"],"session":"annssession"}`)), &run); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"/approve": `{"code_hash":"` + strings.Repeat("0", 64) + `"}`, "/reject": `{"code_hash":"` + strings.Repeat("0", 64) + `"}`, "/pin": `{"pinned":true}`,
		"PUT /api/v1/connections/{name}": `{"name":"annsdb","host":"evil.example.com","user":"bob","password":"x"}`,
		"POST /api/v1/connections":       `{"name":"annsdb","host":"evil.example.com","user":"bob","password":"x"}`,
		"POST /postgres/connections":     `{"name":"annsdb","host":"evil.example.com","auth_method":"user_password","username":"bob","password":"x"}`,
		"POST /api/v1/plan":              `{"question":"q","tables":["annsdb.public.mark"]}`,
		"POST /api/v1/runs":              `{"question":"q","parent":"` + run.ID + `","tables":["x"]}`,
		"POST /spark/generate":           `{"prompt":"q","session_id":"annssession"}`,
		"/select-postgres-tables":        `{"connection_name":"annsdb","tables":[{"database":"markdb","schema":"public","table":"mark","columns":[]}]}`,
	}
	holes := strings.NewReplacer("{id}", run.ID, "{session_id}", "annssession", "{name}", "annsdb", "{connection_name}", "annsdb",
		"{database}", "markdb", "{schema}", "public", "{table}", "mark", "{job_id}", run.ID, "{$}", "")
	absent, tried := 0, 0
	rest := regexp.MustCompile(`\{[^}]*\}`)
	for _, pattern := range s.patterns {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok || pattern == "POST /settings" || server.Need(pattern) == access.Admin {
			continue // nobody's, or an administrator's: TestGuardOfEveryRoute
		}
		body := "{}"
		for key, text := range bodies {
			if pattern == key || strings.HasSuffix(path, key) {
				body = text
			}
		}
		if method == http.MethodGet {
			body = ""
		}
		if strings.HasSuffix(path, "/export") {
			path += "?format=csv"
		}
		tried++
		status, text := s.as(t, bob, method, rest.ReplaceAllString(holes.Replace(path), run.ID), body) // a new hole may be a run too
		if strings.Contains(strings.ReplaceAll(text, "annsdb.public.mark", ""), "mark") {
			t.Errorf("%s: bob sees HTTP %d: %s", pattern, status, text)
		}
		if strings.Contains(path, "/runs/{id}") {
			if status != http.StatusNotFound {
				t.Errorf("%s: HTTP %d: %s", pattern, status, text)
			}
			absent++
		}
		if strings.Contains(path, "/connections/{name}") && status != http.StatusNotFound && status != http.StatusConflict {
			t.Errorf("%s: HTTP %d: %s", pattern, status, text)
		}
	}
	if absent < 12 || tried < 40 {
		t.Errorf("only %d routes were tried, %d of runs", tried, absent)
	}
	want(403, bob, "POST", "/api/v1/connections", `{"name":"bobs","host":"db.example.com","user":"u","password":"x","root_cert":"/etc/passwd"}`)
	if status, text := s.as(t, bob, "POST", "/api/v1/plan", `{"question":"q","tables":["`+upload+`"]}`); status != http.StatusNotFound {
		t.Errorf("bob plans with ann's upload: HTTP %d: %s", status, text)
	}
	if status, text := s.as(t, bob, "GET", "/api/v1/runs/"+run.ID[:len(run.ID)-2], ""); status != http.StatusNotFound {
		t.Errorf("part of an id: HTTP %d: %s", status, text)
	}
	if status, text := s.as(t, bob, "GET", "/api/v1/runs?cursor="+run.ID, ""); status != http.StatusNotFound {
		t.Errorf("ann's run as a cursor: HTTP %d: %s", status, text)
	}
	// In the queue too a run is its user's.
	if _, err := s.app.databases.Open(access.As(t.Context(), "bob"), "annsdb"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("bob's runs read ann's database: %v", err)
	}
	if _, err := s.app.databases.Open(access.As(t.Context(), "ann"), "annsdb"); err != nil {
		t.Errorf("ann's runs do not: %v", err)
	}

	// Everything is still ann's, and as it was.
	for _, path := range []string{"/api/v1/runs/" + run.ID, "/api/v1/runs", "/history/annssession", "/api/v1/connections"} {
		if text := want(200, ann, "GET", path, ""); !strings.Contains(text, "mark") || strings.Contains(text, "evil") {
			t.Errorf("%s: ann sees %s", path, text)
		}
	}
	if now, err := s.app.store.Session(t.Context(), "ann", "annssession", ""); err != nil || len(now.Selection.Uploads) != 1 {
		t.Errorf("ann's session is %+v, %v", now, err)
	}
	if now, err := s.app.store.Run(t.Context(), run.ID); err != nil || now.Pinned || now.State != sparkwright.RunQueued {
		t.Errorf("ann's run is %+v, %v", now, err)
	}
	// An administrator sees all of it, and may not use what is ann's own.
	if text := want(200, "eve/admin", "GET", "/api/v1/runs/"+run.ID, ""); !strings.Contains(text, "mark") {
		t.Error(text)
	}
	if status, text := s.as(t, "eve/admin", "GET", "/api/v1/connections/annsdb/tables", ""); status != http.StatusNotFound {
		t.Errorf("HTTP %d: %s", status, text)
	}
	want(200, "eve/admin", "PUT", "/api/v1/settings", `{"values":{"spark.result_preview_rows":9}}`)
	shared := `{"name":"shared","host":"db.example.com","user":"u","password":"x"}`
	want(201, "eve/admin", "POST", "/api/v1/connections", shared)
	want(403, bob, "PUT", "/api/v1/connections/shared", shared)
	want(403, bob, "DELETE", "/api/v1/connections/shared", "")
	if text := want(200, bob, "GET", "/api/v1/connections", ""); !strings.Contains(text, "shared") {
		t.Error(text)
	}
	s.wantAudit(t, "ann POST /api/v1/connections [] 201 connection annsdb", "bob DELETE /api/v1/runs/{id} ["+run.ID+"] 404 ",
		"eve PUT /api/v1/settings [] 200 setting spark.result_preview_rows")
}

func (s *team) wantAudit(t *testing.T, lines ...string) {
	t.Helper()
	entries, err := s.app.store.Audit(t.Context(), "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		status, err := json.Marshal(e.Status)
		if err != nil {
			t.Fatal(err)
		}
		kept[e.User+" "+e.Action+" ["+e.Object+"] "+string(status)+" "+e.Note] = true
	}
	for _, line := range lines {
		if !kept[line] {
			t.Errorf("%q is not among\n%s", line, strings.Join(slices.Sorted(maps.Keys(kept)), "\n"))
		}
	}
}
