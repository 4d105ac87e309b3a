// Package jobscript renders the one PySpark file that an attempt runs:
// prologue (session, credentials from the environment, a temp view per
// table), the analysis, and the epilogue (Parquet, preview, manifest, or a
// fault). The same file runs on a Spark Connect client and with spark-submit;
// it keeps to Python 3.9 and to the DataFrame and SQL API.
//
// What the job leaves in its location:
//
//	data/*.parquet   the result
//	manifest.json    written last: only with it has the job succeeded
//	fault.json       what went wrong, on an exception
package jobscript

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// The lines around the analysis. Scripts that hold them are recognised as
// ours; see Extract.
const (
	begin = "# ---- sparkwright: analysis begins ----"
	end   = "# ---- sparkwright: analysis ends ----"
)

//go:embed script.py.tmpl
var scriptText string

// Connection is how the job reaches one database. URL holds no credentials.
type Connection struct {
	Name string
	URL  string
}

// Spec is everything a script is rendered from.
type Spec struct {
	RunID       string
	AttemptID   string
	Location    string // absolute directory that the engine and the client both see
	Analysis    string
	Connections []Connection
	Reads       []readplan.Read
	PreviewRows int
}

// UserEnv and PasswordEnv are the environment variables in which the script
// finds the login of the n-th connection; it removes them at once.
func UserEnv(n int) string { return fmt.Sprintf("SPARKWRIGHT_PG_%d_USER", n) }

// PasswordEnv is the password's variable; see UserEnv.
func PasswordEnv(n int) string { return fmt.Sprintf("SPARKWRIGHT_PG_%d_PASSWORD", n) }

type connectionView struct {
	Connection
	Catalog, UserEnv, PasswordEnv string
	Reads                         []readView
}

type readView struct {
	readplan.Read
	Ident, Query string
	Skipped      []string
}

type scriptView struct {
	Spec
	Connections         []connectionView
	TableLines          []string
	Begin, End          string
	FirstLine, LastLine int
}

var (
	funcs = template.FuncMap{"py": pyString, "comment": oneLine}
	tmpl  = template.Must(template.New("script").Funcs(funcs).Parse(scriptText))
)

// Render writes the script. An analysis that holds one of the marker lines is
// refused with CodeInvalid.
func Render(spec Spec) (string, error) {
	analysis := strings.TrimRight(strings.ReplaceAll(spec.Analysis, "\r\n", "\n"), "\n")
	if strings.Contains(analysis, begin) || strings.Contains(analysis, end) {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis holds a line that marks where an analysis begins or ends")
	}
	view := scriptView{Spec: spec, Begin: begin, End: end}
	for i := range spec.Reads {
		view.TableLines = append(view.TableLines, tableLine+oneLine(spec.Reads[i].Table.QualifiedName()))
	}
	view.Analysis = analysis
	for i, c := range spec.Connections {
		cv := connectionView{Connection: c, Catalog: CatalogName(c.Name), UserEnv: UserEnv(i), PasswordEnv: PasswordEnv(i)}
		for j := range spec.Reads {
			if r := spec.Reads[j]; r.Table.Connection == c.Name {
				cv.Reads = append(cv.Reads, viewRead(cv.Catalog, r))
			}
		}
		view.Connections = append(view.Connections, cv)
	}
	// The line numbers stand in the text itself, above the analysis: they do
	// not change its number of lines, so the second rendering is right.
	out := ""
	for range 2 {
		var b bytes.Buffer
		if err := tmpl.Execute(&b, view); err != nil {
			return "", fmt.Errorf("render script: %w", err)
		}
		out = b.String()
		before, _, _ := strings.Cut(out, begin+"\n")
		view.FirstLine = strings.Count(before, "\n") + 2
		view.LastLine = view.FirstLine + strings.Count(analysis, "\n")
	}
	return out, nil
}

func viewRead(catalog string, r readplan.Read) readView {
	v := readView{Read: r}
	v.Ident = quote(catalog) + "." + quote(r.Table.Schema) + "." + quote(r.Table.Name)
	for _, c := range r.Columns {
		if c.Skip != "" {
			v.Skipped = append(v.Skipped, c.Name)
		}
	}
	if r.ByQuery {
		var names []string
		for _, c := range r.Kept() {
			names = append(names, quotePG(c.Name))
		}
		v.Query = fmt.Sprintf("(SELECT %s FROM %s.%s) AS t", strings.Join(names, ", "), quotePG(r.Table.Schema), quotePG(r.Table.Name))
	}
	return v
}

// Extract takes the analysis out of a script that Render wrote; ok is false
// for any other program.
func Extract(script string) (analysis string, ok bool) {
	text := strings.ReplaceAll(script, "\r\n", "\n")
	_, rest, found := strings.Cut(text, begin+"\n")
	if !found {
		return "", false
	}
	analysis, _, found = strings.Cut(rest, "\n"+end)
	return analysis, found
}

// Tables lists the tables that a script of ours reads, by their names in its
// header.
func Tables(script string) []string {
	var names []string
	for line := range strings.SplitSeq(script, "\n") {
		if name, ok := strings.CutPrefix(line, tableLine); ok {
			names = append(names, name)
		}
		if line == begin {
			break
		}
	}
	return names
}

// tableLine begins the header's line for each table.
const tableLine = "# table: "

var notName = regexp.MustCompile(`[^a-z0-9_]`)

// CatalogName is the name of the connection's catalog inside Spark.
func CatalogName(connection string) string {
	name := notName.ReplaceAllString(connection, "_")
	if name != connection { // two connections must not share a catalog
		h := fnv.New32a()
		_, _ = h.Write([]byte(connection))
		name += fmt.Sprintf("_%08x", h.Sum32())
	}
	return "pg_" + name
}

// ConnectionsOf lists the names of the connections that the reads use, sorted.
func ConnectionsOf(reads []readplan.Read) []string {
	seen := map[string]bool{}
	var names []string
	for i := range reads {
		if n := reads[i].Table.Connection; !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// pyString writes s as a Python string literal: JSON's are.
func pyString(s string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func quote(s string) string   { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
func quotePG(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
