package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/direct"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

const (
	wantSame = 32     // questions that are compared
	maxSame  = 60_000 // cost by EXPLAIN of one of them
)

// sameAsSpark has the planner's answers to the suite given by PostgreSQL itself
// and by Spark: the types are the same ones, and so is every value of every row.
func sameAsSpark(t *testing.T, r *spark, suite *Suite) {
	t.Helper()
	compared, declined, open := 0, 0, 0
	for i := range suite.Questions {
		q := &suite.Questions[i]
		if compared == wantSame {
			break
		}
		if len(q.Previous) > 0 {
			continue
		}
		catalog, err := r.direct.Catalog(t.Context(), q.Database)
		if err != nil {
			t.Fatal(err)
		}
		g, err := r.gen.Generate(t.Context(), sparkwright.GenerateRequest{Question: q.Question, Instructions: q.Glossary(), Catalog: catalog})
		if err != nil {
			t.Fatal(err)
		}
		if g.Analysis == nil {
			continue
		}
		reads := readplan.Plan(catalog, g.Analysis.Views, readplan.Options{Cores: 2})
		s, err := r.exec.Direct(t.Context(), "r_"+q.ID, g.Analysis.Code, direct.Views(reads))
		if err != nil {
			t.Fatal(err)
		}
		if s.SQL == "" {
			declined++
			t.Logf("%s: %s", q.ID, s.Why)
			continue
		}
		rows, ok := r.cells(t, q.Database, s.SQL)
		if !ok {
			continue
		}
		if s.Limit > 0 && len(rows) > s.Limit {
			open++
			continue
		}
		compared++
		mine := &sparkwright.Manifest{RunID: "r", AttemptID: "a", Location: filepath.Join(t.TempDir(), "direct"), Schema: s.Schema}
		if err = artifact.Write(t.Context(), mine, rows, 100); err != nil {
			t.Errorf("%s: %v", q.ID, err)
			continue
		}
		theirs, err := r.run(t.Context(), q.Database, catalog, g.Analysis)
		if err != nil {
			t.Errorf("%s: %v", q.ID, err)
			continue
		}
		if why := s.Fits(theirs.Schema); why != "" {
			t.Errorf("%s: %s (-spark +postgres):\n%s\n%s", q.ID, why, cmp.Diff(theirs.Schema, s.Schema), g.Analysis.Code)
		}
		if diff := cmp.Diff(linesOf(t, theirs), linesOf(t, mine)); diff != "" {
			t.Errorf("%s (-spark +postgres):\n%s\n%s\n%s", q.ID, diff, g.Analysis.Code, s.SQL)
		}
	}
	t.Logf("%d compared, %d left to Spark, %d with equal rows at the end", compared, declined, open)
	if compared < wantSame {
		t.Errorf("only %d questions were compared", compared)
	}
}

// cells is what PostgreSQL answers, as it writes it; ok is false when it would
// take long.
func (r *spark) cells(t *testing.T, database, sql string) (out [][]*string, ok bool) {
	t.Helper()
	db := r.server.Databases
	db.mu.Lock()
	defer db.mu.Unlock()
	conn, err := db.conn(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(sql string) [][]*string {
		res := conn.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, nil).Read()
		if res.Err != nil {
			t.Fatalf("%v: %s", res.Err, sql)
		}
		rows := make([][]*string, len(res.Rows))
		for i, row := range res.Rows {
			for _, cell := range row {
				if cell == nil {
					rows[i] = append(rows[i], nil)
					continue
				}
				text := string(cell)
				rows[i] = append(rows[i], &text)
			}
		}
		return rows
	}
	var plans []struct {
		Plan struct {
			Cost float64 `json:"Total Cost"`
		}
	}
	if err = json.Unmarshal([]byte(*ask("EXPLAIN (FORMAT JSON) " + sql)[0][0]), &plans); err != nil {
		t.Fatal(err)
	}
	if plans[0].Plan.Cost > maxSame {
		return nil, false
	}
	return ask(sql), true
}

// linesOf are the rows of a result in an order that both have: those that are
// equal by the question's own order may stand either way.
func linesOf(t *testing.T, m *sparkwright.Manifest) (rows []string) {
	t.Helper()
	err := artifact.Rows(context.WithoutCancel(t.Context()), m, func(row []json.RawMessage) error {
		rows = append(rows, fmt.Sprintf("%s", row))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}
