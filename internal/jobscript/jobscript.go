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
	"maps"
	"regexp"
	"slices"
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

// What both scripts share, the script of this machine's Spark, and that of AWS.
var (
	//go:embed shared.py.tmpl
	sharedText string
	//go:embed script.py.tmpl
	scriptText string
	//go:embed aws.py.tmpl
	awsText string
	//go:embed hold.py.tmpl
	holdText string
)

// Connection is how the job reaches one database. URL holds no credentials.
type Connection struct {
	Name  string
	URL   string
	Guard readplan.Guard // what stays with Spark
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
	Snapshots   []sparkwright.Snapshot // what the connections read, for the manifest
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
	Source       string // of parallel reads: the table, or the query
	Filters      bool   // filters stay with Spark
	Skipped      []string
}

// fileView is one table of files.
type fileView struct {
	Name, View, Format, DDL, Location string
	Options                           []option
}

type option struct{ Key, Value string }

type scriptView struct {
	Spec
	Files               []fileView
	Connections         []connectionView
	OnePartition        bool
	TableLines          []string
	Begin, End          string
	FirstLine, LastLine int
}

var (
	funcs = template.FuncMap{"py": pyString, "snapshots": snapshotsJSON, "comment": oneLine, "glueName": glueName}
	tmpl  = template.Must(template.New("script").Funcs(funcs).Parse(sharedText + scriptText))
	aws   = template.Must(template.New("aws").Funcs(funcs).Parse(sharedText + holdText + awsText))
)

// viewOf is a spec as the templates see it.
func viewOf(spec Spec) (*scriptView, error) {
	analysis, err := plainAnalysis(spec.Analysis)
	if err != nil {
		return nil, err
	}
	view := &scriptView{Spec: spec, Begin: begin, End: end, OnePartition: readplan.OnePartition(spec.Reads)}
	for i := range spec.Reads {
		view.TableLines = append(view.TableLines, tableLine+oneLine(spec.Reads[i].Table.QualifiedName()))
	}
	view.Analysis = analysis
	for i := range spec.Reads {
		if r := &spec.Reads[i]; !readplan.FromPostgres(&r.Table) {
			view.Files = append(view.Files, viewFile(r))
		}
	}
	for i, c := range spec.Connections {
		cv := connectionView{Connection: c, Catalog: CatalogName(c.Name), UserEnv: UserEnv(i), PasswordEnv: PasswordEnv(i)}
		for j := range spec.Reads {
			if r := spec.Reads[j]; r.Table.Connection == c.Name && readplan.FromPostgres(&r.Table) {
				cv.Reads = append(cv.Reads, viewRead(cv.Catalog, r))
			}
		}
		view.Connections = append(view.Connections, cv)
	}
	for i := range view.Connections {
		for k := range view.Connections[i].Reads {
			view.Connections[i].Reads[k].Filters = view.Connections[i].Guard.Filters
		}
	}
	return view, nil
}

// Views is the part of a script that makes its temp views, for a session that
// is there already as spark.
func Views(spec Spec) (string, error) {
	view, err := viewOf(spec)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	b.WriteString("import os\n")
	if err := tmpl.ExecuteTemplate(&b, "localviews", view); err != nil {
		return "", fmt.Errorf("render views: %w", err)
	}
	return b.String(), nil
}

// Render writes the script. An analysis that holds one of the marker lines is
// refused with CodeInvalid.
func Render(spec Spec) (string, error) {
	view, err := viewOf(spec)
	if err != nil {
		return "", err
	}
	return execute(tmpl, &view.FirstLine, &view.LastLine, view.Analysis, view)
}

// plainAnalysis has no marker lines and ends its lines with \n.
func plainAnalysis(code string) (string, error) {
	analysis := strings.TrimRight(strings.ReplaceAll(code, "\r\n", "\n"), "\n")
	if strings.Contains(analysis, begin) || strings.Contains(analysis, end) {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis holds a line that marks where an analysis begins or ends")
	}
	return analysis, nil
}

// execute renders a script whose view holds the lines of the analysis. The
// line numbers stand in the text itself, above the analysis: they do not
// change its number of lines, so the second rendering is right.
func execute(t *template.Template, first, last *int, analysis string, view any) (string, error) {
	out := ""
	for range 2 {
		var b bytes.Buffer
		if err := t.Execute(&b, view); err != nil {
			return "", fmt.Errorf("render script: %w", err)
		}
		out = b.String()
		before, _, _ := strings.Cut(out, begin+"\n")
		*first = strings.Count(before, "\n") + 2
		*last = *first + strings.Count(analysis, "\n")
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
	v.Source = quotePG(r.Table.Schema) + "." + quotePG(r.Table.Name)
	if r.ByQuery {
		var names []string
		for _, c := range r.Kept() {
			name := quotePG(c.Name)
			if c.Moment {
				name = "DATE '1970-01-01' + " + name + " AS " + name
			}
			names = append(names, name)
		}
		v.Query = fmt.Sprintf("(SELECT %s FROM %s.%s) AS t", strings.Join(names, ", "), quotePG(r.Table.Schema), quotePG(r.Table.Name))
		v.Source = v.Query
	}
	return v
}

func viewFile(r *readplan.Read) fileView {
	v := fileView{Name: r.Table.QualifiedName(), View: r.View, Format: r.Table.Format, Location: r.Table.Location}
	var columns []string
	for _, c := range r.Columns { // all: CSV goes by position
		columns = append(columns, quote(c.Name)+" "+c.Type)
	}
	v.DDL = strings.Join(columns, ", ")
	for _, k := range slices.Sorted(maps.Keys(r.Table.Options)) {
		v.Options = append(v.Options, option{k, r.Table.Options[k]})
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

// ConnectionsOf lists the names of the PostgreSQL connections that the reads
// use, sorted.
func ConnectionsOf(reads []readplan.Read) []string {
	seen := map[string]bool{}
	var names []string
	for i := range reads {
		if n := reads[i].Table.Connection; !seen[n] && readplan.FromPostgres(&reads[i].Table) {
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

// snapshotsJSON is what the manifest says of the states that were read.
func snapshotsJSON(list []sparkwright.Snapshot) (string, error) {
	var out struct {
		Snapshot  *sparkwright.Snapshot  `json:"snapshot,omitempty"`
		Snapshots []sparkwright.Snapshot `json:"snapshots,omitempty"`
	}
	switch len(list) {
	case 0:
	case 1:
		out.Snapshot = &list[0]
	default:
		out.Snapshots = list
	}
	text, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("encode snapshots: %w", err)
	}
	return string(text), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func quote(s string) string   { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
func quotePG(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
