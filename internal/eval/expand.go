package eval

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// alternative is one right answer to a question, as SQL.
type alternative struct {
	SQL    string
	Braces bool // further columns are accepted
}

var (
	quotedPart = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"`)
	bracePart  = regexp.MustCompile(`\{[^{}]*\}`)
	aliasPart  = regexp.MustCompile(`(?i)\s+AS\s+\w+\s*$`)
	groupedBy  = regexp.MustCompile(`(?i)(GROUP|PARTITION|ORDER)\s+BY[^()]*$`)
)

// mask blanks literals and quoted names; the positions stay.
func mask(sql string) string {
	return quotedPart.ReplaceAllStringFunc(sql, func(s string) string { return strings.Repeat("_", len(s)) })
}

// splitTop splits at commas outside parentheses, braces and quotes.
func splitTop(s string) []string {
	m := mask(s)
	var out []string
	depth, start := 0, 0
	add := func(part string) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	for i := range len(m) {
		switch c := m[i]; {
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			add(s[start:i])
			start = i + 1
		}
	}
	add(s[start:])
	return out
}

// splitGolds splits alternatives at semicolons.
func splitGolds(gold string) []string {
	m := mask(gold)
	var out []string
	start := 0
	for i := 0; i <= len(m); i++ {
		if i < len(m) && m[i] != ';' {
			continue
		}
		if s := strings.TrimSpace(gold[start:i]); s != "" {
			out = append(out, s)
		}
		start = i + 1
	}
	return out
}

func unalias(column string) string { return aliasPart.ReplaceAllString(column, "") }

func brace(cols []string) string {
	norm := make([]string, len(cols))
	for i, c := range cols {
		norm[i] = strings.ToLower(unalias(c))
	}
	return strings.Join(norm, "\x00")
}

// expandGold lists every alternative of a gold: {a, b} stands for any choice
// of its columns that is not empty, {} in GROUP BY repeats the choice.
func expandGold(gold string) []alternative {
	var out []alternative
	for _, q := range splitGolds(gold) {
		spans := bracePart.FindAllStringIndex(mask(q), -1)
		if len(spans) == 0 {
			out = append(out, alternative{SQL: q})
			continue
		}
		var keys []string
		var sizes []int
		for _, s := range spans {
			cols := splitTop(q[s[0]+1 : s[1]-1])
			if k := brace(cols); len(cols) > 0 && !slices.Contains(keys, k) {
				keys, sizes = append(keys, k), append(sizes, len(cols))
			}
		}
		choose(sizes, nil, func(pick [][]int) {
			out = append(out, alternative{SQL: fill(q, spans, keys, pick), Braces: true})
		})
	}
	return out
}

// choose calls yield with every combination of non-empty subsets, one a list.
func choose(sizes []int, pick [][]int, yield func([][]int)) {
	if len(pick) == len(sizes) {
		yield(pick)
		return
	}
	for _, s := range subsets(sizes[len(pick)]) {
		choose(sizes, append(slices.Clone(pick), s), yield)
	}
}

// subsets of 0..n-1 that are not empty, small ones first.
func subsets(n int) [][]int {
	var out [][]int
	for bits := 1; bits < 1<<n; bits++ {
		var s []int
		for i := range n {
			if bits&(1<<i) != 0 {
				s = append(s, i)
			}
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b []int) int { return len(a) - len(b) })
	return out
}

func fill(q string, spans [][]int, keys []string, pick [][]int) string {
	var b strings.Builder
	pos := 0
	var last []string
	for _, s := range spans {
		cols := splitTop(q[s[0]+1 : s[1]-1])
		var use []string
		if len(cols) > 0 {
			last = nil
			for _, i := range pick[slices.Index(keys, brace(cols))] {
				last = append(last, cols[i])
			}
			use = last
			if groupedBy.MatchString(mask(q)[:s[0]]) {
				use = unaliased(last)
			}
		} else {
			use = unaliased(last)
		}
		b.WriteString(q[pos:s[0]] + strings.Join(use, ", "))
		pos = s[1]
	}
	return b.String() + q[pos:]
}

func unaliased(cols []string) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = unalias(c)
	}
	return out
}

var asksOrderPattern = regexp.MustCompile(`(?i)\b(order(ed)?\s+(by|from|alphabetically|in)|sort(ed|ing)?\b|arranged?\b|` +
	`ascending|descending|alphabetical(ly)?|(highest|most|largest|longest|latest|earliest|lowest|least|` +
	`smallest|biggest|best|newest|oldest)\s+to\s+(the\s+)?\w+|starting\s+(from|with)|` +
	`(order|rank)\s+(the|them|it|these|all)\b)|\bfirst\s*[.?]?\s*$`)

// inSomeOrder needs a look ahead that the pattern above cannot have.
var inSomeOrder = regexp.MustCompile(`(?i)\bin\s+(\w+\s+){0,3}order\b(\s+to)?`)

// asksOrder reports whether a question asks for its rows in an order.
func asksOrder(question string) bool {
	if asksOrderPattern.MatchString(question) {
		return true
	}
	for _, m := range inSomeOrder.FindAllStringSubmatch(question, -1) {
		if m[2] == "" {
			return true
		}
	}
	return false
}

var (
	orderToken  = regexp.MustCompile(`(?i)[()]|\bORDER\s+BY\b`)
	tailToken   = regexp.MustCompile(`(?i)[()]|\b(LIMIT|OFFSET|FETCH|FOR)\b`)
	selectToken = regexp.MustCompile(`(?i)[()]|\b(SELECT|FROM)\b`)
	distinct    = regexp.MustCompile(`(?i)^\s*DISTINCT\b`)
	nullsPlace  = regexp.MustCompile(`(?i)\s+NULLS\s+(FIRST|LAST)\s*$`)
	direction   = regexp.MustCompile(`(?i)\s+(ASC|DESC)\s*$`)
	plainName   = regexp.MustCompile(`^[\w."]+$`)
	space       = regexp.MustCompile(`\s+`)
)

// goldOrder is how the rows of a gold are ordered.
type goldOrder struct {
	Any  bool  // it has no order
	All  bool  // by something that is not shown: the whole sequence counts
	Cols []int // by these columns
}

// outermost calls fn for the tokens outside parentheses, until it returns false.
func outermost(sql string, token *regexp.Regexp, fn func(text string, start, end int) bool) {
	depth := 0
	for _, m := range token.FindAllStringIndex(mask(sql), -1) {
		switch t := sql[m[0]:m[1]]; {
		case t == "(":
			depth++
		case t == ")":
			depth--
		case depth == 0:
			if !fn(strings.ToUpper(t), m[0], m[1]) {
				return
			}
		}
	}
}

// orderOf finds the output columns that the outermost ORDER BY names.
func orderOf(sql string, names []string) goldOrder {
	at := -1
	outermost(sql, orderToken, func(_ string, _, end int) bool { at = end; return true })
	if at < 0 {
		return goldOrder{Any: true}
	}
	tail := sql[at:]
	outermost(tail, tailToken, func(_ string, start, _ int) bool { tail = tail[:start]; return false })
	var items []string
	sel := -1
	outermost(sql, selectToken, func(t string, start, end int) bool {
		if t == "SELECT" {
			sel = end
			return true
		}
		if sel < 0 {
			return true
		}
		items = splitTop(distinct.ReplaceAllString(sql[sel:start], ""))
		return false
	})
	exprs := make([]string, len(items))
	for i, it := range items {
		exprs[i] = strings.ToLower(space.ReplaceAllString(unalias(it), ""))
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	var cols []int
	for _, term := range splitTop(tail) {
		term = strings.TrimSpace(direction.ReplaceAllString(nullsPlace.ReplaceAllString(term, ""), ""))
		flat := strings.ToLower(space.ReplaceAllString(term, ""))
		parts := strings.Split(strings.ToLower(term), ".")
		short := strings.Trim(parts[len(parts)-1], `"`)
		n, err := strconv.Atoi(term)
		switch {
		case err == nil:
			cols = append(cols, n-1)
		case slices.Contains(exprs, flat) && len(exprs) == len(lower):
			cols = append(cols, slices.Index(exprs, flat))
		case plainName.MatchString(term) && slices.Contains(lower, short):
			cols = append(cols, slices.Index(lower, short))
		default:
			return goldOrder{All: true}
		}
	}
	return goldOrder{Cols: cols}
}
