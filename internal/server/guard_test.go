package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// byHeader takes the name of the user, and after a slash the role, from a
// header.
type byHeader struct{}

func (byHeader) Identify(r *http.Request) (access.Identity, bool) {
	user, role, _ := strings.Cut(r.Header.Get("X-Test-User"), "/")
	if role == "" {
		role = string(access.Analyst)
	}
	way := access.Token
	if r.Header.Get("Cookie") != "" {
		way = access.Cookie
	}
	return access.Identity{User: user, Name: user, Role: access.Role(role), Way: way}, user != ""
}

func (byHeader) Login() string { return "" }

// book keeps audit entries in memory.
type book struct {
	mu      sync.Mutex
	entries []access.Entry
}

func (b *book) Record(_ context.Context, e access.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	return nil
}

// whole is a server with everything that serve mounts.
func whole(t *testing.T, change ...func(*server.Config)) (b *testBundle, patterns []string) {
	t.Helper()
	b = setup(t, append([]func(*server.Config){func(cfg *server.Config) {
		metrics := telemetry.NewMetrics(nil)
		cfg.Mounts = map[string]http.Handler{
			api.Prefix + "/": api.New(api.Config{Runs: b2runs(cfg), Log: cfg.Log}), "GET /metrics": metrics.Handler(),
			"GET /healthz": telemetry.Healthz(), "GET /readyz": telemetry.Readyz(cfg.Log),
		}
	}}, append(change, func(cfg *server.Config) { patterns = server.New(*cfg).Patterns() })...)...)
	return b, patterns
}

func b2runs(cfg *server.Config) *access.Runs { return access.NewRuns(cfg.Runs) }

// requests are one request for each route, methods that none takes included.
func requests(patterns []string) map[string]string {
	out := map[string]string{}
	hole := regexp.MustCompile(`\{[^}]*\}`)
	for _, p := range patterns {
		method, path, has := strings.Cut(p, " ")
		if !has {
			method, path = http.MethodPatch, p
		}
		path = strings.TrimSuffix(path, "{$}")
		out[p] = method + " " + hole.ReplaceAllString(path, "r1")
	}
	return out
}

// refusals are what the guard must do with every route, whatever it is. Each is
// one request in the form that is wrong, and the statuses that are right.
var refusals = map[string]struct { //nolint:gochecknoglobals // a table
	edit   func(*http.Request)
	status []int
}{
	"no login":                   {func(r *http.Request) { r.Header.Del("X-Test-User") }, []int{401}},
	"a role that does not exist": {func(r *http.Request) { r.Header.Set("X-Test-User", "eve/root") }, []int{403}},
	"another host":               {func(r *http.Request) { r.Host = "evil.example" }, []int{421}},
	"a host with a dot":          {func(r *http.Request) { r.Host = "localhost." }, []int{421}},
	"any address":                {func(r *http.Request) { r.Host = "0.0.0.0" }, []int{421}},
	"a decimal address":          {func(r *http.Request) { r.Host = "2130706433" }, []int{421}},
	"a host below localhost":     {func(r *http.Request) { r.Host = "evil.localhost:80" }, []int{421}},
	"a user in the host":         {func(r *http.Request) { r.Host = "localhost@evil.example" }, []int{421}},
	"a name bound anew": {func(r *http.Request) { // the browser takes the page of the name for the server's own
		_, port, _ := strings.Cut(r.Host, ":")
		r.Host = "rebind.example:" + port
		r.Header.Set("Origin", "http://"+r.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}, []int{421}},
	"another site by Origin":      {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, []int{403}},
	"another port by Origin":      {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, []int{403}},
	"a sandboxed page":            {func(r *http.Request) { r.Header.Set("Origin", "null") }, []int{403}},
	"a file":                      {func(r *http.Request) { r.Header.Set("Origin", "file://") }, []int{403}},
	"an origin that is none":      {func(r *http.Request) { r.Header.Set("Origin", "%") }, []int{403}},
	"another site by Fetch":       {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, []int{403}},
	"a sibling by Fetch":          {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, []int{403}},
	"an image of another site":    {func(r *http.Request) { fetched(r, "no-cors", "image") }, []int{403}},
	"a script of another site":    {func(r *http.Request) { fetched(r, "no-cors", "script") }, []int{403}},
	"a frame of another site":     {func(r *http.Request) { fetched(r, "navigate", "iframe") }, []int{403}},
	"an EventSource of elsewhere": {func(r *http.Request) { fetched(r, "cors", "empty") }, []int{403}},
}

func fetched(r *http.Request, mode, dest string) {
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", mode)
	r.Header.Set("Sec-Fetch-Dest", dest)
}

// TestGuardOfEveryRoute walks over every pattern of the mux. A route that is
// added is among them.
func TestGuardOfEveryRoute(t *testing.T) {
	t.Parallel()
	b, patterns := whole(t, func(cfg *server.Config) { cfg.Auth, cfg.PerSecond = byHeader{}, 1_000_000 })
	if len(patterns) < 70 {
		t.Fatalf("only %d routes were found", len(patterns))
	}
	writes := 0
	for pattern, request := range requests(patterns) {
		method, path, _ := strings.Cut(request, " ")
		send := func(body string, edit func(*http.Request)) (*http.Response, string) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Test-User", "ann/admin")
			req.Header.Set("Content-Type", "application/json")
			edit(req)
			resp, err := new(http.Client).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close() //nolint:errcheck // read only
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp, string(text)
		}
		for name, refusal := range refusals {
			if name == "no login" && server.Need(pattern) == access.Nobody {
				continue
			}
			if name == "a role that does not exist" && server.Need(pattern) == access.Nobody {
				continue
			}
			resp, text := send("", refusal.edit) //nolint:bodyclose // send has closed it
			if !slices.Contains(refusal.status, resp.StatusCode) {
				t.Errorf("%s, %s: HTTP %d: %.100s", pattern, name, resp.StatusCode, text)
			}
			if strings.HasPrefix(path, api.Prefix) != (resp.Header.Get("Content-Type") == "application/problem+json") {
				t.Errorf("%s, %s: it is %s", pattern, name, resp.Header.Get("Content-Type"))
			}
			for header, value := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := resp.Header.Get(header); got != value {
					t.Errorf("%s, %s: %s is %q", pattern, name, header, got)
				}
			}
		}
		if method == http.MethodGet {
			continue
		}
		writes++
		resp, text := send("a=b", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }) //nolint:bodyclose // send has closed it
		if resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s takes a form: HTTP %d: %.100s", pattern, resp.StatusCode, text)
		}
		resp, text = send("{}", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }) //nolint:bodyclose // send has closed it
		if resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s takes text: HTTP %d: %.100s", pattern, resp.StatusCode, text)
		}
		resp, text = send("", func(r *http.Request) { r.Header.Set("Cookie", "x=y") }) //nolint:bodyclose // send has closed it
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s takes a cookie alone: HTTP %d: %.100s", pattern, resp.StatusCode, text)
		}
		resp, text = send(strings.Repeat(" ", 6<<20), func(*http.Request) {}) //nolint:bodyclose // send has closed it
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s takes 6 MB: HTTP %d: %.100s", pattern, resp.StatusCode, text)
		}
		need := server.Need(pattern)
		if strings.Contains(pattern, " ") && need != access.Nobody && !strings.HasPrefix(pattern, "POST /auth/") {
			resp, text = send("", func(r *http.Request) { r.Header.Set("X-Test-User", "vic/viewer") }) //nolint:bodyclose // send has closed it
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s lets a viewer: HTTP %d: %.100s", pattern, resp.StatusCode, text)
			}
		}
		if need == access.Admin {
			resp, text = send("", func(r *http.Request) { r.Header.Set("X-Test-User", "ann/analyst") }) //nolint:bodyclose // send has closed it
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s lets an analyst: HTTP %d: %.100s", pattern, resp.StatusCode, text)
			}
		}
	}
	if writes < 30 {
		t.Errorf("only %d routes that write were tried", writes)
	}
	if len(b.runs.asked) != 0 {
		t.Error("a run was made")
	}
}

// TestOnlyTheseAreOpen: what nobody needs to log in for is a short list.
func TestOnlyTheseAreOpen(t *testing.T) {
	t.Parallel()
	_, patterns := whole(t)
	var open []string
	for _, p := range append(patterns, "GET /anything", "POST /anything", "/") {
		if server.Need(p) == access.Nobody {
			open = append(open, p)
		}
	}
	if got := fmt.Sprint(open); got != "[GET /healthz]" {
		t.Errorf("open: %s", got)
	}
	if server.Need("POST /new") != access.Admin || server.Need("DELETE /api/v1/new/{id}") != access.Admin {
		t.Error("a new route that changes something is not closed")
	}
}

// TestRateOfEveryRoute: each client has a bucket, whichever route it asks.
func TestRateOfEveryRoute(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Log: slog.New(slog.DiscardHandler), Hosts: []string{"example.com"}, Auth: byHeader{}, PerSecond: 1}
	whole(t, func(c *server.Config) {
		cfg.Mounts, cfg.Settings, cfg.Postgres, cfg.Sessions, cfg.Runs, cfg.Healthy = c.Mounts, c.Settings, c.Postgres, c.Sessions, c.Runs, c.Healthy
	})
	for pattern, request := range requests(server.New(cfg).Patterns()) {
		h := server.New(cfg) // buckets of its own
		method, path, _ := strings.Cut(request, " ")
		statuses := map[int]int{}
		ask := func(user string) int {
			r := httptest.NewRequestWithContext(t.Context(), method, "http://example.com"+path, nil)
			r.Header.Set("X-Test-User", user+"/none") // is refused at once: only the bucket counts
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		if server.Need(pattern) == access.Nobody {
			continue // tried below
		}
		for range 10 {
			statuses[ask("ann")]++
		}
		if statuses[http.StatusTooManyRequests] < 5 || ask("bob") == http.StatusTooManyRequests {
			t.Errorf("%s: %v", pattern, statuses)
		}
	}
	open := 0
	h := server.New(cfg)
	for range 10 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/healthz", nil))
		if w.Code == http.StatusTooManyRequests {
			open++
		}
	}
	if open < 5 {
		t.Errorf("%d of 10 were refused", open)
	}
}

// TestLinksFromElsewhere: a person may follow a link to the page; nothing else
// of another site gets through.
func TestLinksFromElsewhere(t *testing.T) {
	t.Parallel()
	b, _ := whole(t, func(cfg *server.Config) { cfg.Auth = byHeader{} })
	get := func(edit func(*http.Request)) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html,*/*")
		edit(req)
		resp, err := new(http.Client).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read only
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	link := func(r *http.Request) { fetched(r, "navigate", "document") }
	if status, text := get(func(r *http.Request) { link(r); r.Header.Set("X-Test-User", "ann") }); status != http.StatusOK || !strings.Contains(text, `"status"`) {
		t.Errorf("a link gives HTTP %d: %s", status, text)
	}
	if status, text := get(link); status != http.StatusOK || !strings.Contains(text, `http-equiv="refresh"`) || strings.Contains(text, "status") {
		t.Errorf("a link without a cookie gives HTTP %d: %s", status, text)
	}
	if status, text := get(func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }); status != http.StatusUnauthorized || !strings.Contains(text, "sparkwright token link") {
		t.Errorf("nobody gets HTTP %d: %s", status, text)
	}
}

// TestAudit: what changes something is recorded with who, what and how it went,
// and nothing of what was in it.
func TestAudit(t *testing.T) {
	t.Parallel()
	kept := &book{}
	b, _ := whole(t, func(cfg *server.Config) { cfg.Auth, cfg.Audit = byHeader{}, kept })
	b.answers(succeeded(), nil)
	as := func(user string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Test-User", user) }
	}
	const canary = "canary-question"
	for _, c := range []struct{ method, path, body, user string }{
		{"GET", "/health", "", "ann"},
		{"GET", "/api/v1/runs", "", "ann"},
		{"POST", "/spark/generate", `{"prompt":"` + canary + `","session_id":"s"}`, "ann"},
		{"POST", "/sessions/s1/reset", "", "ann"},
		{"POST", "/settings/restore-defaults", "", "ann"},
		{"PATCH", "/settings", "", "bob/viewer"},
		{"POST", "/sessions/s1/reset", "", ""},
	} {
		b.call(t, c.method, c.path, c.body, as(c.user)) //nolint:bodyclose // call has read and closed it
	}
	var got []string
	for _, e := range kept.entries {
		got = append(got, fmt.Sprintf("%s %s %s [%s] %d", e.User, e.Role, e.Action, e.Object, e.Status))
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, canary) || e.Address == "" || e.At.IsZero() {
			t.Errorf("entry %s", text)
		}
	}
	want := []string{
		"ann analyst POST /spark/generate [] 200", "ann analyst POST /sessions/{session_id}/reset [s1] 200",
		"ann analyst POST /settings/restore-defaults [] 403", "bob viewer /settings [] 405",
		"  POST /sessions/{session_id}/reset [s1] 401",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
