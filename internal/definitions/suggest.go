package definitions

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sparkwright/sparkwright"
)

// Suggest proposes definitions from a catalog and from runs that have
// succeeded: joins that no foreign key declares, terms from comments, totals of
// amounts, and verified answers from runs that PostgreSQL's own totals bore out
// or that somebody has pinned. They are proposals: a person decides.
func Suggest(connection string, catalog *sparkwright.Catalog, runs []sparkwright.Run) *File {
	f := &File{Connection: connection}
	taken := map[string]bool{}
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		f.Joins = append(f.Joins, joins(catalog, t)...)
		for k := range t.Columns {
			if term, ok := commented(t, &t.Columns[k]); ok && !taken[term.Name] {
				taken[term.Name] = true
				f.Terms = append(f.Terms, term)
			}
		}
		for k := range t.Columns {
			if m, ok := total(t, &t.Columns[k]); ok && !taken[m.Name] {
				taken[m.Name] = true
				f.Metrics = append(f.Metrics, m)
			}
		}
	}
	for i := range runs {
		if v, ok := borneOut(connection, &runs[i]); ok && f.Answer(v.Question) == nil {
			f.Verified = append(f.Verified, v)
		}
	}
	good, _ := sound(&f.Definitions, catalog)
	f.Definitions = *good
	return f
}

// joins relates a column that is named like the key of another table.
func joins(catalog *sparkwright.Catalog, t *sparkwright.Table) (out []sparkwright.JoinHint) {
	for k := range t.Columns {
		c := &t.Columns[k]
		if slices.ContainsFunc(t.ForeignKeys, func(fk sparkwright.ForeignKey) bool { return slices.Contains(fk.Columns, c.Name) }) {
			continue
		}
		var found []*sparkwright.Table
		for i := range catalog.Tables {
			to := &catalog.Tables[i]
			if to != t && len(to.PrimaryKey) == 1 && to.PrimaryKey[0] == c.Name && c.Name != "id" && kind(to.Column(c.Name).BaseType) == kind(c.BaseType) {
				found = append(found, to)
			}
		}
		own := len(t.PrimaryKey) == 1 && t.PrimaryKey[0] == c.Name
		if len(found) == 1 && !own {
			out = append(out, sparkwright.JoinHint{From: t.Schema + "." + t.Name + "." + c.Name, To: found[0].Schema + "." + found[0].Name + "." + c.Name})
		}
	}
	return out
}

var firstWords = regexp.MustCompile(`^[A-Za-z][A-Za-z ]{2,30}`)

// commented makes a term of a comment that begins with another name of the
// column: "Stars, 1 to 5" for rating.
func commented(t *sparkwright.Table, c *sparkwright.Column) (sparkwright.Term, bool) {
	head, _, cut := strings.Cut(c.Comment, ",")
	if !cut {
		head, _, cut = strings.Cut(c.Comment, ":")
	}
	head = strings.TrimSpace(head)
	words := strings.Fields(strings.ToLower(head))
	if !cut || len(words) == 0 || len(words) > 2 || firstWords.FindString(head) != head || strings.Contains(strings.ToLower(c.Name), words[0]) {
		return sparkwright.Term{}, false
	}
	return sparkwright.Term{Name: strings.Join(words, " "), Column: t.Schema + "." + t.Name + "." + c.Name}, true
}

var amounts = regexp.MustCompile(`(^|_)(amount|price|cost|revenue|total|fee|refund|salary|value)(_|$)`)

// total makes a metric of a column that holds money.
func total(t *sparkwright.Table, c *sparkwright.Column) (sparkwright.Metric, bool) {
	if !amounts.MatchString(c.Name) || !number(c.BaseType) || t.Kind != sparkwright.KindTable && t.Kind != sparkwright.KindPartitioned {
		return sparkwright.Metric{}, false
	}
	return sparkwright.Metric{
		Name: "total " + strings.TrimSuffix(t.Name, "s") + " " + strings.ReplaceAll(c.Name, "_", " "), Table: t.Schema + "." + t.Name, Expression: "sum(" + c.Name + ")",
	}, true
}

// borneOut makes a verified answer of a run. Who verified it is for a person
// to say.
func borneOut(connection string, r *sparkwright.Run) (sparkwright.Verified, bool) {
	checked := r.Crosscheck != nil && r.Crosscheck.State == sparkwright.CrosscheckVerified
	of := slices.ContainsFunc(r.Views, func(v sparkwright.TableUse) bool { return !strings.HasPrefix(v.Table, connection+".") })
	if r.State != sparkwright.RunSucceeded || r.Question.Text == "" || r.Parent != "" || !checked && !r.Pinned || len(r.Views) == 0 || of || r.Generator == sparkwright.GeneratorVerified {
		return sparkwright.Verified{}, false
	}
	return sparkwright.Verified{Question: r.Question.Text, Code: r.Analysis, Understood: r.Understood}, true
}

// YAML writes a file of definitions.
func (f *File) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(f), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the definitions: %w", err)
	}
	return b.Bytes(), nil
}
