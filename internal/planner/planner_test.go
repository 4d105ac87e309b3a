package planner_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func catalog(tb testing.TB, name string) *sparkwright.Catalog {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	c := &sparkwright.Catalog{}
	if err := json.Unmarshal(b, c); err != nil {
		tb.Fatal(err)
	}
	return c
}

func questions(tb testing.TB, name string) []string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// What instructions say of joins is not read; a reading that contradicts them
// is none.
func TestInstructionsThatJoinMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		question, instructions string
		declined               bool
	}{
		{"Total price of books for each author", "To get the books of an author, join books with book_authors and authors.", false},
		{"How many books are there?", "Books with an author count: join books with book_authors.", true},
		{"How many books are there?", "A row of book_authors is one author of a book. Members join later.", false},
	} {
		r := ask(t, catalog(t, "library"), tt.question, tt.instructions)
		if (r.Declined != nil) != tt.declined {
			t.Errorf("%q, %q: %+v", tt.question, tt.instructions, r.Declined)
		}
	}
}

func ask(tb testing.TB, cat *sparkwright.Catalog, question, instructions string) *sparkwright.GenerateReply {
	tb.Helper()
	r, err := planner.New().Generate(tb.Context(), sparkwright.GenerateRequest{Question: question, Instructions: instructions, Catalog: cat})
	if err != nil {
		tb.Fatalf("%q: %v", question, err)
	}
	if (r.Analysis == nil) == (r.Declined == nil) {
		tb.Fatalf("%q: exactly one of analysis and declined must be set", question)
	}
	return r
}

// TestGolden shows what is made of every question in testdata/*.txt.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"library", "flights"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cat := catalog(t, name)
			var b strings.Builder
			for _, q := range questions(t, name) {
				r := ask(t, cat, q, "")
				fmt.Fprintf(&b, "# %s\n", q)
				if d := r.Declined; d != nil {
					fmt.Fprintf(&b, "declined: %s\nunplaced: %q\n\n", d.Reason, d.Unplaced)
					continue
				}
				fmt.Fprintf(&b, "understood: %s\n", r.Analysis.Understood)
				for _, a := range r.Analysis.Assumptions {
					fmt.Fprintf(&b, "assumed: %s\n", a)
				}
				fmt.Fprintf(&b, "views: %s\n%s\n", strings.Join(r.Analysis.Views, " "), r.Analysis.Code)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
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
		})
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, database, question, instructions, understood, sql string
	}{
		{
			name: "a sum over a bridge counts each row once a group", database: "library", question: "Total price of books for each author",
			understood: "The total price for each author.",
			sql: "SELECT\n  a.first_name,\n  a.last_name,\n  SUM(b.price) AS total_price\nFROM books b\nJOIN book_authors ba ON ba.book_id = b.book_id\n" +
				"JOIN authors a ON a.author_id = ba.author_id\nGROUP BY a.author_id, a.first_name, a.last_name\nORDER BY first_name, last_name",
		},
		{
			name: "without rows of another table", database: "library", question: "Which books have no reviews?",
			understood: "Books where there are no reviews.",
			sql:        "SELECT\n  b.title\nFROM books b\nWHERE NOT EXISTS (\n    SELECT 1 FROM reviews r\n    WHERE r.book_id = b.book_id)",
		},
		{
			name: "a half-open range", database: "library", question: "How many loans were there in the second quarter of 2024?",
			understood: "The number of loans where loaned on is in the second quarter of 2024.",
			sql:        "SELECT\n  COUNT(*) AS number_of_loans\nFROM loans l\nWHERE l.loaned_on >= DATE '2024-04-01' AND l.loaned_on < DATE '2024-07-01'",
		},
		{
			name: "a name with capitals is quoted", database: "flights", question: "How many airports are there?",
			understood: "The number of Airport.",
			sql:        "SELECT\n  COUNT(*) AS number_of_airport\nFROM `Airport` a",
		},
		{
			name: "a glossary term", database: "library", question: "What is the ABP?", instructions: "ABP = average price of books",
			understood: "The average price.",
			sql:        "SELECT\n  AVG(b.price) AS average_price\nFROM books b",
		},
		{
			name: "signs in a value stay in the value", database: "library", question: `Which books have a title containing 'O'Hara \ """ x%'?`,
			understood: `Books where title contains with 'O'Hara \ """ x%'.`,
			sql:        "SELECT\n  b.title\nFROM books b\nWHERE LOWER(b.title) LIKE '%o\\\\u0027hara \\\\u005c \\\\u0022\\\\u0022\\\\u0022 x!%%' ESCAPE '!'",
		},
		{
			name: "division is not of whole numbers", database: "library", question: "What is the ratio of members to branches?",
			understood: "The ratio of the number of members to the number of branches.",
			sql:        "SELECT CAST((SELECT COUNT(*) FROM members m) AS DOUBLE) /\n  NULLIF((SELECT COUNT(*) FROM branches b), 0) AS ratio",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := ask(t, catalog(t, tc.database), tc.question, tc.instructions)
			if r.Declined != nil {
				t.Fatalf("declined: %+v", r.Declined)
			}
			if d := cmp.Diff(tc.understood, r.Analysis.Understood); d != "" {
				t.Errorf("understood (-want +got):\n%s", d)
			}
			if d := cmp.Diff("result = spark.sql(\"\"\"\n"+tc.sql+"\n\"\"\")\n", r.Analysis.Code); d != "" {
				t.Errorf("code (-want +got):\n%s", d)
			}
			if r.Analysis.Generator != "planner" {
				t.Errorf("generator %q", r.Analysis.Generator)
			}
		})
	}
}

func TestDeclined(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, question string
		reason         sparkwright.DeclineReason
		unplaced       []string
		choices        bool
	}{
		{name: "nothing of it is there", question: "Who won the football game?", reason: sparkwright.DeclineUnanswerable, unplaced: []string{"won", "football", "game"}},
		{name: "one word is not", question: "What is the phone number of each member?", reason: sparkwright.DeclineNotUnderstood, unplaced: []string{"phone"}},
		{name: "a filter that nothing has", question: "How many hardcover books are there?", reason: sparkwright.DeclineNotUnderstood, unplaced: []string{"hardcover"}},
		{name: "two ways to join", question: "Which members have no books?", reason: sparkwright.DeclineAmbiguous, choices: true},
		{name: "no order", question: "What are the top 5 books?", reason: sparkwright.DeclineAmbiguous},
		{name: "numbers are not counted", question: "What is the number of pages of books?", reason: sparkwright.DeclineAmbiguous},
		{name: "empty", question: "  \n ", reason: sparkwright.DeclineNotUnderstood},
		{name: "long", question: strings.Repeat("books ", 4000), reason: sparkwright.DeclineNotUnderstood},
		{name: "binary", question: "books \xff\xfe\x00", reason: sparkwright.DeclineNotUnderstood},
		{name: "a command", question: "delete all books", reason: sparkwright.DeclineNotUnderstood, unplaced: []string{"delete"}},
		{name: "an injection", question: "how many books are there'); DROP TABLE books; --", reason: sparkwright.DeclineNotUnderstood, unplaced: []string{"DROP", "TABLE"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cat := catalog(t, "library")
			r := ask(t, cat, tc.question, "")
			d := r.Declined
			if d == nil {
				t.Fatalf("answered: %s\n%s", r.Analysis.Understood, r.Analysis.Code)
			}
			if d.Reason != tc.reason {
				t.Errorf("reason %q, want %q (%s)", d.Reason, tc.reason, d.Message)
			}
			if tc.unplaced != nil {
				if diff := cmp.Diff(tc.unplaced, d.Unplaced); diff != "" {
					t.Errorf("unplaced (-want +got):\n%s", diff)
				}
			}
			if tc.choices != (len(d.Choices) > 1) {
				t.Errorf("choices %q", d.Choices)
			}
			for _, want := range []string{"OPENAI_BASE_URL", "OPENAI_MODEL"} {
				if !strings.Contains(d.Message, want) {
					t.Errorf("the message does not mention %s: %s", want, d.Message)
				}
			}
			if len(d.Could) != 2 {
				t.Errorf("proposes %q, want two questions", d.Could)
			}
			for _, q := range d.Could {
				if ask(t, cat, q, "").Analysis == nil {
					t.Errorf("%q is proposed and not answered", q)
				}
			}
			if len(d.Near) == 0 {
				t.Error("no near names")
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := planner.New().Generate(t.Context(), sparkwright.GenerateRequest{Question: "how many books?"})
	if got := sparkwright.ErrorCode(err); got != sparkwright.CodeInvalid {
		t.Errorf("without catalog: %v", err)
	}
	r := ask(t, &sparkwright.Catalog{}, "how many books are there?", "")
	if r.Declined == nil || r.Declined.Reason != sparkwright.DeclineUnanswerable {
		t.Errorf("without tables: %+v", r)
	}
}

var relation = regexp.MustCompile("(?:FROM|JOIN) (`[^`]+`|[a-z_][a-z0-9_]*)")

// checkAnalysis requires that an analysis reads views of the catalog only.
func checkAnalysis(tb testing.TB, cat *sparkwright.Catalog, question string, a *sparkwright.Analysis) {
	tb.Helper()
	used := map[string]bool{}
	for _, m := range relation.FindAllStringSubmatch(a.Code, -1) {
		name := strings.Trim(m[1], "`")
		if strings.Contains(a.Code, "YEAR FROM "+m[1]) && cat.Table(name) == nil {
			continue // EXTRACT(YEAR FROM …)
		}
		if cat.Table(name) == nil {
			tb.Errorf("%q reads %s, which is no view:\n%s", question, name, a.Code)
		}
		used[name] = true
	}
	for _, v := range a.Views {
		if !used[v] {
			tb.Errorf("%q names the view %s that it does not read:\n%s", question, v, a.Code)
		}
		delete(used, v)
	}
	if len(used) > 0 {
		tb.Errorf("%q reads %v besides its views", question, used)
	}
}

func TestReadsViewsOnly(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"library", "flights"} {
		cat := catalog(t, name)
		for _, q := range questions(t, name) {
			if a := ask(t, cat, q, "").Analysis; a != nil {
				checkAnalysis(t, cat, q, a)
			}
		}
	}
}

// TestWordSalad shuffles words that belong to the catalog and to the grammar
// with one that belongs to neither: none of it may be answered.
func TestWordSalad(t *testing.T) {
	t.Parallel()
	cat := catalog(t, "library")
	known := strings.Fields("books members loans author price genre average total how many which the of by in with most highest city month 2024 for each and status top 5")
	foreign := strings.Fields("quantum velvet harmonise giraffe turbulence ontology zebra philosophical unicorn marmalade")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		words := make([]string, 0, 12)
		for range 1 + rnd.IntN(10) {
			words = append(words, known[rnd.IntN(len(known))])
		}
		words = append(words, foreign[rnd.IntN(len(foreign))])
		rnd.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		q := strings.Join(words, " ") + "?"
		if r := ask(t, cat, q, ""); r.Analysis != nil {
			t.Errorf("answered %q: %s", q, r.Analysis.Understood)
		}
	}
}

// TestDeterministic asks the same twice.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	cat := catalog(t, "library")
	for _, q := range questions(t, "library") {
		if d := cmp.Diff(ask(t, cat, q, ""), ask(t, cat, q, "")); d != "" {
			t.Errorf("%q differs:\n%s", q, d)
		}
	}
}

func FuzzGenerate(f *testing.F) {
	for _, name := range []string{"library", "flights"} {
		for _, q := range questions(f, name) {
			f.Add(q, "ABP = average price of books")
		}
	}
	cat := catalog(f, "library")
	f.Fuzz(func(t *testing.T, question, instructions string) {
		if a := ask(t, cat, question, instructions).Analysis; a != nil {
			checkAnalysis(t, cat, question, a)
		}
	})
}
