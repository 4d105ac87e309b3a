package crosscheck

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// maxCompared is how many rows two answers may have to be compared.
const maxCompared = 5000

// Compare says whether an answer is the one that another reading of the same
// question gives: t is that reading as one statement of PostgreSQL. The rows
// of both must be the same, in any order; names and the order of columns do not
// count, and one of the two may have columns that the other has not. It never
// fails: what goes wrong is why they are not compared.
func Compare(ctx context.Context, second sparkwright.SecondReading, t Translation, m *sparkwright.Manifest, ask Asker, rows Rows, lim Limits) *sparkwright.SecondReading {
	lim = lim.withDefaults()
	out := &second
	say := func(state sparkwright.SecondState, why string) *sparkwright.SecondReading {
		out.State, out.Why = state, why
		return out
	}
	switch {
	case t.SQL == "":
		return say(sparkwright.SecondNotCompared, t.Why)
	case m.RowCount > maxCompared:
		return say(sparkwright.SecondNotCompared, fmt.Sprintf("the answer has more than %d rows", maxCompared))
	}
	sql := fmt.Sprintf("SELECT * FROM (%s) AS q LIMIT %d", t.SQL, maxCompared+1)
	cost, _, err := Explain(ctx, ask, sql, lim.Time)
	if err != nil {
		return say(sparkwright.SecondNotCompared, "PostgreSQL does not take the translated query: "+err.Error())
	}
	if cost > lim.Cost {
		return say(sparkwright.SecondNotCompared, fmt.Sprintf("PostgreSQL expects a cost of %.0f for it, over the limit of %.0f", cost, lim.Cost))
	}
	got, err := ask(ctx, sql, lim.Time)
	if err != nil {
		return say(sparkwright.SecondNotCompared, "PostgreSQL could not carry out the query: "+err.Error())
	}
	answer, err := answered(ctx, m, rows)
	if err != nil {
		return say(sparkwright.SecondNotCompared, "the result cannot be read again: "+err.Error())
	}
	other := told(got)
	switch {
	case len(other) != len(answer) && t.Key == "":
		return say(sparkwright.SecondDiffers, fmt.Sprintf("it has %d rows, the answer has %d", len(other), len(answer)))
	case len(answer) == 0 && len(other) == 0, embeds(answer, other):
		return say(sparkwright.SecondAgrees, "")
	case t.Key != "": // which of several equal rows come first is open
		return say(sparkwright.SecondNotCompared, "the rows at its end are not certain")
	default:
		return say(sparkwright.SecondDiffers, "the rows are other ones")
	}
}

// Agree says whether statements of PostgreSQL give the same rows, in any order:
// readings of one question. It is cheap or it is not known: EXPLAIN must promise
// that all of them together cost less than the limit. It never fails: what goes
// wrong is why they are not compared.
func Agree(ctx context.Context, readings []Translation, ask Asker, lim Limits) (state sparkwright.SecondState, why string) {
	lim = lim.withDefaults()
	no := func(why string) (sparkwright.SecondState, string) { return sparkwright.SecondNotCompared, why }
	statement := func(t Translation) string {
		return fmt.Sprintf("SELECT * FROM (%s) AS q LIMIT %d", t.SQL, maxCompared+1)
	}
	total := 0.0
	for _, t := range readings {
		if t.SQL == "" {
			return no(t.Why)
		}
		cost, _, err := Explain(ctx, ask, statement(t), lim.Time)
		if err != nil {
			return no("PostgreSQL does not take the translated query: " + err.Error())
		}
		if total += cost; total > lim.Cost {
			return no(fmt.Sprintf("PostgreSQL expects a cost of %.0f for them, over the limit of %.0f", total, lim.Cost))
		}
	}
	var first [][]string
	for i, t := range readings {
		got, err := ask(ctx, statement(t), lim.Time)
		switch {
		case err != nil:
			return no("PostgreSQL could not carry out the query: " + err.Error())
		case len(got) > maxCompared:
			return no(fmt.Sprintf("they have more than %d rows", maxCompared))
		}
		rows := told(got)
		switch {
		case i == 0:
			first = rows
		case len(rows) == 0 && len(first) == 0:
		case len(rows) != len(first):
			return sparkwright.SecondDiffers, fmt.Sprintf("one has %s, another %s", rowsOf(len(first)), rowsOf(len(rows)))
		case len(rows[0]) == len(first[0]) && embeds(first, rows):
		case t.Key != "" || readings[0].Key != "": // which of several equal rows come first is open
			return no("the rows at their end are not certain")
		case len(rows) == 1 && len(rows[0]) == 1 && len(first[0]) == 1:
			return sparkwright.SecondDiffers, fmt.Sprintf("one has %s, another %s", shown(first[0][0]), shown(rows[0][0]))
		default:
			return sparkwright.SecondDiffers, "they have other rows"
		}
	}
	return sparkwright.SecondAgrees, ""
}

func rowsOf(n int) string {
	if n == 1 {
		return "1 row"
	}
	return strconv.Itoa(n) + " rows"
}

func shown(cell string) string {
	if cell == null {
		return "no value"
	}
	return cell
}

// told are PostgreSQL's rows, in the form in which rows are compared.
func told(rows [][]*string) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			if cell == nil {
				out[i] = append(out[i], null)
			} else {
				out[i] = append(out[i], canonical(*cell))
			}
		}
	}
	return out
}

// answered are the rows of a result.
func answered(ctx context.Context, m *sparkwright.Manifest, rows Rows) ([][]string, error) {
	var out [][]string
	err := rows(ctx, m, func(cells []json.RawMessage) error {
		row := make([]string, len(cells))
		for i, cell := range cells {
			var text string
			switch {
			case string(cell) == "null":
				row[i] = null
			case json.Unmarshal(cell, &text) == nil:
				row[i] = canonical(text)
			default:
				row[i] = canonical(string(cell))
			}
		}
		out = append(out, row)
		return nil
	})
	return out, err
}

const null = "\x00"

// canonical writes values of both sides alike: numbers without trailing zeros,
// to six digits where they have more than four behind the point; times in UTC;
// booleans as PostgreSQL does.
func canonical(text string) string {
	switch text {
	case "true":
		return "t"
	case "false":
		return "f"
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Format("2006-01-02T15:04:05.999999")
		}
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xXpP_nN") {
		return text
	}
	if strings.ContainsAny(text, "eE") {
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	switch {
	case fraction == "":
		return whole
	case len(fraction) <= 4:
		return whole + "." + fraction
	default:
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
}

// maxTried bounds how many ways to lay columns beside each other are tried.
const maxTried = 500

// embeds reports whether the rows of one table are those of the other, for some
// choice of its columns.
func embeds(a, b [][]string) bool {
	if len(a) == 0 || len(a) != len(b) || len(a[0]) == 0 || len(b[0]) == 0 {
		return false
	}
	if len(a[0]) > len(b[0]) {
		a, b = b, a
	}
	fits := make([][]int, len(a[0])) // columns of b with the same values
	for i := range fits {
		values := column(a, i)
		for k := range b[0] {
			if slices.Equal(values, column(b, k)) {
				fits[i] = append(fits[i], k)
			}
		}
	}
	want := lines(a, nil)
	tried := 0
	var lay func(chosen []int) bool
	lay = func(chosen []int) bool {
		if len(chosen) == len(fits) {
			tried++
			return slices.Equal(want, lines(b, chosen))
		}
		for _, k := range fits[len(chosen)] {
			if !slices.Contains(chosen, k) && tried < maxTried && lay(append(slices.Clone(chosen), k)) {
				return true
			}
		}
		return false
	}
	return lay(nil)
}

func column(rows [][]string, i int) []string {
	out := make([]string, len(rows))
	for k, row := range rows {
		out[k] = row[i]
	}
	slices.Sort(out)
	return out
}

// lines are the rows, sorted, of some columns; nil = all.
func lines(rows [][]string, columns []int) []string {
	out := make([]string, len(rows))
	for k, row := range rows {
		if columns == nil {
			out[k] = strings.Join(row, "\x1f")
			continue
		}
		picked := make([]string, len(columns))
		for i, c := range columns {
			picked[i] = row[c]
		}
		out[k] = strings.Join(picked, "\x1f")
	}
	slices.Sort(out)
	return out
}
