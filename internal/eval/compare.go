package eval

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Comparison sets two runs of one suite against each other, question by
// question.
type Comparison struct {
	A, B    *Report
	Both    int      // questions that both runs have
	Better  []string // B ended as it should, A did not
	Worse   []string // A ended as it should, B did not
	P       float64  // of McNemar's exact test, two-sided
	Missing int      // questions that only one of the runs has
}

// ReadReport reads a report that WriteJSON has written.
func ReadReport(path string) (*Report, error) {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the report cannot be read: %w", err)
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil || len(r.Questions) == 0 {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: path + " is no report of an evaluation", Remedy: "name files that sparkwright eval --report has written", Err: err,
		}
	}
	return r, nil
}

// Compare pairs the questions of two reports. The same question counts as the
// same by its id.
func Compare(a, b *Report) *Comparison {
	c := &Comparison{A: a, B: b}
	before := map[string]bool{}
	for _, l := range a.Questions {
		before[l.ID] = l.Good
	}
	for _, l := range b.Questions {
		was, ok := before[l.ID]
		if !ok {
			c.Missing++
			continue
		}
		c.Both++
		switch {
		case l.Good && !was:
			c.Better = append(c.Better, l.ID)
		case was && !l.Good:
			c.Worse = append(c.Worse, l.ID)
		}
	}
	c.Missing += len(a.Questions) - c.Both
	c.P = mcnemar(len(c.Better), len(c.Worse))
	return c
}

// mcnemar is the exact two-sided p-value of McNemar's test: the chance that of
// b+c questions which ended differently, so many or more ended one way, when
// either way were as likely.
func mcnemar(b, c int) float64 {
	n, k := b+c, min(b, c)
	if n == 0 {
		return 1
	}
	logFactorial := func(x int) float64 {
		v, _ := math.Lgamma(float64(x) + 1)
		return v
	}
	tail := 0.0
	for i := range k + 1 {
		tail += math.Exp(logFactorial(n) - logFactorial(i) - logFactorial(n-i) - float64(n)*math.Ln2)
	}
	return min(1, 2*tail)
}

// WriteText writes the comparison for a terminal.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-44s %6s %6s %8s %12s %9s %8s %9s %8s\n", "", "right", "wrong", "declined", "of it wrong", "precision", "coverage", "tokens", "seconds")
	for _, r := range []*Report{c.A, c.B} {
		t := &r.Total
		fmt.Fprintf(&b, "%-44s %6d %6d %8d %12d %9s %8s %9d %8.1f\n", r.Arm+" "+r.Generator, t.Right, t.Wrong, t.Declined, t.Answered,
			percent(t.Precision()), percent(t.Coverage()), t.InputTokens+t.OutputTokens, t.Seconds)
	}
	fmt.Fprintf(&b, "\n%d questions in both: %d better, %d worse; p = %.4f (McNemar, exact, two-sided)\n", c.Both, len(c.Better), len(c.Worse), c.P)
	if c.Missing > 0 {
		fmt.Fprintf(&b, "%d questions are in one of the runs only, and left out\n", c.Missing)
	}
	if len(c.Better) > 0 {
		b.WriteString("better: " + strings.Join(c.Better, " ") + "\n")
	}
	if len(c.Worse) > 0 {
		b.WriteString("worse:  " + strings.Join(c.Worse, " ") + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the comparison cannot be written: %w", err)
	}
	return nil
}
