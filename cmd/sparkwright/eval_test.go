package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/eval"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

const evalQuestions = `
- {id: count, database: tiny, category: count, question: "How many items are there?", answerable: true, gold_sql: SELECT count(*) FROM items}
- {id: none, database: tiny, category: unanswerable, question: "Who made the items?"}
`

// commandLine runs the program in this process.
func commandLine(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, strings.NewReader(""), &out, &errs); code != want {
		t.Fatalf("sparkwright %s: exit %d, want %d\n%s\n%s", strings.Join(args, " "), code, want, out.String(), errs.String())
	}
	return out.String()
}

// Both arms, with a model on the wire and then from its recorded replies alone,
// and their comparison. The model declines, so that no Spark is needed; what
// answers are worth is tested with the suite itself.
func TestEval(t *testing.T) {
	testkit.Runtime(t)
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	for path, text := range map[string]string{"suite/questions.yaml": evalQuestions, "suite/databases/tiny.sql": "CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1), (2), (3)"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(testkit.Home(t), "runtime"), filepath.Join(home, "runtime")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SPARKWRIGHT_HOME", home)
	t.Setenv("SPARKWRIGHT_MAVEN_URL", testkit.MavenURL(t))
	t.Setenv("SPARKWRIGHT_SPARK_REMOTE", "sc://127.0.0.1:9") // nobody is there, and none is started
	t.Setenv("OPENAI_MODEL", "m")
	say := func(text string) openaitest.Answer {
		return openaitest.Stream(openaitest.Chunk(text, "stop"), openaitest.Usage(100, 10), openaitest.Done)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	ask := func(arm, how string) {
		commandLine(t, 0, "-q", "eval", at("suite"), "--parallel", "1", "--arm", arm, "--"+how, at(arm+".jsonl"), "--report", at(arm+"-"+how+".json"), "--html", at("page.html"))
	}
	for arm, replies := range map[string][]openaitest.Answer{armNaive: {say("I do not know.")}, armPipeline: {say("DECLINED: unanswerable: Nothing tells of it.")}} {
		t.Setenv("OPENAI_BASE_URL", openaitest.New(t, replies...).URL)
		ask(arm, "record")
		t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1") // nobody is there
		ask(arm, "replay")
		said, err := eval.ReadReport(at(arm + "-record.json"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := eval.ReadReport(at(arm + "-replay.json"))
		if err != nil {
			t.Fatal(err)
		}
		said.Total.Seconds, again.Total.Seconds = 0, 0
		if said.Total != again.Total {
			t.Errorf("%s: %+v, and from the recording %+v", arm, said.Total, again.Total)
		}
		if got := said.Total; got.Declined != 1 || got.Unanswerable != 1 || got.Answered+got.Failed+got.Right != 0 || got.Calls != 2 || got.InputTokens != 200 {
			t.Errorf("%s: %+v", arm, got)
		}
	}
	out := commandLine(t, 0, "eval", "--compare", at("naive-record.json"), at("pipeline-replay.json"))
	if !strings.Contains(out, "2 questions in both: 0 better, 0 worse; p = 1.0000") {
		t.Error(out)
	}
	out = commandLine(t, 0, "-q", "eval", at("suite"), "--direct", "--category", "count", "--answers", at("answers.jsonl"))
	if !strings.Contains(out, "direct · planner") || !strings.Contains(out, "100.0%") {
		t.Error(out)
	}
	for _, args := range [][]string{
		{"eval", at("nowhere"), "--arm", "other"}, {"eval", at("suite"), "--direct", "--arm", "naive"}, {"eval", at("suite"), "--resume"}, {"eval", at("suite"), "--category", "x"}, {"eval", "--compare", at("suite")},
	} {
		commandLine(t, exitInvalid, args...)
	}
	commandLine(t, exitNotFound, "eval", at("nowhere"))
}
