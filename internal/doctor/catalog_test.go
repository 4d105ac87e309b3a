package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/doctor"
)

// Every check that a diagnosis refers to is there, and every class of set-up
// faults that a check can find refers to one.
func TestDiagnosesReferToChecks(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, c := range doctor.All() {
		if slices.Contains(ids, c.ID) {
			t.Errorf("%s is there twice", c.ID)
		}
		ids = append(ids, c.ID)
	}
	for _, c := range diagnose.Classes() {
		if c.Check != "" && !slices.Contains(ids, c.Check) {
			t.Errorf("%s refers to the check %s, which is not there", c.ID, c.Check)
		}
	}
}

var named = regexp.MustCompile("`((?:settings|aws|emr|network|storage|iam|secrets|postgres|local|model)\\.[a-z_.0-9]+)`")

// The documents name only checks that there are (or keys of settings.json),
// and the checklist has its fifteen boxes, each with a check.
func TestDocumentsNameChecks(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range doctor.All() {
		known[c.ID] = true
	}
	for _, key := range []string{"postgres.jdbc_driver_path", "postgres.secret_cache_seconds", "postgres.connections", "model.api_key"} {
		known[key] = true
	}
	for _, name := range []string{"POSTGRESQL_SETUP_CHECKLIST.md", "INFRASTRUCTURE_CHANGES.md", "POSTGRESQL_INTEGRATION_SUMMARY.md", "operations.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if !known[m[1]] && !strings.HasSuffix(m[1], ".json") && !strings.HasSuffix(m[1], ".md") && !strings.HasSuffix(m[1], ".tf") {
				t.Errorf("%s names %s, which is no check", name, m[1])
			}
		}
		if name == "POSTGRESQL_SETUP_CHECKLIST.md" {
			boxes := strings.Split(string(text), "- [ ] ")[1:]
			if len(boxes) != 15 {
				t.Errorf("%d boxes, want 15", len(boxes))
			}
			for _, box := range boxes {
				if !strings.Contains(box, "octor") {
					t.Errorf("a box without a check: %s", box)
				}
			}
		}
	}
}
