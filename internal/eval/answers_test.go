package eval

import (
	"os"
	"path/filepath"
	"testing"
)

// A measurement that was broken off goes on behind its last whole answer.
func TestAnswersResume(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	_, f, err := openAnswers(path, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if err = writeAnswer(f, &Answer{ID: id, Rows: [][]any{{1}}, Outcome: Right}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = f.WriteString(`{"id": "c", "ro`); err != nil {
		t.Fatal(err)
	}
	if err = closeAnswers(f); err != nil {
		t.Fatal(err)
	}
	done, f, err := openAnswers(path, true)
	if err != nil || len(done) != 2 || done["b"].Outcome != Right {
		t.Fatalf("%v, %v", done, err)
	}
	if err = writeAnswer(f, &Answer{ID: "c", Outcome: Declined}); err == nil {
		err = closeAnswers(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	if done, f, err = openAnswers(path, true); err != nil || len(done) != 3 || done["c"].Outcome != Declined {
		t.Errorf("%v, %v", done, err)
	}
	_ = f.Close()
	if done, f, err = openAnswers(path, false); err != nil || len(done) != 0 {
		t.Errorf("afresh: %v, %v", done, err)
	}
	_ = f.Close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}
