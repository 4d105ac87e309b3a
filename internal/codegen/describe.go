package codegen

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// budget is the size in bytes that the description of the tables should not
// pass. Comments, enum labels and PostgreSQL types give way, columns never do.
const budget = 80_000

// detail is how much is told of each column. Lengths are in runes.
type detail struct {
	comment  int // longest comment of a column
	labels   int // most enum labels
	postgres bool
}

// details go from all to the least.
var details = []detail{
	{comment: 200, labels: 60, postgres: true},
	{comment: 60, labels: 20, postgres: true},
	{comment: 0, labels: 8, postgres: false},
}

// describe renders the tables, in the most detailed form that fits the budget.
func describe(c *sparkwright.Catalog) string {
	var text string
	for i, d := range details {
		text = describeAs(c, d)
		if i > 0 {
			text = "Some comments and labels are shortened or left out, to save room.\n" + text
		}
		if len(text) <= budget {
			break
		}
	}
	return text
}

func describeAs(c *sparkwright.Catalog, d detail) string {
	var b strings.Builder
	for i := range c.Tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		describeTable(&b, c, &c.Tables[i], d)
	}
	return b.String()
}

func describeTable(b *strings.Builder, c *sparkwright.Catalog, t *sparkwright.Table, d detail) {
	rows := "number of rows unknown"
	if t.RowEstimate >= 0 {
		rows = fmt.Sprintf("about %d rows", t.RowEstimate)
	}
	kind := strings.ReplaceAll(string(t.Kind), "_", " ")
	if !readplan.FromPostgres(t) {
		kind, d.postgres = t.Format+" files", false
	}
	fmt.Fprintf(b, "view %s: %s %s.%s, %s\n", name(t.View), kind, name(t.Schema), name(t.Name), rows)
	if t.Comment != "" {
		fmt.Fprintf(b, "  comment: %s\n", quoted(t.Comment, 2*max(d.comment, 60)))
	}
	if len(t.PrimaryKey) > 0 {
		fmt.Fprintf(b, "  primary key: %s\n", names(t.PrimaryKey))
	}
	for _, unique := range t.Uniques {
		fmt.Fprintf(b, "  unique: %s\n", names(unique))
	}
	for _, fk := range t.ForeignKeys {
		if hint := join(c, t, &fk); hint != "" {
			fmt.Fprintf(b, "  join: %s\n", hint)
		}
	}
	b.WriteString("  columns:\n")
	for i := range t.Columns {
		describeColumn(b, &t.Columns[i], d)
	}
}

func describeColumn(b *strings.Builder, col *sparkwright.Column, d detail) {
	spark := readplan.SparkType(col)
	if spark.Skip != "" {
		fmt.Fprintf(b, "  - %s: NOT IN THE VIEW, cannot be used\n", name(col.Name))
		return
	}
	fmt.Fprintf(b, "  - %s: %s", name(col.Name), spark.Type)
	if pg := clip(col.Type, 80); d.postgres && pg != spark.Type {
		fmt.Fprintf(b, " (PostgreSQL %s)", safe(pg))
	}
	if !col.Nullable {
		b.WriteString(", not null")
	}
	if len(col.Enum) > 0 {
		b.WriteString(", one of")
		for i, label := range col.Enum {
			if i == d.labels {
				fmt.Fprintf(b, " and %d more", len(col.Enum)-i)
				break
			}
			b.WriteString(" " + exact(label))
		}
	}
	if col.Comment != "" && d.comment > 0 {
		b.WriteString(", comment " + quoted(col.Comment, d.comment))
	}
	b.WriteByte('\n')
}

// join writes a foreign key as a join condition, when both tables are there.
func join(c *sparkwright.Catalog, t *sparkwright.Table, fk *sparkwright.ForeignKey) string {
	if len(fk.Columns) != len(fk.RefColumns) {
		return ""
	}
	for i := range c.Tables {
		ref := &c.Tables[i]
		if ref.Connection != t.Connection || ref.Database != t.Database || ref.Schema != fk.RefSchema || ref.Name != fk.RefTable {
			continue
		}
		conditions := make([]string, len(fk.Columns))
		for k := range fk.Columns {
			conditions[k] = name(t.View) + "." + name(fk.Columns[k]) + " = " + name(ref.View) + "." + name(fk.RefColumns[k])
		}
		return strings.Join(conditions, " AND ")
	}
	return ""
}

var simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// name writes a name exactly: as it is, or as JSON.
func name(s string) string {
	if simpleName.MatchString(s) {
		return s
	}
	return exact(s)
}

// exact writes text as a JSON string that cannot close a tag, with every
// invisible character as an escape.
func exact(s string) string {
	text, err := json.Marshal(s) // writes control characters, <, > and & as escapes
	if err != nil {
		return `""`
	}
	var b strings.Builder
	for _, r := range string(text) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

func names(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = name(s)
	}
	return strings.Join(out, ", ")
}
