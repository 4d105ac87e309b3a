package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// question is one line of questions.jsonl.
type question struct {
	ID           string `json:"id"`
	Set          string `json:"set"`
	Database     string `json:"database"`
	Category     string `json:"category"`
	Question     string `json:"question"`
	Instructions string `json:"instructions"`
	GoldSQL      string `json:"gold_sql"`
	Answerable   bool   `json:"answerable"`
}

// glossary is what is given to the generator beside the question. The entries
// of unanswerable questions are for writers of SQL and left out.
func (q question) glossary() string {
	if !q.Answerable {
		return ""
	}
	return q.Instructions
}

func readQuestions(path string) ([]question, error) {
	f, err := os.Open(path) //nolint:gosec // the suite is the caller's choice
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "cannot read the questions: %w", err)
	}
	defer func() { _ = f.Close() }()
	return parseQuestions(path, f)
}

// parseQuestions reads one question a line.
func parseQuestions(path string, r io.Reader) ([]question, error) {
	var out []question
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		var q question
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "line %d of %s is not a question: %w", n, path, err)
		}
		out = append(out, q)
	}
	if err := sc.Err(); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "cannot read %s: %w", path, err)
	}
	return out, nil
}
