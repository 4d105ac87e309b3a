package server_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright/internal/server"
)

// TestMalformedRequests replays what FastAPI 0.x with pydantic v2 says to the
// reference's model of /spark/generate. testdata/fastapi.json holds its very
// replies.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/fastapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range decode[[]struct {
		Name   string `json:"name"`
		Body   string `json:"body"`
		Status int    `json:"status"`
		Reply  any    `json:"reply"`
	}](t, string(text)) {
		t.Run(test.Name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			resp, reply := b.call(t, http.MethodPost, "/spark/generate", test.Body, nil) //nolint:bodyclose // call has read and closed it
			if resp.StatusCode != test.Status {
				t.Fatalf("HTTP %d, want %d: %s", resp.StatusCode, test.Status, reply)
			}
			if test.Status == http.StatusOK {
				return // only the check of the request is compared
			}
			if diff := cmp.Diff(test.Reply, decode[any](t, reply)); diff != "" {
				t.Errorf("(-FastAPI +ours)\n%s", diff)
			}
			if len(b.runs.asked) != 0 {
				t.Error("a run was made")
			}
		})
	}
}

// TestMalformedModels is the same for every other endpoint with a body.
// testdata/reference_models.py writes the replies.
func TestMalformedModels(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/fastapi_models.json")
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t)
	paths := map[string]bool{}
	for _, test := range decode[[]struct {
		Path  string         `json:"path"`
		Body  map[string]any `json:"body"`
		Reply any            `json:"reply"`
	}](t, string(text)) {
		paths[test.Path] = true
		resp, reply := b.call(t, http.MethodPost, test.Path, encode(t, test.Body), nil) //nolint:bodyclose // call has read and closed it
		if diff := cmp.Diff(test.Reply, decode[any](t, reply)); diff != "" || resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s %v: HTTP %d (-FastAPI +ours)\n%s", test.Path, test.Body, resp.StatusCode, diff)
		}
	}
	if len(paths) < 10 {
		t.Errorf("only %v were tried", slices.Sorted(maps.Keys(paths)))
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	header := func(key, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(key, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, test := range []struct {
		name         string
		method, path string
		body         string
		edit         func(*http.Request)
		status       int
		detail       string
	}{
		{"no such path", "GET", "/nothing", "", nil, 404, "Not Found"},
		{"below a path", "POST", "/spark/generate/x", "{}", nil, 404, "Not Found"},
		{"GET of generate", "GET", "/spark/generate", "", nil, 405, "Method Not Allowed"},
		{"PUT of execute", "PUT", "/spark/execute", "{}", nil, 405, "Method Not Allowed"},
		{"POST of health", "POST", "/health", "", nil, 405, "Method Not Allowed"},
		{"PATCH of settings", "PATCH", "/settings", "", nil, 405, "Method Not Allowed"},
		{"not UTF-8", "POST", "/spark/generate", "{\"prompt\":\"\xff\"}", nil, 400, "There was an error parsing the body"},
		{"2 MB are allowed", "POST", "/spark/generate", strings.Repeat(" ", 2<<20), nil, 422, ""},
		{"more than 2 MB", "POST", "/spark/generate", strings.Repeat(" ", 2<<20+1), nil, 413, "the request is larger than 2 MB"},
		{"uploads may be larger", "POST", "/upload-csv", strings.Repeat(" ", 4<<20), nil, 422, ""},
		{"but not any size", "POST", "/upload-csv", strings.Repeat(" ", 5<<20), nil, 413, "the request is larger than 4 MB"},
		{"another host", "GET", "/health", "", host("evil.example"), 421, "this server is not called evil.example"},
		{"another host with the port", "POST", "/spark/generate", "{}", host("evil.example:8000"), 421, "this server is not called evil.example"},
		{"a host that begins alike", "GET", "/health", "", host("localhost.evil.example"), 421, "this server is not called localhost.evil.example"},
		{"localhost in capitals", "GET", "/nothing", "", host("LOCALHOST:1"), 404, "Not Found"},
		{"IPv6", "GET", "/nothing", "", host("[::1]:8000"), 404, "Not Found"},
		{"IPv6 without a port", "GET", "/nothing", "", host("[::1]"), 404, "Not Found"},
		{"POST of another site", "POST", "/spark/generate", "{}", header("Origin", "https://evil.example"), 403, "requests of other sites are refused"},
		{"POST of another port", "POST", "/spark/execute", "{}", header("Origin", "http://127.0.0.1:1"), 403, "requests of other sites are refused"},
		{"POST of a sandboxed page", "POST", "/spark/execute", "{}", header("Origin", "null"), 403, "requests of other sites are refused"},
		{"POST that the browser calls cross-site", "POST", "/spark/generate", "{}", header("Sec-Fetch-Site", "cross-site"), 403, "requests of other sites are refused"},
		{"POST of our own page", "POST", "/spark/generate", "{}", header("Sec-Fetch-Site", "same-origin"), 422, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			resp, reply := b.call(t, test.method, test.path, test.body, test.edit) //nolint:bodyclose // call has read and closed it
			if resp.StatusCode != test.status {
				t.Fatalf("HTTP %d, want %d: %s", resp.StatusCode, test.status, reply)
			}
			if got := decode[map[string]any](t, reply); test.detail != "" && !cmp.Equal(got, map[string]any{"detail": test.detail}) {
				t.Errorf("reply %s", reply)
			}
			if got := resp.Header.Get("Allow"); (got != "") != (test.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow: %q", got)
			}
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("other sites are allowed: %q", got)
			}
			if len(b.runs.asked) != 0 {
				t.Error("a run was made")
			}
		})
	}
}

// TestOrigins: a page that is configured is answered as the reference answers
// every page; any other gets nothing.
func TestOrigins(t *testing.T) {
	t.Parallel()
	const page = "http://localhost:3000"
	b := setup(t, func(cfg *server.Config) { cfg.Origins = []string{page} })
	for _, test := range []struct {
		name, method, origin string
		preflight            bool
		status               int
		allowed              string
	}{
		{"a preflight", "OPTIONS", page, true, 200, page},
		{"a call", "POST", page, false, 422, page},
		{"a preflight of another page", "OPTIONS", "http://localhost:3001", true, 405, ""},
		{"a call of another page", "POST", "http://localhost:3001", false, 403, ""},
	} {
		resp, reply := b.call(t, test.method, "/spark/generate", "{}", func(r *http.Request) { //nolint:bodyclose // call has read and closed it
			r.Header.Set("Origin", test.origin)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			if test.preflight {
				r.Header.Set("Access-Control-Request-Method", "POST")
				r.Header.Set("Access-Control-Request-Headers", "content-type")
			}
		})
		h := resp.Header
		if resp.StatusCode != test.status || h.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%s: HTTP %d, %v: %s", test.name, resp.StatusCode, h, reply)
		}
		if test.allowed != "" && (h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin") {
			t.Errorf("%s: %v", test.name, h)
		}
		if test.allowed != "" && test.preflight && (reply != "OK" || h.Get("Access-Control-Allow-Headers") != "content-type" || h.Get("Access-Control-Max-Age") != "600") {
			t.Errorf("%s: %v: %s", test.name, h, reply)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		healthy error
		code    int
		status  string
	}{
		{"healthy", nil, http.StatusOK, "healthy"},
		{"unhealthy", errors.New("the store is gone: secret detail"), http.StatusServiceUnavailable, "unhealthy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.healthy = test.healthy
			before := time.Now().Add(-time.Second)
			resp, reply := b.call(t, http.MethodGet, "/health", "", nil) //nolint:bodyclose // call has read and closed it
			if resp.StatusCode != test.code {
				t.Errorf("HTTP %d", resp.StatusCode)
			}
			got := decode[map[string]any](t, reply)
			at, _ := got["timestamp"].(float64)
			if at < float64(before.Unix()) || at > float64(time.Now().Unix()+1) {
				t.Errorf("timestamp %v is not now, in seconds", got["timestamp"])
			}
			if got["status"] != test.status || strings.Contains(reply, "secret detail") {
				t.Errorf("reply %s", reply)
			}
		})
	}
}
