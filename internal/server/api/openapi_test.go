package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
)

const golden = "../../../docs/openapi.json"

// document is what the tests need of an OpenAPI document.
type document struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

// The document in docs is the one that is served; the page's types are made
// from it.
func TestOpenAPIIsCurrent(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	r := b.call(t, http.MethodGet, "/api/v1/openapi.json", nil)
	if *update {
		if err := os.WriteFile(golden, []byte(r.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), r.text); diff != "" {
		t.Errorf("run go test ./internal/server/api -update: %s", diff)
	}
	doc := want[document](t, r, http.StatusOK)
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) < 20 || r.Header.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			var o struct {
				OperationID string         `json:"operationId"`
				Summary     string         `json:"summary"`
				Responses   map[string]any `json:"responses"`
			}
			if err := json.Unmarshal(op, &o); err != nil {
				t.Fatal(err)
			}
			if o.OperationID == "" || o.Summary == "" || o.Responses["default"] == nil {
				t.Errorf("%s %s: %+v", method, path, o)
			}
		}
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "#/components/schemas/([^"]+)"`).FindAllStringSubmatch(r.text, -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("%s refers to nothing", ref[0])
		}
	}
}

// The guard against foreign hosts and other sites holds for every route that
// there is.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := want[document](t, b.call(t, http.MethodGet, "/api/v1/openapi.json", nil), http.StatusOK)
	doc.Paths["/api/v1/openapi.json"] = map[string]json.RawMessage{"get": nil}
	doc.Paths["/metrics"] = map[string]json.RawMessage{"get": nil}
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	routes := 0
	for path, methods := range doc.Paths {
		path = placeholder.ReplaceAllString(path, "r_x")
		for method := range methods {
			routes++
			method = strings.ToUpper(method)
			foreign := func(edit func(*http.Request)) int {
				req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				edit(req)
				resp, err := b.server.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				return resp.StatusCode
			}
			if got := foreign(func(r *http.Request) { r.Host = "attacker.example" }); got != http.StatusMisdirectedRequest {
				t.Errorf("%s %s by another name: HTTP %d", method, path, got)
			}
			if method == http.MethodGet {
				continue // reads of other sites cannot see the reply
			}
			for _, header := range []string{"Sec-Fetch-Site", "Origin"} {
				value := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://attacker.example"}[header]
				if got := foreign(func(r *http.Request) { r.Header.Set(header, value) }); got != http.StatusForbidden {
					t.Errorf("%s %s with %s: HTTP %d", method, path, header, got)
				}
			}
		}
	}
	if routes < 25 {
		t.Errorf("only %d routes were found", routes)
	}
	if page, err := b.engine.List(t.Context(), sparkwright.RunFilter{}); err != nil || len(page.Runs) > 0 {
		t.Errorf("a refused request made a run: %v, %v", page.Runs, err)
	}
}
