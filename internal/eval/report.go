package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// outcome is how a question ended.
type outcome string

const (
	right    outcome = "right"
	wrong    outcome = "wrong"
	declined outcome = "declined"
	failed   outcome = "failed" // no rows and not declined
)

// scored is a question with its outcome.
type scored struct {
	question
	Outcome outcome
	Detail  string
}

// tally counts outcomes.
type tally struct {
	n, right, wrong, declined, failed int // of answerable questions
	badRows, unanswerable             int // of unanswerable ones: answered with rows, all
}

func count(list []scored) tally {
	var t tally
	for _, s := range list {
		switch {
		case !s.Answerable:
			t.unanswerable++
			if s.Outcome == wrong {
				t.badRows++
			}
		case s.Outcome == right:
			t.right++
		case s.Outcome == wrong:
			t.wrong++
		case s.Outcome == declined:
			t.declined++
		default:
			t.failed++
		}
		if s.Answerable {
			t.n++
		}
	}
	return t
}

func percent(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(a)/float64(b))
}

// line is one row of the table.
func (t tally) line(name string) string {
	answered := t.right + t.wrong
	return fmt.Sprintf("%-38s %4d %8d %6d %6d %8d %6d %12d %12d %9s %8s", name, t.n, answered, t.right, t.wrong, t.declined, t.failed,
		t.unanswerable, t.badRows, percent(t.right, answered+t.badRows), percent(answered, t.n))
}

// report prints the outcomes by database and by category.
func report(w io.Writer, list []scored) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-38s %4s %8s %6s %6s %8s %6s %12s %12s %9s %8s\n", "", "n", "answered", "right", "wrong", "declined", "failed",
		"unanswerable", "of it wrong", "precision", "coverage")
	b.WriteString(count(list).line("all") + "\n")
	for _, by := range []struct {
		title string
		of    func(scored) string
	}{
		{"database", func(s scored) string { return s.Database }},
		{"category", func(s scored) string { return s.Category }},
	} {
		groups := map[string][]scored{}
		var names []string
		for _, s := range list {
			k := by.of(s)
			if _, ok := groups[k]; !ok {
				names = append(names, k)
			}
			groups[k] = append(groups[k], s)
		}
		slices.Sort(names)
		for _, n := range names {
			b.WriteString(count(groups[n]).line(by.title+" "+n) + "\n")
		}
	}
	b.WriteString("\nprecision = right / (answered + unanswerable questions answered with rows)\ncoverage = answered / n\n")
	_, err := io.WriteString(w, b.String())
	return err
}
