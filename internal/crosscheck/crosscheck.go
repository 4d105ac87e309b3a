// Package crosscheck asks PostgreSQL itself for the totals of an answer that
// Spark gave: the number of rows, the sum of each number, the count of the
// values of everything else. The query is a translation of the analysis, made
// apart from Spark, carried out as a whole by PostgreSQL on the run's snapshot.
//
// It is cheap or it is not made: EXPLAIN must promise a cost below the limit,
// and the server ends it after a time. What is not certain is "not checked",
// with the reason; only totals that differ are a mismatch.
package crosscheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Limits say what a check may cost.
type Limits struct {
	Cost float64       // of EXPLAIN; default 2,000,000
	Time time.Duration // at the server; default 10 s
	Rows int64         // of the result; default 200,000
}

func (l Limits) withDefaults() Limits {
	if l.Cost <= 0 {
		l.Cost = 2_000_000
	}
	if l.Time <= 0 {
		l.Time = 10 * time.Second
	}
	if l.Rows <= 0 {
		l.Rows = 200_000
	}
	return l
}

// Translation is the analysis as one statement of PostgreSQL.
type Translation struct {
	SQL   string `json:"sql"`
	Loose bool   `json:"loose"` // averages may differ in the last digit of a row
	Key   string `json:"key"`   // the only column whose total is certain; "" = all
	Why   string `json:"why"`   // why there is no SQL
}

// View is a temp view of the run and the table below it; Table is "" when that
// is not in PostgreSQL. A column has the type "" when PostgreSQL takes other values
// of it for the same than Spark.
type View struct {
	Name    string                     `json:"name"`
	Schema  string                     `json:"schema"`
	Table   string                     `json:"table"`
	Columns []sparkwright.ResultColumn `json:"columns"`
}

// Asker carries out one reading query on the run's snapshot.
type Asker func(ctx context.Context, sql string, limit time.Duration) ([][]*string, error)

// Rows hands on the rows of the result.
type Rows func(ctx context.Context, m *sparkwright.Manifest, each func([]json.RawMessage) error) error

// Check compares the result with what PostgreSQL says. It never fails: what
// goes wrong is why the answer is not checked.
func Check(ctx context.Context, t Translation, m *sparkwright.Manifest, ask Asker, rows Rows, lim Limits) *sparkwright.Crosscheck {
	lim = lim.withDefaults()
	no := func(why string) *sparkwright.Crosscheck {
		return &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: why}
	}
	switch {
	case t.SQL == "":
		return no(t.Why)
	case m.RowCount > lim.Rows:
		return no(fmt.Sprintf("the answer has more than %d rows", lim.Rows))
	}
	columns := totals(t, m.Schema)
	if columns == nil {
		return no("two columns have one name")
	}
	sql := query(t.SQL, m.Schema, columns)
	cost, _, err := Explain(ctx, ask, sql, lim.Time)
	if err != nil {
		return no("PostgreSQL does not take the translated query: " + err.Error())
	}
	if cost > lim.Cost {
		return no(fmt.Sprintf("PostgreSQL expects a cost of %.0f for it, over the limit of %.0f", cost, lim.Cost))
	}
	a := answer{t: t, schema: m.Schema, sql: sql, columns: columns}
	a.got, a.err = ask(ctx, sql, lim.Time)
	return a.judge(ctx, m, rows)
}

// answer is what PostgreSQL says of the totals.
type answer struct {
	t       Translation
	schema  []sparkwright.ResultColumn
	sql     string
	columns []total
	got     [][]*string
	err     error
}

func (a *answer) judge(ctx context.Context, m *sparkwright.Manifest, rows Rows) *sparkwright.Crosscheck {
	no := func(why string) *sparkwright.Crosscheck {
		return &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: why}
	}
	if a.err != nil {
		return no("PostgreSQL could not carry out the query: " + a.err.Error())
	}
	if len(a.got) != 1 || len(a.got[0]) != len(a.columns)+1 {
		return no("PostgreSQL answered in another form than asked")
	}
	want, err := sum(ctx, m, a.columns, rows)
	if err != nil {
		return no("the result cannot be read again: " + err.Error())
	}
	return compare(a.sql, a.columns, a.got[0], want, a.t.Loose)
}

// total is one column's total.
type total struct {
	at    int
	name  string
	kind  kind
	scale int // of a decimal
}

type kind int

const (
	values kind = iota // how many are not NULL
	exact              // sum of whole numbers and decimals
	approx             // sum of doubles
)

// totals are the columns to compare; nil when names are not plain.
func totals(t Translation, schema []sparkwright.ResultColumn) []total {
	out := []total{}
	seen := map[string]bool{}
	for i, c := range schema {
		if seen[c.Name] {
			return nil
		}
		seen[c.Name] = true
		if t.Key != "" && !strings.EqualFold(t.Key, c.Name) {
			continue
		}
		col := total{at: i, name: c.Name}
		switch {
		case c.Type == "bigint" || c.Type == "int" || c.Type == "smallint" || c.Type == "tinyint":
			col.kind = exact
		case strings.HasPrefix(c.Type, "decimal("):
			col.kind = exact
			_, scale, _ := strings.Cut(strings.TrimSuffix(c.Type, ")"), ",")
			col.scale, _ = strconv.Atoi(scale)
		case c.Type == "double":
			col.kind = approx
		}
		out = append(out, col)
	}
	return out
}

// query asks for the totals of the statement's rows, by position.
func query(inner string, schema []sparkwright.ResultColumn, columns []total) string {
	names := make([]string, len(schema))
	for i := range schema {
		names[i] = fmt.Sprintf("c%d", i+1)
	}
	parts := []string{"count(*)"}
	for _, c := range columns {
		switch c.kind {
		case exact:
			parts = append(parts, fmt.Sprintf("sum(round(c%d::numeric, %d))", c.at+1, c.scale))
		case approx:
			parts = append(parts, fmt.Sprintf("sum(c%d::float8)", c.at+1))
		default:
			parts = append(parts, fmt.Sprintf("count(c%d)", c.at+1))
		}
	}
	return fmt.Sprintf("SELECT %s FROM (%s) AS q (%s)", strings.Join(parts, ", "), inner, strings.Join(names, ", "))
}

// Explain is the cost and the number of rows that PostgreSQL expects.
func Explain(ctx context.Context, ask Asker, sql string, limit time.Duration) (cost, count float64, err error) {
	rows, err := ask(ctx, "EXPLAIN (FORMAT JSON) "+sql, limit)
	if err != nil {
		return 0, 0, err
	}
	var plans []struct {
		Plan struct {
			Cost float64 `json:"Total Cost"`
			Rows float64 `json:"Plan Rows"`
		}
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil || json.Unmarshal([]byte(*rows[0][0]), &plans) != nil || len(plans) != 1 {
		return 0, 0, errors.New("its plan cannot be read")
	}
	return plans[0].Plan.Cost, plans[0].Plan.Rows, nil
}

// result is a total as the job wrote the rows.
type result struct {
	rows   int64
	counts []int64
	sums   []*big.Rat
	floats []float64
}

func sum(ctx context.Context, m *sparkwright.Manifest, columns []total, rows Rows) (*result, error) {
	r := &result{counts: make([]int64, len(columns)), sums: make([]*big.Rat, len(columns)), floats: make([]float64, len(columns))}
	for i := range columns {
		r.sums[i] = new(big.Rat)
	}
	err := rows(ctx, m, func(cells []json.RawMessage) error {
		r.rows++
		for i, c := range columns {
			text := strings.Trim(string(cells[c.at]), `"`)
			if string(cells[c.at]) == "null" {
				continue
			}
			r.counts[i]++
			switch c.kind {
			case exact:
				v, ok := new(big.Rat).SetString(text)
				if !ok {
					return fmt.Errorf("%q is not a number", text)
				}
				r.sums[i].Add(r.sums[i], v)
			case approx:
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					return fmt.Errorf("%q is not a number", text)
				}
				r.floats[i] += v
			default:
			}
		}
		return nil
	})
	return r, err
}

// tolerance is how far sums of doubles may differ, relative to their size: they
// depend on the order of the rows.
const tolerance = 1e-9

func compare(sql string, columns []total, got []*string, want *result, loose bool) *sparkwright.Crosscheck {
	out := &sparkwright.Crosscheck{State: sparkwright.CrosscheckVerified, SQL: sql}
	differs := func(what, postgres, spark string) *sparkwright.Crosscheck {
		out.State, out.Why, out.Expected, out.Got = sparkwright.CrosscheckMismatch, what+" differs", postgres, spark
		return out
	}
	if n := text(got[0]); n != strconv.FormatInt(want.rows, 10) {
		return differs("the number of rows", n, strconv.FormatInt(want.rows, 10))
	}
	for i, c := range columns {
		value := text(got[i+1])
		switch c.kind {
		case values:
			if value != strconv.FormatInt(want.counts[i], 10) {
				return differs("the number of values of "+c.name, value, strconv.FormatInt(want.counts[i], 10))
			}
		case exact:
			if !sameSum(value, want.sums[i], want.counts[i], c.scale, loose) {
				return differs("the total of "+c.name, value, want.sums[i].FloatString(c.scale))
			}
		case approx:
			if !sameFloat(value, want.floats[i], want.counts[i]) {
				return differs("the total of "+c.name, value, strconv.FormatFloat(want.floats[i], 'g', -1, 64))
			}
		}
	}
	out.Expected = summary(columns, got)
	out.Got = out.Expected
	return out
}

func text(cell *string) string {
	if cell == nil {
		return "NULL"
	}
	return *cell
}

func sameSum(value string, want *big.Rat, count int64, scale int, loose bool) bool {
	if value == "NULL" {
		return count == 0
	}
	v, ok := new(big.Rat).SetString(value)
	if !ok {
		return false
	}
	diff := new(big.Rat).Sub(v, want)
	if !loose {
		return diff.Sign() == 0
	}
	unit := new(big.Rat).SetFrac(big.NewInt(count), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	return diff.Abs(diff).Cmp(unit) <= 0
}

func sameFloat(value string, want float64, count int64) bool {
	if value == "NULL" {
		return count == 0
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return false
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return math.IsNaN(v) == math.IsNaN(want) && (math.IsNaN(v) || v == want)
	}
	return math.Abs(v-want) <= tolerance*math.Max(1, math.Max(math.Abs(v), math.Abs(want)))
}

// summary tells what agreed.
func summary(columns []total, got []*string) string {
	parts := []string{text(got[0]) + " rows"}
	for i, c := range columns {
		if c.kind != values {
			parts = append(parts, "total of "+c.name+" "+text(got[i+1]))
		}
	}
	return strings.Join(parts, ", ")
}
