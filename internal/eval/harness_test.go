package eval

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/codegen"
)

// played is an Asker and a Gold that answer from maps.
type played struct {
	replies map[string]*Reply
	gold    map[string][][]any
	asked   atomic.Int64
}

func (p *played) Ask(_ context.Context, q *Question) (*Reply, error) {
	p.asked.Add(1)
	r, ok := p.replies[q.ID]
	if !ok {
		return nil, errors.New("not asked for")
	}
	return r, nil
}

func (p *played) Query(_ context.Context, _, sql string) ([]string, [][]any, error) {
	rows, ok := p.gold[sql]
	if !ok {
		return nil, nil, errors.New("no such SQL")
	}
	return []string{"a"}, rows, nil
}

func sample() (*Suite, *played) {
	suite := &Suite{Name: "sample", Questions: []Question{
		{ID: "right", Database: "d", Category: "x", Question: "one?", GoldSQL: "SELECT 1", Answerable: true},
		{ID: "wrong", Database: "d", Category: "x", Question: "two?", GoldSQL: "SELECT 2", Answerable: true},
		{ID: "rows", Database: "d", Category: "x", Question: "three?", GoldRows: [][]any{{3.0}}, Answerable: true},
		{ID: "shy", Database: "d", Category: "y", Question: "four?", GoldSQL: "SELECT 1", Answerable: true},
		{ID: "broken", Database: "d", Category: "y", Question: "five?", GoldSQL: "SELECT 1", Answerable: true},
		{ID: "none", Database: "d", Category: "z", Question: "six?"},
		{ID: "invented", Database: "d", Category: "z", Question: "seven?"},
		{ID: "vague", Database: "d", Category: "z", Question: "eight?", Reason: sparkwright.DeclineAmbiguous},
	}}
	no := &Reply{Declined: &sparkwright.Declined{Reason: sparkwright.DeclineUnanswerable, Message: "no"}}
	return suite, &played{
		gold: map[string][][]any{"SELECT 1": {{1}}, "SELECT 2": {{2}}},
		replies: map[string]*Reply{
			"right": {Rows: [][]any{{1}}, Usage: sparkwright.Usage{InputTokens: 10, OutputTokens: 2, Calls: 1, USD: 0.5}, Repairs: 1, Generator: "g"},
			"wrong": {Rows: [][]any{{1}}}, "rows": {Rows: [][]any{{3}}}, "shy": no, "broken": {Failed: "it broke"},
			"none": no, "invented": {Rows: [][]any{{1}}}, "vague": no,
		},
	}
}

func TestRunScores(t *testing.T) {
	t.Parallel()
	suite, world := sample()
	list, err := Run(t.Context(), suite, world, world, Options{Parallel: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := NewReport(list)
	r.Total.Seconds = 0
	want := Tally{
		Answerable: 5, Right: 2, Wrong: 1, Declined: 1, Failed: 1, Unanswerable: 3, Answered: 1, InputTokens: 10, OutputTokens: 2, Calls: 1, Repairs: 1, USD: 0.5,
	}
	if d := cmp.Diff(want, r.Total); d != "" {
		t.Error(d)
	}
	if p, _ := r.Total.Precision(); p != 0.5 {
		t.Errorf("precision %v", p)
	}
	if c, _ := r.Total.Coverage(); c != 0.6 {
		t.Errorf("coverage %v", c)
	}
	confused := []Confused{
		{Expected: "answer", Got: "wrong", IDs: []string{"wrong"}},
		{Expected: "answer", Got: "declined (unanswerable)", IDs: []string{"shy"}},
		{Expected: "answer", Got: "failed", IDs: []string{"broken"}},
		{Expected: "unanswerable", Got: "wrong", IDs: []string{"invented"}},
		{Expected: "ambiguous", Got: "declined (unanswerable)", IDs: []string{"vague"}},
	}
	if d := cmp.Diff(confused, r.Confusion); d != "" {
		t.Error(d)
	}
	var groups []string
	for _, g := range r.Groups {
		groups = append(groups, g.By+" "+g.Name)
	}
	if d := cmp.Diff([]string{"database d", "category x", "category y", "category z"}, groups); d != "" {
		t.Error(d)
	}
}

// What was answered before is kept, and scored as it was.
func TestRunResumes(t *testing.T) {
	t.Parallel()
	suite, world := sample()
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	if _, err := Run(t.Context(), &Suite{Questions: suite.Questions[:3]}, world, world, Options{Answers: path}); err != nil {
		t.Fatal(err)
	}
	list, err := Run(t.Context(), suite, world, world, Options{Answers: path, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := world.asked.Load(); n != int64(len(suite.Questions)) {
		t.Errorf("%d questions were asked, of %d", n, len(suite.Questions))
	}
	if got := Count(list); got.Right != 2 || got.Wrong != 1 {
		t.Errorf("%+v", got)
	}
	kept, err := ReadAnswers(path)
	if err != nil || len(kept) != len(suite.Questions) {
		t.Errorf("%d answers are kept: %v", len(kept), err)
	}
	world.replies = nil
	if _, err = Run(t.Context(), suite, world, world, Options{}); err == nil {
		t.Error("an Asker that fails does not end the measurement")
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	suite, world := sample()
	suite.Questions[1].Question = "is <b>bold</b> a table?"
	list, err := Run(t.Context(), suite, world, world, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := NewReport(list)
	r.Suite, r.Arm = "sample", "direct"
	var text, page, file bytes.Buffer
	if err = errors.Join(r.WriteText(&text), r.WriteHTML(&page), r.WriteJSON(&file)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"category y", "50.0%", "60.0%", "declined (unanswerable)"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(page.String(), want) {
			t.Errorf("%q is missing in\n%s\n%s", want, text.String(), page.String())
		}
	}
	if strings.Contains(page.String(), "<b>") {
		t.Error("a question is markup in the page")
	}
	path := filepath.Join(t.TempDir(), "report.json")
	if err = os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Error(d)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	a := &Report{Arm: "naive", Questions: []Line{{ID: "1", Good: true}, {ID: "2"}, {ID: "3"}, {ID: "4", Good: true}, {ID: "5"}}}
	b := &Report{Arm: "pipeline", Questions: []Line{{ID: "1", Good: true}, {ID: "2", Good: true}, {ID: "3", Good: true}, {ID: "4"}, {ID: "6"}}}
	c := Compare(a, b)
	if d := cmp.Diff([]any{[]string{"2", "3"}, []string{"4"}, 4, 2}, []any{c.Better, c.Worse, c.Both, c.Missing}); d != "" {
		t.Error(d)
	}
	var out bytes.Buffer
	if err := c.WriteText(&out); err != nil || !strings.Contains(out.String(), "4 questions in both: 2 better, 1 worse; p = 1.0000") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, tc := range []struct {
		b, c int
		want float64
	}{
		{0, 0, 1}, {1, 0, 1}, {5, 0, 0.0625}, {10, 0, 2.0 / 1024}, {8, 2, 2 * 56.0 / 1024}, {6, 6, 1}, {15, 5, 0.04138946533203125},
	} {
		for _, got := range []float64{mcnemar(tc.b, tc.c), mcnemar(tc.c, tc.b)} {
			if math.Abs(got-tc.want) > 1e-9 {
				t.Errorf("%d against %d: p = %v, want %v", tc.b, tc.c, got, tc.want)
			}
		}
	}
}

func TestReadSuite(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	yaml := "- {id: a, database: d, category: c, question: q, answerable: true, gold_rows: [[1, x]], previous: [before]}\n"
	s, err := ReadSuite(write(t, "q.yaml", yaml))
	if err != nil {
		t.Fatal(err)
	}
	want := []Question{{ID: "a", Database: "d", Category: "c", Question: "q", Answerable: true, GoldRows: [][]any{{1, "x"}}, Previous: []string{"before"}}}
	if d := cmp.Diff(want, s.Questions); d != "" {
		t.Error(d)
	}
	dir := t.TempDir()
	if err = os.Mkdir(filepath.Join(dir, "databases"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"questions.jsonl": `{"id":"a","database":"d","question":"q"}`, "databases/d.sql": "SELECT 1"} {
		if err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = ReadSuite(dir); err != nil || s.Scripts["d"] != "SELECT 1" {
		t.Errorf("%+v, %v", s, err)
	}
	for name, text := range map[string]string{
		"is not a question": `{"id": 1`, "has no questions": "", "it names no database": `{"id":"a","question":"q"}`, "it has no id": `{"database":"d","question":"q"}`,
		"used twice":   "{\"id\":\"a\",\"database\":\"d\",\"question\":\"q\"}\n{\"id\":\"a\",\"database\":\"d\",\"question\":\"q\"}",
		"neither gold": `{"id":"a","database":"d","question":"q","answerable":true}`,
	} {
		_, err := ReadSuite(write(t, "q.jsonl", text))
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := ReadSuite(write(t, "q.yaml", "- {id: a, colour: red}")); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("an unknown field: %v", err)
	}
	if _, err := ReadSuite(filepath.Join(dir, "nowhere")); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("nothing there: %v", err)
	}
}

// echo is a Model that counts how often it is asked.
type echo struct{ n atomic.Int64 }

func (*echo) Name() string { return "echo:1" }

func (e *echo) Complete(_ context.Context, req sparkwright.ModelRequest, _ func(string)) (*sparkwright.ModelReply, error) {
	n := e.n.Add(1)
	return &sparkwright.ModelReply{Text: "```python\nresult = spark.table(\"t\") # " + strings.Repeat("x", int(n)) + "\n```", InputTokens: len(req.User), OutputTokens: int(n)}, nil
}

// Both arms give the same replies from a recording as from the model.
func TestReplay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "replies.jsonl")
	model := &echo{}
	rec, err := Record(model, path, false)
	if err != nil {
		t.Fatal(err)
	}
	cat := &sparkwright.Catalog{Tables: []sparkwright.Table{{View: "t", Name: "t", Schema: "s", Columns: []sparkwright.Column{{Name: "a", Type: "integer", BaseType: "int4"}}}}}
	arms := func(m sparkwright.Model) []sparkwright.Generator {
		return []sparkwright.Generator{&Naive{Model: m, Views: codegen.Views}, codegen.New(m, codegen.Options{})}
	}
	req := sparkwright.GenerateRequest{Question: "all of t?", Catalog: cat}
	var said []*sparkwright.GenerateReply
	for i := range arms(rec) {
		for range 2 { // the same request twice, with two replies
			r, e := arms(rec)[i].Generate(t.Context(), req)
			if e != nil {
				t.Fatal(e)
			}
			said = append(said, r)
		}
		if err = rec.Close(); err != nil { // a measurement breaks off, and goes on
			t.Fatal(err)
		}
		if rec, err = Record(model, path, true); err != nil {
			t.Fatal(err)
		}
	}
	if err = rec.Close(); err != nil {
		t.Fatal(err)
	}
	player, err := Replay(path)
	if err != nil {
		t.Fatal(err)
	}
	var again []*sparkwright.GenerateReply
	for _, g := range arms(player) {
		for range 2 {
			r, e := g.Generate(t.Context(), req)
			if e != nil {
				t.Fatal(e)
			}
			again = append(again, r)
		}
	}
	if d := cmp.Diff(said, again); d != "" {
		t.Error(d)
	}
	if said[0].Analysis.Code == said[1].Analysis.Code || said[0].Analysis.Views[0] != "t" {
		t.Errorf("%+v", said[0].Analysis)
	}
	_, err = arms(player)[0].Generate(t.Context(), sparkwright.GenerateRequest{Question: "another?", Catalog: cat})
	if sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a request that was not recorded: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(path); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("no recording: %v", err)
	}
}

func TestNaive(t *testing.T) {
	t.Parallel()
	silent := &Naive{Model: quiet{}, Views: codegen.Views}
	req := sparkwright.GenerateRequest{Question: "q", Catalog: &sparkwright.Catalog{}}
	if r, err := silent.Generate(t.Context(), req); err != nil || r.Declined == nil || r.Usage.Calls != 1 {
		t.Errorf("no code: %+v, %v", r, err)
	}
	req.Repair = &sparkwright.Repair{}
	if r, err := silent.Generate(t.Context(), req); err != nil || r.Declined == nil || r.Usage.Calls != 0 {
		t.Errorf("a second try: %+v, %v", r, err)
	}
}

type quiet struct{}

func (quiet) Name() string { return "quiet" }

func (quiet) Complete(context.Context, sparkwright.ModelRequest, func(string)) (*sparkwright.ModelReply, error) {
	return &sparkwright.ModelReply{Text: "I would rather not."}, nil
}
