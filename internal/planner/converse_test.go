package planner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
)

// TestConversations shows what is made of every question of the conversations
// in testdata/conversations.txt. One that is declined is not followed up.
func TestConversations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "conversations.txt"))
	if err != nil {
		t.Fatal(err)
	}
	cat := catalog(t, "library")
	var b strings.Builder
	for conversation := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		var previous *sparkwright.Previous
		for q := range strings.SplitSeq(conversation, "\n") {
			r, genErr := planner.New().Generate(t.Context(), sparkwright.GenerateRequest{Question: q, Catalog: cat, Previous: previous})
			if genErr != nil {
				t.Fatalf("%q: %v", q, genErr)
			}
			fmt.Fprintf(&b, "# %s\n", q)
			if d := r.Declined; d != nil {
				fmt.Fprintf(&b, "declined: %s: %s\nchoices: %q\n\n", d.Reason, d.Message, d.Choices)
				continue
			}
			fmt.Fprintf(&b, "understood: %s\n", r.Analysis.Understood)
			for _, a := range r.Analysis.Assumptions {
				fmt.Fprintf(&b, "assumed: %s\n", a)
			}
			fmt.Fprintf(&b, "%s\n", r.Analysis.Code)
			next := &sparkwright.Previous{Code: r.Analysis.Code, Understood: r.Analysis.Understood}
			if previous != nil {
				next.Questions = append(next.Questions, previous.Questions...)
			}
			next.Questions = append(next.Questions, q)
			previous = next
		}
		b.WriteString("----\n")
	}
	path := filepath.Join("testdata", "conversations.golden")
	if *update {
		if err = os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, d)
	}
}

// TestFreshQuestions: a question that stands alone means the same in every
// conversation.
func TestFreshQuestions(t *testing.T) {
	t.Parallel()
	cat := catalog(t, "library")
	previous := &sparkwright.Previous{Questions: []string{"How many loans were there per month in 2023?"}, Code: "x", Understood: "y"}
	for _, q := range questions(t, "library") {
		alone := ask(t, cat, q, "")
		if alone.Declined != nil {
			continue
		}
		r, err := planner.New().Generate(t.Context(), sparkwright.GenerateRequest{Question: q, Catalog: cat, Previous: previous})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(alone, r); d != "" {
			t.Errorf("%q (-alone +in a conversation):\n%s", q, d)
		}
	}
}
