package eval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sparkwright/sparkwright"
)

// Question is one line of a suite.
type Question struct {
	ID           string `json:"id" yaml:"id"`
	Set          string `json:"set,omitempty" yaml:"set"`
	Database     string `json:"database" yaml:"database"` // a script of the suite, or a connection
	Category     string `json:"category" yaml:"category"`
	Question     string `json:"question" yaml:"question"`
	Instructions string `json:"instructions,omitempty" yaml:"instructions"`
	// Previous are the questions before it, oldest first, in one conversation.
	Previous   []string `json:"previous,omitempty" yaml:"previous"`
	GoldSQL    string   `json:"gold_sql,omitempty" yaml:"gold_sql"`
	CheckSQL   string   `json:"check_sql,omitempty" yaml:"check_sql"` // written apart from GoldSQL, with the same answer
	GoldRows   [][]any  `json:"gold_rows,omitempty" yaml:"gold_rows"` // in the place of GoldSQL
	Answerable bool     `json:"answerable" yaml:"answerable"`
	// Reason is why it should be declined, when it is not answerable and one
	// reason is the right one: "unanswerable", "ambiguous". It is reported, not scored.
	Reason sparkwright.DeclineReason `json:"reason,omitempty" yaml:"reason"`
	Note   string                    `json:"note,omitempty" yaml:"note"`
}

// Glossary is what is given to the generator beside the question. The entries
// of unanswerable questions are for writers of SQL and left out.
func (q *Question) Glossary() string {
	if !q.Answerable {
		return ""
	}
	return q.Instructions
}

// Suite is a set of questions, and the scripts of the databases they are about.
type Suite struct {
	Name      string
	Questions []Question
	Scripts   map[string]string // SQL by the name of the database
}

// Databases are the names of the databases, in the order of the questions.
func (s *Suite) Databases() []string {
	var names []string
	seen := map[string]bool{}
	for i := range s.Questions {
		if d := s.Questions[i].Database; !seen[d] {
			seen[d] = true
			names = append(names, d)
		}
	}
	return names
}

// ReadSuite reads a file of questions (JSON lines, or a YAML list), or a
// directory with questions.jsonl or questions.yaml and databases/*.sql.
func ReadSuite(path string) (*Suite, error) {
	s := &Suite{Name: filepath.Base(filepath.Clean(path)), Scripts: map[string]string{}}
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, "questions.jsonl")
		if _, err := os.Stat(file); err != nil {
			file = filepath.Join(path, "questions.yaml")
		}
	}
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeNotFound, Message: "the suite " + path + " cannot be read", Because: err.Error(),
			Remedy: "name a file of questions, or a directory with questions.jsonl or questions.yaml",
		}
	}
	if strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml") {
		s.Questions, err = parseYAML(file, text)
	} else {
		s.Questions, err = parseLines(file, bytes.NewReader(text))
	}
	if err != nil {
		return nil, err
	}
	for _, name := range s.Databases() {
		script, err := os.ReadFile(filepath.Join(filepath.Dir(file), "databases", filepath.Base(name)+".sql"))
		if err == nil {
			s.Scripts[name] = string(script)
		}
	}
	return s, check(file, s.Questions)
}

// check refuses questions that cannot be asked or scored.
func check(file string, list []Question) error {
	if len(list) == 0 {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s has no questions", file)
	}
	seen := map[string]bool{}
	for i := range list {
		q := &list[i]
		why := ""
		switch {
		case q.ID == "":
			why = "it has no id"
		case seen[q.ID]:
			why = "its id is used twice"
		case strings.TrimSpace(q.Question) == "":
			why = "it asks nothing"
		case q.Database == "":
			why = "it names no database"
		case q.Answerable && q.GoldSQL == "" && q.GoldRows == nil:
			why = "it is answerable, and has neither gold_sql nor gold_rows"
		}
		if why != "" {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: fmt.Sprintf("question %d (%s) of %s cannot be used", i+1, q.ID, file), Because: why,
				Remedy: "docs/evaluation.md describes the fields",
			}
		}
		seen[q.ID] = true
	}
	return nil
}

// parseLines reads one question a line.
func parseLines(path string, r io.Reader) ([]Question, error) {
	var out []Question
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		var q Question
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

// parseYAML reads a list of questions.
func parseYAML(path string, text []byte) ([]Question, error) {
	var out []Question
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&out); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%s is no list of questions: %w", path, err)
	}
	return out, nil
}
