package eval

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Tally counts outcomes.
type Tally struct {
	Answerable int `json:"answerable"` // questions that have an answer
	Right      int `json:"right"`
	Wrong      int `json:"wrong"`
	Declined   int `json:"declined"`
	Failed     int `json:"failed"`

	Unanswerable int `json:"unanswerable"` // questions that have none
	Answered     int `json:"unanswerable_answered"`

	InputTokens  int     `json:"input_tokens"`
	OutputTokens int     `json:"output_tokens"`
	Calls        int     `json:"calls"`
	Repairs      int     `json:"repairs"`
	USD          float64 `json:"usd"` // 0 where no price is known
	Seconds      float64 `json:"seconds"`
}

// Count counts the outcomes of questions.
func Count(list []Scored) Tally {
	var t Tally
	for i := range list {
		s := &list[i]
		t.InputTokens += s.Answer.Usage.InputTokens
		t.OutputTokens += s.Answer.Usage.OutputTokens
		t.Calls += s.Answer.Usage.Calls
		t.USD += s.Answer.Usage.USD
		t.Repairs += s.Answer.Repairs
		t.Seconds += s.Answer.Seconds
		if !s.Answerable {
			t.Unanswerable++
			if s.Answer.Outcome == Wrong {
				t.Answered++
			}
			continue
		}
		t.Answerable++
		switch s.Answer.Outcome {
		case Right:
			t.Right++
		case Wrong:
			t.Wrong++
		case Declined:
			t.Declined++
		case Failed:
			t.Failed++
		}
	}
	return t
}

// Precision is the share of right answers among all answers; ok is false when
// nothing was answered.
func (t *Tally) Precision() (share float64, ok bool) {
	return ratio(t.Right, t.Right+t.Wrong+t.Answered)
}

// Coverage is the share of the answerable questions that were answered.
func (t *Tally) Coverage() (share float64, ok bool) { return ratio(t.Right+t.Wrong, t.Answerable) }

func ratio(a, b int) (float64, bool) {
	if b == 0 {
		return 0, false
	}
	return float64(a) / float64(b), true
}

func percent(share float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

// Group is the tally of the questions that have something in common.
type Group struct {
	By   string `json:"by"` // "database" or "category"
	Name string `json:"name"`
	Tally
}

// Report is the outcome of one run of a suite.
type Report struct {
	Suite     string    `json:"suite"`
	Arm       string    `json:"arm"` // "pipeline", "naive", "direct"
	Generator string    `json:"generator"`
	Began     time.Time `json:"began"`
	Wall      float64   `json:"wall_seconds"`
	Total     Tally     `json:"total"`
	Groups    []Group   `json:"groups"`
	// Confusion are the questions that did not end as they should, by what was
	// expected and what came.
	Confusion []Confused `json:"confusion"`
	Questions []Line     `json:"questions"`
}

// Confused is one kind of ending that should have been another.
type Confused struct {
	Expected string   `json:"expected"` // "answer", "unanswerable", "ambiguous"
	Got      string   `json:"got"`      // an Outcome, or "declined (reason)"
	IDs      []string `json:"ids"`
}

// Line is one question of a report.
type Line struct {
	ID       string  `json:"id"`
	Category string  `json:"category"`
	Question string  `json:"question"`
	Outcome  Outcome `json:"outcome"`
	Good     bool    `json:"good"`
	Detail   string  `json:"detail,omitempty"`
	Error    string  `json:"error,omitempty"`
	Tokens   int     `json:"tokens"`
	Seconds  float64 `json:"seconds"`
}

// NewReport sums up. Suite, Arm, Began and Wall are the caller's to fill in.
func NewReport(list []Scored) *Report {
	r := &Report{Total: Count(list), Groups: []Group{}, Confusion: []Confused{}, Questions: []Line{}}
	for _, by := range []struct {
		name string
		of   func(*Scored) string
	}{
		{"database", func(s *Scored) string { return s.Database }},
		{"category", func(s *Scored) string { return s.Category }},
	} {
		groups := map[string][]Scored{}
		var names []string
		for i := range list {
			k := by.of(&list[i])
			if _, ok := groups[k]; !ok {
				names = append(names, k)
			}
			groups[k] = append(groups[k], list[i])
		}
		slices.Sort(names)
		for _, n := range names {
			r.Groups = append(r.Groups, Group{By: by.name, Name: n, Tally: Count(groups[n])})
		}
	}
	for i := range list {
		s := &list[i]
		if s.Answer.Generator != "" {
			r.Generator = s.Answer.Generator
		}
		r.Questions = append(r.Questions, Line{
			ID: s.ID, Category: s.Category, Question: s.Question.Question, Outcome: s.Answer.Outcome, Good: s.Good(), Detail: s.Answer.Detail, Error: s.Answer.Error,
			Tokens: s.Answer.Usage.InputTokens + s.Answer.Usage.OutputTokens, Seconds: s.Answer.Seconds,
		})
		if !asExpected(s) {
			r.confuse(expected(s), got(s), s.ID)
		}
	}
	slices.SortStableFunc(r.Confusion, func(a, b Confused) int { return len(b.IDs) - len(a.IDs) })
	return r
}

// asExpected is stricter than Good: a reason that was expected counts too.
func asExpected(s *Scored) bool {
	return s.Good() && (s.Answerable || s.Reason == "" || s.Reason == s.Answer.Reason)
}

func expected(s *Scored) string {
	switch {
	case s.Answerable:
		return "answer"
	case s.Reason != "":
		return string(s.Reason)
	default:
		return string(sparkwright.DeclineUnanswerable)
	}
}

func got(s *Scored) string {
	if s.Answer.Outcome == Declined && s.Answer.Reason != "" {
		return "declined (" + string(s.Answer.Reason) + ")"
	}
	return string(s.Answer.Outcome)
}

func (r *Report) confuse(expected, got, id string) {
	for i := range r.Confusion {
		if c := &r.Confusion[i]; c.Expected == expected && c.Got == got {
			c.IDs = append(c.IDs, id)
			return
		}
	}
	r.Confusion = append(r.Confusion, Confused{Expected: expected, Got: got, IDs: []string{id}})
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the report cannot be written: %w", err)
	}
	return nil
}

// line is one row of the table.
func (t *Tally) line(name string) string {
	return fmt.Sprintf("%-38s %4d %8d %6d %6d %8d %6d %12d %12d %9s %8s %9d %8.1f", name, t.Answerable, t.Right+t.Wrong, t.Right, t.Wrong, t.Declined, t.Failed,
		t.Unanswerable, t.Answered, percent(t.Precision()), percent(t.Coverage()), t.InputTokens+t.OutputTokens, t.Seconds)
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s · %s · %.0f s\n\n", r.Suite, r.Arm, r.Generator, r.Wall)
	fmt.Fprintf(&b, "%-38s %4s %8s %6s %6s %8s %6s %12s %12s %9s %8s %9s %8s\n", "", "n", "answered", "right", "wrong", "declined", "failed",
		"unanswerable", "of it wrong", "precision", "coverage", "tokens", "seconds")
	b.WriteString(r.Total.line("all") + "\n")
	for i := range r.Groups {
		b.WriteString(r.Groups[i].line(r.Groups[i].By+" "+r.Groups[i].Name) + "\n")
	}
	b.WriteString("\nprecision = right / (answered + unanswerable questions answered with rows)\ncoverage = answered / n\n")
	if r.Total.USD > 0 {
		fmt.Fprintf(&b, "cost of the model: %.4f USD\n", r.Total.USD)
	}
	if len(r.Confusion) > 0 {
		b.WriteString("\nexpected, and got instead\n")
	}
	for _, c := range r.Confusion {
		ids := c.IDs
		more := ""
		if len(ids) > 8 {
			ids, more = ids[:8], fmt.Sprintf(" and %d more", len(c.IDs)-8)
		}
		fmt.Fprintf(&b, "%-14s %-26s %4d  %s%s\n", c.Expected, c.Got, len(c.IDs), strings.Join(ids, " "), more)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the report cannot be written: %w", err)
	}
	return nil
}
