package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/redact"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// planted is the password of the database and the key of the model. It has what
// JSON, URLs and a shell write in other ways.
const planted = `canary-9f"k/w+p~d%1&z`

// search looks for the secret.
type search struct {
	t       *testing.T
	secrets *redact.Secrets
	looked  map[string]int // bytes, by place
}

func newSearch(t *testing.T) *search {
	t.Helper()
	s := &search{t: t, secrets: redact.New(planted), looked: map[string]int{}}
	half := len(planted) / 2
	first, _ := json.Marshal(map[string]string{"type": "text", "text": planted[:half]})  //nolint:errchkjson // texts
	second, _ := json.Marshal(map[string]string{"type": "text", "text": planted[half:]}) //nolint:errchkjson // texts
	quoted, _ := json.Marshal(planted)                                                   //nolint:errchkjson // a text
	for name, text := range map[string]string{
		"raw": "x" + planted + "y", "JSON": string(quoted), "URL": url.QueryEscape("a=" + planted), "base64": base64.StdEncoding.EncodeToString([]byte("reader:" + planted)),
		"two events": "id: 1\ndata: " + string(first) + "\n\nid: 2\ndata: " + string(second) + "\n\n",
		"two lines":  planted[:half] + "\n" + planted[half:],
	} {
		if !s.found(text) {
			t.Fatalf("the search does not find the secret: %s", name)
		}
	}
	if s.found("canary-9 is a bird") {
		t.Fatal("the search finds what is not there")
	}
	return s
}

// found reports whether the secret is in a text: as it is or written in another
// way, also where lines, or the texts of events, have parts of it.
func (s *search) found(text string) bool {
	hit := func(text string) bool { return s.secrets.Text(text) != text }
	if hit(text) || hit(strings.NewReplacer("\r", "", "\n", "").Replace(text)) {
		return true
	}
	parts := map[string]*strings.Builder{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case string:
			if parts[key] == nil {
				parts[key] = &strings.Builder{}
			}
			parts[key].WriteString(v)
		case []any:
			for _, e := range v {
				walk(key, e)
			}
		case map[string]any:
			for k, e := range v {
				walk(k, e)
			}
		}
	}
	for line := range strings.Lines(text) {
		var v any
		if json.Unmarshal([]byte(strings.TrimPrefix(strings.TrimSpace(line), "data: ")), &v) == nil {
			walk("", v)
		}
	}
	for _, p := range parts {
		if hit(p.String()) {
			return true
		}
	}
	return false
}

// in fails the test when the secret is in a text.
func (s *search) in(place, text string) {
	s.t.Helper()
	s.looked[strings.Fields(place)[0]] += len(text)
	if s.found(text) {
		s.t.Errorf("the secret is in %s: %.500s", place, s.secrets.Text(text))
	}
}

// files looks at all files below a directory.
func (s *search) files(dir string) {
	s.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var content []byte
			if content, err = os.ReadFile(path); err == nil {
				s.in("file "+path, string(content))
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// processes looks at what another process sees of these: arguments and
// environment.
func (s *search) processes(pids []int) {
	s.t.Helper()
	for _, pid := range pids {
		for _, name := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
			if err == nil {
				s.in(name+" of a process", string(text))
			}
		}
	}
}

// collector is a receiver of OTLP over HTTP.
type collector struct {
	URL string
	mu  sync.Mutex
	got bytes.Buffer
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			body = unpacked
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		_, _ = io.Copy(&c.got, body)
		_, _ = fmt.Fprintf(&c.got, "%v", r.Header)
	}))
	t.Cleanup(h.Close)
	c.URL = h.URL
	return c
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// everything is what the server tells of these runs by every route of its API
// that only reads.
func (s *testServer) everything(t *testing.T, look *search, runs []string) {
	t.Helper()
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(s.call(t, http.StatusOK, http.MethodGet, "/api/v1/openapi.json", nil), &doc); err != nil {
		t.Fatal(err)
	}
	paths := []string{"/metrics", "/healthz", "/readyz", "/"}
	hole := regexp.MustCompile(`\{[^}]*\}`)
	for path, methods := range doc.Paths {
		if methods["get"] == nil || strings.Contains(path, "doctor") {
			continue
		}
		if !strings.Contains(path, "/runs/{") {
			paths = append(paths, hole.ReplaceAllString(path, "t"))
			continue
		}
		for _, run := range runs {
			one := hole.ReplaceAllString(strings.Replace(path, path[strings.Index(path, "{"):strings.Index(path, "}")+1], run, 1), "1")
			paths = append(paths, one, one+"?format=csv", one+"?format=json", one+"?format=py")
		}
	}
	slices.Sort(paths)
	whole := 0
	for _, path := range paths {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // some follow what goes on
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := new(http.Client).Do(req)
		if err == nil {
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			look.in("reply "+path, string(text)+fmt.Sprint(resp.Header))
			if resp.StatusCode == http.StatusOK {
				whole++
			}
		}
		cancel()
	}
	if whole < 4*len(runs) {
		t.Errorf("only %d of %d replies", whole, len(paths))
	}
}

// TestPlantedSecret has one secret as the password of the database and as the
// key of the model, through runs that succeed, fail and lose their processes.
// Afterwards it is nowhere: not in what the model was asked, in traces, metrics,
// logs, events, results, errors, the support bundle, in arguments and environment
// of any process, nor in any file of the data directory.
func TestPlantedSecret(t *testing.T) {
	t.Parallel()
	testkit.Runtime(t)
	look := newSearch(t)
	conn, owner := ordersDatabase(t)
	if _, err := owner.Exec(t.Context(), gated+";ALTER ROLE reader PASSWORD '"+planted+"'"); err != nil {
		t.Fatal(err)
	}
	reply := func(sql string) modeltest.Answer {
		code := "```python\n# understood: U.\n# columns: orders.customer\nresult = spark.sql(\"" + sql + "\")\n```"
		return modeltest.Text(code[:20], code[20:])
	}
	model := modeltest.New(t, openaitest.Dialect{},
		reply("SELECT customer, count(*) AS n FROM orders GROUP BY customer"),
		reply("SELECT CAST(concat('x', customer) AS INT) AS n FROM orders"),
		// Providers have told the key in their errors.
		modeltest.Status(http.StatusBadRequest, nil, "Incorrect API key provided: "+planted))
	spans := newCollector(t)
	home, temp := newHome(t), t.TempDir()
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "TMPDIR=" + temp}
	first := serveIn(t, home, env...)
	for _, c := range []struct{ name, user string }{{"t", "reader"}, {"refused", "nobody"}} {
		first.call(t, http.StatusCreated, http.MethodPost, "/api/v1/connections", map[string]any{
			"name": c.name, "host": conn.Host, "port": conn.Port, "database": conn.Database, "user": c.user, "password": planted, "tls": "disable",
		})
	}
	first.call(t, http.StatusOK, http.MethodPut, "/api/v1/settings", map[string]any{
		"values":  map[string]any{"model.name": "m", "model.base_url": model.URL + "/v1", "spark.max_retries": 0},
		"secrets": map[string]any{"model.api_key": planted},
	})

	var runs []string
	ask := func(s *testServer, want sparkwright.RunState, body map[string]any) {
		t.Helper()
		run := read[api.Run](t, s.call(t, http.StatusAccepted, http.MethodPost, "/api/v1/runs", body))
		runs = append(runs, run.ID)
		await(t, "the run ends", func() bool {
			run = read[api.Run](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/runs/"+run.ID, nil))
			return run.Final
		})
		if run.State != want {
			t.Fatalf("%v: %s, %+v", body, run.State, run.Fault)
		}
	}
	question := func(text, table string) map[string]any {
		return map[string]any{"question": text, "tables": []string{table}, "engine": "spark"}
	}
	ask(first, sparkwright.RunSucceeded, question("Which way do customers go?", "t.public.orders"))
	ask(first, sparkwright.RunFailed, question("Which way do they come back?", "t.public.orders"))
	ask(first, sparkwright.RunFailed, question("Which way does the wind blow?", "t.public.orders"))
	first.call(t, http.StatusOK, http.MethodPost, "/api/v1/connections/t/test", nil)
	for _, path := range []string{"/api/v1/connections/refused/test", "/api/v1/runs"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, first.url+path, strings.NewReader(`{"question": "How many?", "tables": ["refused.public.orders"]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := new(http.Client).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		look.in("error of "+path, string(text))
		cancel()
	}

	// While Spark reads, its processes are looked at; then it is killed, and the server with it.
	run := read[api.Run](t, first.call(t, http.StatusAccepted, http.MethodPost, "/api/v1/runs", map[string]any{
		"tables": []string{"t.public.gated"}, "code": "result = spark.table('gated').select('i', 's')",
	}))
	runs = append(runs, run.ID)
	await(t, "Spark reads", func() bool { return len(backends(t, owner, "sparkwright/"+run.ID, "pg_sleep")) > 0 })
	family := descendants(t, first.cmd.Process.Pid)
	pids := []int{first.cmd.Process.Pid}
	for _, p := range family {
		pids = append(pids, p.pid)
	}
	if !family.has("org.apache.spark") || !family.has("sparkwright_client") {
		t.Fatalf("the server has no Spark server or no client: %v", family)
	}
	look.processes(pids)
	for _, p := range family {
		if strings.Contains(p.command, "org.apache.spark") {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	await(t, "the loss is noticed", func() bool {
		return len(read[api.Run](t, first.call(t, http.StatusOK, http.MethodGet, "/api/v1/runs/"+run.ID, nil)).Attempts) > 1 ||
			read[api.Run](t, first.call(t, http.StatusOK, http.MethodGet, "/api/v1/runs/"+run.ID, nil)).Final
	})
	first.killed = true
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if _, err := owner.Exec(t.Context(), "UPDATE gate SET open = true"); err != nil {
		t.Fatal(err)
	}
	second := serveIn(t, home, env...)
	await(t, "the run ends", func() bool {
		return read[api.Run](t, second.call(t, http.StatusOK, http.MethodGet, "/api/v1/runs/"+run.ID, nil)).Final
	})

	second.everything(t, look, runs)
	asked := model.Requests()
	if len(asked) < 3 || asked[0].Header.Get("Authorization") != "Bearer "+planted {
		t.Fatalf("the model was asked %d times, without the key", len(asked))
	}
	for _, r := range asked {
		header := r.Header.Clone()
		header.Del("Authorization") // where it belongs
		look.in("prompt", string(r.Body)+fmt.Sprint(header))
	}
	for i, s := range []*testServer{first, second} {
		if !strings.Contains(s.said(), run.ID) {
			t.Errorf("server %d has logged nothing of the run", i)
		}
		look.in("log", s.said())
	}
	await(t, "the spans are sent", func() bool { return strings.Contains(spans.text(), runs[0]) && strings.Contains(spans.text(), run.ID) })
	look.in("traces", spans.text())
	for name, text := range bundleOf(t, home, first.said()+second.said()) {
		look.in("bundle "+name, text)
	}
	look.files(home)
	look.files(temp)
	for _, place := range []string{"reply", "prompt", "log", "traces", "bundle", "file", "cmdline", "environ", "error"} {
		if look.looked[place] < 100 {
			t.Errorf("only %d bytes of the %s were looked at", look.looked[place], place)
		}
	}
	t.Log(look.looked)
}
