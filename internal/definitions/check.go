package definitions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Problem is a definition that does not hold for a catalog.
type Problem struct {
	Path    string `json:"path,omitempty"`
	Kind    string `json:"kind"` // term, metric, filter, join, verified
	Name    string `json:"name"`
	Message string `json:"message"`
	// Absent says that only a table is not there: it may not be selected.
	Absent bool `json:"absent"`
}

// String is one line for people.
func (p Problem) String() string {
	where := ""
	if p.Path != "" {
		where = p.Path + ": "
	}
	return fmt.Sprintf("%s%s %q: %s", where, p.Kind, p.Name, p.Message)
}

// Check holds the definitions of a file against the catalog of its connection.
func Check(f *File, catalog *sparkwright.Catalog) []Problem {
	_, problems := sound(&f.Definitions, catalog)
	for i := range problems {
		problems[i].Path = f.Path
	}
	return problems
}

// Same reports whether two problems are of the same definition.
func (p Problem) Same(q Problem) bool {
	return p.Path == q.Path && p.Kind == q.Kind && p.Name == q.Name && p.Message == q.Message
}

type checker struct {
	catalog  *sparkwright.Catalog
	names    map[string]string // lower-case name or synonym -> the definition that has it
	problems []Problem
}

// sound keeps the definitions that hold, and tells why the others do not.
func sound(d *sparkwright.Definitions, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []Problem) {
	c := &checker{catalog: catalog, names: map[string]string{}}
	out := &sparkwright.Definitions{}
	for i := range d.Terms {
		if t := &d.Terms[i]; c.ok("term", t.Name, c.term(t)) {
			out.Terms = append(out.Terms, *t)
		}
	}
	for i := range d.Metrics {
		if m := &d.Metrics[i]; c.ok("metric", m.Name, c.metric(m)) {
			out.Metrics = append(out.Metrics, *m)
		}
	}
	for i := range d.Filters {
		if f := &d.Filters[i]; c.ok("filter", f.Table, c.filter(f)) {
			out.Filters = append(out.Filters, *f)
		}
	}
	for i := range d.Joins {
		if j := &d.Joins[i]; c.ok("join", j.From+" = "+j.To, c.join(j)) {
			out.Joins = append(out.Joins, *j)
		}
	}
	for i := range d.Verified {
		if v := &d.Verified[i]; c.ok("verified", v.Question, c.verified(v)) {
			out.Verified = append(out.Verified, *v)
		}
	}
	return out, c.problems
}

// absent is a table that is not there.
type absent struct{ table string }

func (a absent) Error() string { return "there is no table " + a.table }

func (c *checker) ok(kind, name string, err error) bool {
	if err == nil {
		return true
	}
	_, gone := err.(absent) //nolint:errorlint // it is never wrapped
	c.problems = append(c.problems, Problem{Kind: kind, Name: name, Message: err.Error(), Absent: gone})
	return false
}

// Table finds schema.table in a catalog; nil when it is not there. A schema may be
// left out where only one has a table of that name.
func Table(catalog *sparkwright.Catalog, name string) *sparkwright.Table {
	var found *sparkwright.Table
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		switch {
		case t.Schema+"."+t.Name == name:
			return t
		case t.Name == name && found == nil:
			found = t
		case t.Name == name:
			return nil
		}
	}
	return found
}

func (c *checker) table(name string) (*sparkwright.Table, error) {
	if t := Table(c.catalog, name); t != nil {
		return t, nil
	}
	return nil, absent{name}
}

// Column finds schema.table.column; nil when it is not there.
func Column(catalog *sparkwright.Catalog, name string) (*sparkwright.Table, *sparkwright.Column) {
	at := strings.LastIndex(name, ".")
	if at < 0 {
		return nil, nil
	}
	t := Table(catalog, name[:at])
	if t == nil {
		return nil, nil
	}
	return t, t.Column(name[at+1:])
}

func (c *checker) column(name string) (*sparkwright.Column, error) {
	t, col := Column(c.catalog, name)
	switch {
	case t == nil && strings.Contains(name, "."):
		return nil, absent{name[:strings.LastIndex(name, ".")]}
	case col == nil:
		return nil, fmt.Errorf("there is no column %s", name)
	}
	return col, nil
}

// said claims a name and its synonyms, so that no word means two things.
func (c *checker) said(name string, synonyms []string) error {
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("it has no name")
	}
	for _, w := range append([]string{name}, synonyms...) {
		low := strings.ToLower(strings.TrimSpace(w))
		if other, ok := c.names[low]; ok && other != name {
			return fmt.Errorf("%q is said of %s, too", w, other)
		}
		c.names[low] = name
	}
	return nil
}

func (c *checker) term(t *sparkwright.Term) error {
	if err := c.said(t.Name, t.Synonyms); err != nil {
		return err
	}
	given := 0
	for _, s := range []string{t.Table, t.Column, t.Means} {
		if s != "" {
			given++
		}
	}
	if given != 1 || t.Value != "" && t.Column == "" {
		return fmt.Errorf("it needs one of table, column (with or without value) and means")
	}
	if t.Table != "" {
		_, err := c.table(t.Table)
		return err
	}
	if t.Column == "" {
		return nil
	}
	col, err := c.column(t.Column)
	if err == nil && t.Value != "" && len(col.Enum) > 0 && !slices.Contains(col.Enum, t.Value) {
		return fmt.Errorf("%q is no value of %s: %s", t.Value, t.Column, strings.Join(col.Enum, ", "))
	}
	return err
}

func (c *checker) fragment(table, text string) (*Expr, *sparkwright.Table, error) {
	t, err := c.table(table)
	if err != nil {
		return nil, nil, err
	}
	e, err := ParseExpr(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%q: %w", text, err)
	}
	for _, name := range e.Columns() {
		if t.Column(name) == nil {
			return nil, nil, fmt.Errorf("there is no column %s.%s", table, name)
		}
	}
	return e, t, nil
}

func (c *checker) metric(m *sparkwright.Metric) error {
	if err := c.said(m.Name, m.Synonyms); err != nil {
		return err
	}
	e, t, err := c.fragment(m.Table, m.Expression)
	if err != nil {
		return err
	}
	if !e.Aggregates() {
		return fmt.Errorf("%q is no figure of many rows: put its columns into sum, avg, min, max or count", m.Expression)
	}
	for _, name := range e.Columns() {
		if col := t.Column(name); summed(e, name) && !number(col.BaseType) {
			return fmt.Errorf("%s.%s is %s, and no number", m.Table, name, col.Type)
		}
	}
	for i := range m.Only {
		if err := c.filter(&m.Only[i]); err != nil {
			return err
		}
	}
	for _, name := range m.By {
		if _, err := c.column(name); err != nil {
			return err
		}
	}
	return nil
}

// summed reports whether a column is directly in a sum or an average.
func summed(e *Expr, name string) bool {
	for i, p := range e.parts {
		if p.column && p.text == name && i >= 2 && e.parts[i-1].text == "(" && (e.parts[i-2].text == "sum" || e.parts[i-2].text == "avg") {
			return true
		}
	}
	return false
}

func number(base string) bool {
	return slices.Contains([]string{"int2", "int4", "int8", "numeric", "float4", "float8", "money"}, base)
}

func (c *checker) filter(f *sparkwright.DefaultFilter) error {
	e, t, err := c.fragment(f.Table, f.Where)
	if err != nil {
		return err
	}
	if len(e.Columns()) == 0 {
		return fmt.Errorf("%q names no column", f.Where)
	}
	for i, p := range e.parts { // status <> 'gone', where status is an enum without it
		if !p.column || i+2 >= len(e.parts) || e.parts[i+1].text != "=" && e.parts[i+1].text != "<>" {
			continue
		}
		labels, value := t.Column(p.text).Enum, strings.Trim(e.parts[i+2].text, "'")
		if len(labels) > 0 && !slices.Contains(labels, value) {
			return fmt.Errorf("%q is no value of %s.%s: %s", value, f.Table, p.text, strings.Join(labels, ", "))
		}
	}
	return nil
}

func (c *checker) join(j *sparkwright.JoinHint) error {
	from, err := c.column(j.From)
	if err != nil {
		return err
	}
	to, err := c.column(j.To)
	if err != nil {
		return err
	}
	if kind(from.BaseType) != kind(to.BaseType) {
		return fmt.Errorf("%s is %s, and %s is %s", j.From, from.Type, j.To, to.Type)
	}
	t, col := Column(c.catalog, j.To)
	if !unique(t, col.Name) {
		return fmt.Errorf("%s identifies no row: neither a primary key nor unique", j.To)
	}
	return nil
}

func unique(t *sparkwright.Table, column string) bool {
	if len(t.PrimaryKey) == 1 && t.PrimaryKey[0] == column {
		return true
	}
	return slices.ContainsFunc(t.Uniques, func(u []string) bool { return len(u) == 1 && u[0] == column })
}

// kind groups types that are compared with one another.
func kind(base string) string {
	switch base {
	case "int2", "int4", "int8":
		return "whole"
	case "text", "varchar", "bpchar", "citext":
		return "text"
	default:
		return base
	}
}

var (
	reads     = regexp.MustCompile("(?i)\\b(?:from|join)\\s+(`[^`]+`|[a-z_]\\w*)")
	named     = regexp.MustCompile(`(?i)^\s+(?:as\s+)?([a-z_]\w*)`)
	framed    = regexp.MustCompile(`spark\.table\(\s*["']([^"']+)["']\s*\)`)
	ctes      = regexp.MustCompile(`(?i)(?:\bwith|,)\s+([a-z_]\w*)\s+as\s*\(`)
	qualified = regexp.MustCompile(`(?i)\b([a-z_]\w*)\.([a-z_]\w*)\b`)
	literals  = regexp.MustCompile(`'(?:[^']|'')*'`)
	extracts  = regexp.MustCompile(`(?i)\bextract\s*\(\s*\w+\s+from\s`)
)

// verified checks what can be seen without Spark: the tables that code reads
// are there, and the columns that it names with their table.
func (c *checker) verified(v *sparkwright.Verified) error {
	for _, q := range append([]string{v.Question}, v.Also...) {
		if strings.TrimSpace(q) == "" {
			return fmt.Errorf("it has no question")
		}
	}
	if !strings.Contains(v.Code, "result") {
		return fmt.Errorf("its code assigns no result")
	}
	code := v.Code
	if strings.Contains(code, "spark.sql") {
		code = extracts.ReplaceAllString(literals.ReplaceAllString(code, "''"), "extract(")
	}
	own := map[string]bool{}
	for _, m := range ctes.FindAllStringSubmatch(code, -1) {
		own[strings.ToLower(m[1])] = true
	}
	aliases := map[string]*sparkwright.Table{}
	if strings.Contains(v.Code, "spark.sql") {
		for _, at := range reads.FindAllStringSubmatchIndex(code, -1) {
			name := strings.Trim(code[at[2]:at[3]], "`")
			if own[strings.ToLower(name)] {
				continue
			}
			t := c.view(name)
			if t == nil {
				return absent{name}
			}
			aliases[strings.ToLower(name)] = t
			if m := named.FindStringSubmatch(code[at[3]:]); m != nil { // or a word of SQL, which qualifies nothing
				aliases[strings.ToLower(m[1])] = t
			}
		}
		for _, m := range qualified.FindAllStringSubmatch(code, -1) {
			t := aliases[strings.ToLower(m[1])]
			if t != nil && !slices.ContainsFunc(t.Columns, func(col sparkwright.Column) bool { return strings.EqualFold(col.Name, m[2]) }) {
				return fmt.Errorf("there is no column %s.%s.%s", t.Schema, t.Name, m[2])
			}
		}
	}
	for _, m := range framed.FindAllStringSubmatch(v.Code, -1) {
		if c.view(m[1]) == nil {
			return absent{m[1]}
		}
	}
	return nil
}

// view finds the table below a view of a run: its name, or the name of the table.
func (c *checker) view(name string) *sparkwright.Table {
	for i := range c.catalog.Tables {
		if t := &c.catalog.Tables[i]; strings.EqualFold(t.View, name) || t.View == "" && strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}
