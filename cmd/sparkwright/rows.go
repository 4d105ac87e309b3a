package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/sparkwright/sparkwright"
)

const (
	cellWidth = 48 // the most of one cell that a table shows
	cellLeast = 6  // narrower cells tell nothing
)

// rows writes a result as a table that fits the width: numbers to the right
// with the scale they have, NULL as ∅, empty text as ”, long text cut in the
// middle, numbers never cut. What does not fit is written one value a line.
func (a *app) rows(m *sparkwright.Manifest, width int) {
	if len(m.Schema) == 0 {
		return
	}
	header := make([]string, len(m.Schema))
	widths, numbers := make([]int, len(m.Schema)), make([]bool, len(m.Schema))
	for i, c := range m.Schema {
		header[i], numbers[i] = clean(c.Name), numeric(c.Type)
		widths[i] = text.StringWidth(header[i])
	}
	cells := make([][]string, len(m.Preview))
	for r, row := range m.Preview {
		cells[r] = make([]string, len(row))
		for i, v := range row {
			cells[r][i] = showCell(v)
			widths[i] = max(widths[i], text.StringWidth(cells[r][i]))
		}
	}
	if width > 0 && !fit(widths, numbers, width-3) {
		a.records(header, cells, width)
		return
	}
	a.grid(header, cells, widths, numbers)
}

// list writes what a command lists: as a table that fits a terminal, else
// whole.
func (a *app) list(header []string, cells [][]string, numbers ...int) {
	widths, right := make([]int, len(header)), make([]bool, len(header))
	for _, i := range numbers {
		right[i] = true
	}
	for _, row := range append([][]string{header}, cells...) {
		for i := range row {
			row[i] = clean(row[i])
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
	}
	if width := terminalWidth(a.stdout); width > 0 {
		whole, narrow := slices.Clone(right), slices.Clone(widths)
		whole[0] = true // a name is cut last
		if !fit(narrow, whole, width-3) && !fit(narrow, right, width-3) {
			a.records(header, cells, width)
			return
		}
		widths = narrow
	}
	a.grid(header, cells, widths, right)
}

// grid writes a table; cells are cut to the widths.
func (a *app) grid(header []string, cells [][]string, widths []int, numbers []bool) {
	t := table.NewWriter()
	t.SetOutputMirror(a.stdout)
	style := table.StyleDefault
	style.Options = table.Options{SeparateHeader: true, SeparateColumns: true}
	style.Format.Header = text.FormatDefault
	style.Box = table.BoxStyle{MiddleHorizontal: "─", MiddleSeparator: "  ", MiddleVertical: "  "}
	t.SetStyle(style)
	head := make(table.Row, len(header))
	configs := make([]table.ColumnConfig, len(header))
	for i := range header {
		head[i] = cut(header[i], widths[i])
		align := text.AlignLeft
		if numbers[i] {
			align = text.AlignRight
		}
		configs[i] = table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align}
	}
	t.AppendHeader(head)
	t.SetColumnConfigs(configs)
	for _, row := range cells {
		out := make(table.Row, len(row))
		for i, c := range row {
			out[i] = cut(c, widths[i])
		}
		t.AppendRow(out)
	}
	t.Render()
}

// fit narrows the widest columns of text until all fit the width with two
// spaces between them; false when they cannot.
func fit(widths []int, numbers []bool, width int) bool {
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for total > width {
		widest := -1
		for i, w := range widths {
			if !numbers[i] && w > cellLeast && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
		total--
	}
	return true
}

// records writes one value a line, as a narrow terminal needs.
func (a *app) records(header []string, cells [][]string, width int) {
	for r, row := range cells {
		if r > 0 {
			a.printf("\n")
		}
		for i, c := range row {
			a.printf("%s\n", strings.Join(wrap(header[i]+"  "+c, width-1), "\n"))
		}
	}
}

// cut keeps both ends of what is too long.
func cut(s string, width int) string {
	if text.StringWidth(s) <= width {
		return s
	}
	r := []rune(s)
	for keep := len(r) - 1; keep > 0; keep-- {
		head := (keep + 1) / 2
		if out := string(r[:head]) + "…" + string(r[len(r)-(keep-head):]); text.StringWidth(out) <= width {
			return out
		}
	}
	return "…"
}

// showCell is a cell for people.
func showCell(v json.RawMessage) string {
	s := cellText(v)
	switch {
	case string(v) == "null":
		return "∅"
	case s == "":
		return "''"
	}
	return cut(strings.NewReplacer("\n", "⏎", "\t", "⇥").Replace(clean(s)), cellWidth)
}

// summary says what came of a run, in one line.
func summary(run *sparkwright.Run) string {
	m := run.Result
	out := thousands(m.RowCount) + " rows"
	if m.RowCount == 1 {
		out = "1 row"
	}
	if m.Truncated {
		out += fmt.Sprintf(", the first %d shown", len(m.Preview))
	}
	var total float64
	for _, t := range run.Timings {
		total += t.Seconds
	}
	out += fmt.Sprintf(" · %.1f s", total)
	if m.Snapshot != nil {
		out += " · one snapshot"
	}
	if run.Verified {
		out += " · verified answer"
	}
	if text := usageText(run); text != "" {
		out += " · " + text
	}
	return out
}

// usageText tells what the code of an answer cost.
func usageText(run *sparkwright.Run) string {
	u := run.Usage
	tokens := int64(u.InputTokens) + int64(u.OutputTokens)
	switch {
	case run.Generator == "planner":
		return "0 tokens (built-in planner)"
	case u.Cached && u.Calls == 0:
		return "0 tokens (an earlier reply)"
	case u.Calls == 0:
		return ""
	case tokens == 0:
		return "tokens not counted"
	case u.USD > 0:
		return fmt.Sprintf("%s tokens, %.4f USD", thousands(tokens), u.USD)
	default:
		return thousands(tokens) + " tokens"
	}
}
