package sparkwright

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Definitions say how words are to be read for one connection, or for any.
// They live in files beside the code of those who keep them.
type Definitions struct {
	Terms    []Term          `json:"terms,omitempty" yaml:"terms,omitempty"`
	Metrics  []Metric        `json:"metrics,omitempty" yaml:"metrics,omitempty"`
	Filters  []DefaultFilter `json:"filters,omitempty" yaml:"filters,omitempty"`
	Joins    []JoinHint      `json:"joins,omitempty" yaml:"joins,omitempty"`
	Verified []Verified      `json:"verified,omitempty" yaml:"verified,omitempty"`
}

// Term is a word, or several, and what it means: a table, a column, a value
// of a column, or other words.
type Term struct {
	Name     string   `json:"name" yaml:"name"`
	Synonyms []string `json:"synonyms,omitempty" yaml:"synonyms,omitempty"`
	Table    string   `json:"table,omitempty" yaml:"table,omitempty"`   // schema.table
	Column   string   `json:"column,omitempty" yaml:"column,omitempty"` // schema.table.column
	Value    string   `json:"value,omitempty" yaml:"value,omitempty"`   // of Column
	Means    string   `json:"means,omitempty" yaml:"means,omitempty"`   // words in its place
}

// Metric is a figure with a name: an aggregate over the rows of one table.
type Metric struct {
	Name       string          `json:"name" yaml:"name"`
	Synonyms   []string        `json:"synonyms,omitempty" yaml:"synonyms,omitempty"`
	Table      string          `json:"table" yaml:"table"`           // schema.table
	Expression string          `json:"expression" yaml:"expression"` // sum(quantity * unit_price)
	Only       []DefaultFilter `json:"only,omitempty" yaml:"only,omitempty"`
	// By says which column a word means when the figure is asked for by it.
	By    map[string]string `json:"by,omitempty" yaml:"by,omitempty"` // word -> schema.table.column
	About string            `json:"about,omitempty" yaml:"about,omitempty"`
}

// DefaultFilter is a condition that holds for a table when a question says
// nothing of the columns in it.
type DefaultFilter struct {
	Table string `json:"table" yaml:"table"` // schema.table
	Where string `json:"where" yaml:"where"` // a condition on its columns
	About string `json:"about,omitempty" yaml:"about,omitempty"`
}

// JoinHint relates columns that no foreign key relates. Many rows of From
// belong to one of To.
type JoinHint struct {
	From string `json:"from" yaml:"from"` // schema.table.column
	To   string `json:"to" yaml:"to"`
}

// Verified is a question whose code somebody has verified. It is used as it is.
type Verified struct {
	Question   string   `json:"question" yaml:"question"`
	Also       []string `json:"also,omitempty" yaml:"also,omitempty"` // other ways to ask the same
	Code       string   `json:"code" yaml:"code"`
	Understood string   `json:"understood,omitempty" yaml:"understood,omitempty"`
	By         string   `json:"by,omitempty" yaml:"by,omitempty"` // who verified it
}

// GeneratorVerified is the Generator of an analysis that is a verified answer.
const GeneratorVerified = "verified answer"

// Empty reports whether nothing is defined.
func (d *Definitions) Empty() bool {
	return d == nil || len(d.Terms)+len(d.Metrics)+len(d.Filters)+len(d.Joins)+len(d.Verified) == 0
}

// Answer finds the verified answer to a question; nil when there is none. Case,
// spacing and signs at the end do not count.
func (d *Definitions) Answer(question string) *Verified {
	if d == nil {
		return nil
	}
	want := sameQuestion(question)
	for i := range d.Verified {
		v := &d.Verified[i]
		for _, q := range append([]string{v.Question}, v.Also...) {
			if sameQuestion(q) == want && want != "" {
				return v
			}
		}
	}
	return nil
}

func sameQuestion(q string) string {
	return strings.TrimRight(strings.Join(strings.Fields(strings.ToLower(q)), " "), " ?.!")
}

// Text tells a model of terms, metrics, filters and joins, one a line.
func (d *Definitions) Text() string {
	if d.Empty() {
		return ""
	}
	var b strings.Builder
	for _, t := range d.Terms {
		what := t.Means
		switch {
		case t.Value != "":
			what = fmt.Sprintf("%s = '%s'", t.Column, t.Value)
		case t.Column != "":
			what = "the column " + t.Column
		case t.Table != "":
			what = "rows of " + t.Table
		}
		fmt.Fprintf(&b, "%s: %s\n", strings.Join(append([]string{t.Name}, t.Synonyms...), ", "), what)
	}
	for _, m := range d.Metrics {
		fmt.Fprintf(&b, "%s: %s over the rows of %s", strings.Join(append([]string{m.Name}, m.Synonyms...), ", "), m.Expression, m.Table)
		for _, f := range m.Only {
			fmt.Fprintf(&b, ", only those whose row of %s has %s", f.Table, f.Where)
		}
		for _, word := range slices.Sorted(maps.Keys(m.By)) {
			fmt.Fprintf(&b, "; by %s: %s", word, m.By[word])
		}
		b.WriteString("\n")
	}
	for _, f := range d.Filters {
		fmt.Fprintf(&b, "Rows of %s are only those with %s, unless the question says something of it.\n", f.Table, f.Where)
	}
	for _, j := range d.Joins {
		fmt.Fprintf(&b, "Join %s = %s: many rows to one.\n", j.From, j.To)
	}
	return b.String()
}
