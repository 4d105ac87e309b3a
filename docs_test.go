package sparkwright_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// firstColumn is what stands between backticks in the first column of the
// table below the given header line.
func firstColumn(t *testing.T, path, header string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), header+"\n")
	if !found {
		t.Fatalf("%s has no table %q", path, header)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var names []string
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(row), "|")
		if len(cells) != 4 || strings.TrimSpace(cells[2]) == "" {
			t.Errorf("%s: the row %q has not two columns", path, row)
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// same reports names that one of the lists lacks, and names that are there twice.
func same(t *testing.T, page string, want, got []string) {
	t.Helper()
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s does not name %s", page, name)
		}
	}
	seen := map[string]bool{}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s names %s, which does not exist", page, name)
		}
		if seen[name] {
			t.Errorf("%s names %s twice", page, name)
		}
		seen[name] = true
	}
}

// Every direct dependency has a line that says why it is here.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(text), -1) { // "// indirect" follows on others
		want = append(want, strings.TrimPrefix(m[1], "github.com/"))
	}
	if len(want) < 20 {
		t.Fatalf("only %d direct dependencies in go.mod", len(want))
	}
	same(t, "docs/dependencies.md", want, firstColumn(t, filepath.Join("docs", "dependencies.md"), "| Go module | why |"))
}

// So has every package of the page.
func TestPackagesOfThePageAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("web", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies, DevDependencies map[string]string }
	if err = json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(slices.Sorted(maps.Keys(manifest.Dependencies)), slices.Sorted(maps.Keys(manifest.DevDependencies)))
	if len(want) < 20 {
		t.Fatalf("only %d packages in web/package.json", len(want))
	}
	same(t, "docs/dependencies.md", want, firstColumn(t, filepath.Join("docs", "dependencies.md"), "| npm package | why |"))
}

// The lock file pins where packages come from by their checksum alone: no
// machine's registry is in it.
func TestLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("web", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"resolved"`) || !strings.Contains(string(text), `"integrity"`) {
		t.Error("web/package-lock.json names a registry, or lacks checksums: web/.npmrc has omit-lockfile-registry-resolved")
	}
}

// Every package is in the table of docs/architecture.md, and no other.
func TestPackagesAreDescribed(t *testing.T) {
	t.Parallel()
	var want []string
	err := filepath.WalkDir("internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return filepath.SkipDir
		}
		if dir := filepath.ToSlash(filepath.Dir(path)); !d.IsDir() && strings.HasSuffix(path, ".go") && !slices.Contains(want, dir) {
			want = append(want, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(firstColumn(t, filepath.Join("docs", "architecture.md"), "| package | job |"), func(name string) bool {
		return !strings.HasPrefix(name, "internal/")
	})
	same(t, "docs/architecture.md", want, got)
}

// No link of the README and the documents leads nowhere.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join("docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal("no documents", err)
	}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}
