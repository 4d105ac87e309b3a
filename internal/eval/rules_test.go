package eval

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
)

const rulesDir = "../planner"

// shopCatalog reads the names of the demo's tables out of its script.
func shopCatalog(t *testing.T) *sparkwright.Catalog {
	t.Helper()
	text, err := os.ReadFile("../demo/shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?ms)^CREATE TABLE \w+\.(\w+) \((.*?)^\)`)
	column := regexp.MustCompile(`(?m)^    (\w+) `)
	c := &sparkwright.Catalog{}
	for _, m := range table.FindAllStringSubmatch(string(text), -1) {
		tab := sparkwright.Table{Name: m[1]}
		for _, col := range column.FindAllStringSubmatch(m[2], -1) {
			tab.Columns = append(tab.Columns, sparkwright.Column{Name: col[1]})
		}
		c.Tables = append(c.Tables, tab)
	}
	if len(c.Tables) < 12 {
		t.Fatalf("%d tables in the script", len(c.Tables))
	}
	return c
}

// The planner's rules are about English and catalogs in general: none names a
// table or a column of a suite. `sparkwright eval --rules` says the same of any suite.
func TestRulesNameNoSuite(t *testing.T) {
	t.Parallel()
	got, err := RulesNaming(rulesDir, []*sparkwright.Catalog{shopCatalog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesNamingFindsNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package x\n\nimport \"orders\"\n\nvar a, b = \"in each order_items\", `warehouse of`\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := RulesNaming(dir, []*sparkwright.Catalog{shopCatalog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"order_items", "warehouse"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := RulesNaming(t.TempDir(), nil); err == nil {
		t.Error("an empty directory has no rules to look through")
	}
}
