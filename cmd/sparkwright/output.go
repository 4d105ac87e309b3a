package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/sparkwright/sparkwright"
)

// printer writes what goes to stderr: progress and explanations.
type printer struct {
	w        io.Writer
	terminal bool
	colour   bool
	width    int
	bar      bool // a progress line stands on the terminal
}

func newPrinter(w io.Writer) *printer {
	p := &printer{w: w, width: 100}
	if width := terminalWidth(w); width > 0 {
		p.terminal, p.width = true, width
		p.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return p
}

// terminalWidth is the number of columns of a terminal; 0 = w is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// line writes a text under the labels, wrapped.
func (p *printer) line(body string) {
	p.clear()
	for _, l := range wrap(clean(body), max(8, min(p.width, 120)-2)) {
		_, _ = fmt.Fprintf(p.w, "  %s\n", l)
	}
}

const labelWidth = 10

// field writes a labelled text, wrapped under itself; nothing when it is empty.
func (p *printer) field(label, body string) {
	if body == "" {
		return
	}
	p.clear()
	shown := fmt.Sprintf("%-*s", labelWidth, clean(label))
	if p.colour {
		c := text.Faint
		if label == "failed" || label == "declined" {
			c = text.FgRed
		}
		shown = c.Sprint(shown)
	}
	room := max(8, min(p.width, 120)-labelWidth-4)
	for i, line := range wrap(clean(body), room) {
		if i > 0 {
			shown = strings.Repeat(" ", labelWidth)
		}
		_, _ = fmt.Fprintf(p.w, "  %s  %s\n", shown, line)
	}
}

// progress shows how far Spark is: one line that is written over.
func (p *printer) progress(pr sparkwright.Progress) {
	if !p.terminal || pr.Tasks == 0 {
		return
	}
	const cells = 20
	full := min(cells, cells*pr.TasksDone/pr.Tasks)
	line := fmt.Sprintf("  %-*s  %s%s  stage %d/%d · %d of %d tasks · %.0f s", labelWidth, "spark",
		strings.Repeat("█", full), strings.Repeat("░", cells-full), min(pr.StagesDone+1, pr.Stages), pr.Stages, pr.TasksDone, pr.Tasks, pr.Seconds)
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", text.Trim(line, p.width-1))
	p.bar = true
}

// waiting shows what is waited for, on a terminal.
func (p *printer) waiting(label, what string) {
	if p.terminal {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", text.Trim(fmt.Sprintf("  %-*s  %s …", labelWidth, label, clean(what)), p.width-1))
		p.bar = true
	}
}

func (p *printer) clear() {
	if p.bar {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.bar = false
	}
}

// clean takes out what could steer a terminal: data and names are not ours.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < 0x20 || steering(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// steering reports whether a terminal takes r, which is above the space, for a
// command or turns text around by it.
func steering(r rune) bool {
	return r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// plainJSON writes JSON in which everything that could steer a terminal is
// escaped; it stays the same JSON.
type plainJSON struct{ w io.Writer }

// Write implements io.Writer for whole documents.
func (p plainJSON) Write(text []byte) (int, error) {
	var out strings.Builder
	for _, r := range string(text) {
		if steering(r) {
			_, _ = fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	if _, err := io.WriteString(p.w, out.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

func wrap(s string, width int) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		out = append(out, strings.Split(text.WrapSoft(line, width), "\n")...)
	}
	return out
}

func numeric(sparkType string) bool {
	for _, p := range []string{"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"} {
		if sparkType == p || strings.HasPrefix(sparkType, p+"(") {
			return true
		}
	}
	return false
}

// cellText is a cell as plain text, with every digit that the job wrote.
func cellText(v json.RawMessage) string {
	var s string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	if string(v) == "null" {
		return ""
	}
	return string(v)
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	default:
		return fmt.Sprintf("%d kB", (n+1023)>>10)
	}
}

// count writes an estimate of rows for people.
func count(n int64) string {
	switch {
	case n < 0:
		return "? rows"
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f M rows", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%d k rows", n/1000)
	default:
		return fmt.Sprintf("%d rows", n)
	}
}

// thousands writes an exact number with separators.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
