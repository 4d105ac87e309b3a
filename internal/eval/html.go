package eval

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/sparkwright/sparkwright"
)

//go:embed report.html.tmpl
var page string

// tableLine is one line of the table of the page.
type tableLine struct {
	Name, Precision, Coverage string
	Tokens                    int
	T                         Tally
}

// WriteHTML writes the report as one page without scripts.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Parse(page)
	if err != nil {
		panic(err) // the file is part of the program
	}
	rows := []tableLine{newTableLine("all", r.Total)}
	for i := range r.Groups {
		rows = append(rows, newTableLine(r.Groups[i].By+" "+r.Groups[i].Name, r.Groups[i].Tally))
	}
	if err := t.Execute(w, struct {
		*Report
		Rows []tableLine
	}{r, rows}); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the report cannot be written: %w", err)
	}
	return nil
}

func newTableLine(name string, t Tally) tableLine {
	return tableLine{Name: name, Precision: percent(t.Precision()), Coverage: percent(t.Coverage()), Tokens: t.InputTokens + t.OutputTokens, T: t}
}
