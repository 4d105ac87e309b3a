package readplan

import (
	"strings"
)

// tokenKind is what a token of pushed SQL is.
type tokenKind int

const (
	word   tokenKind = iota // a keyword, a function, a name without quotes
	ident                   // a quoted name, without its quotes
	text                    // a literal, without its quotes
	number                  // a number
	sign                    // anything else, one or two characters
)

type token struct {
	kind tokenKind
	text string
}

func (t token) is(words ...string) bool {
	for _, w := range words {
		if t.kind == word && strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

func (t token) sign(s string) bool { return t.kind == sign && t.text == s }

// tokens takes the SQL apart that Spark's dialect of PostgreSQL writes.
func tokens(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
		case c == '"' || c == '\'':
			value, end := quoted(sql, i)
			kind := ident
			if c == '\'' {
				kind = text
			}
			out = append(out, token{kind, value})
			i = end
		case isDigit(c):
			end := i
			for end < len(sql) && (isDigit(sql[end]) || sql[end] == '.' || sql[end] == 'e' || sql[end] == 'E' ||
				(sql[end] == '-' || sql[end] == '+') && (sql[end-1] == 'E' || sql[end-1] == 'e')) {
				end++
			}
			out = append(out, token{number, sql[i:end]})
			i = end
		case isLetter(c):
			end := i
			for end < len(sql) && (isLetter(sql[end]) || isDigit(sql[end])) {
				end++
			}
			out = append(out, token{word, sql[i:end]})
			i = end
		default:
			end := i + 1
			if end < len(sql) && strings.Contains("<= >= <> :: != ||", sql[i:end+1]) && sql[end] != ' ' {
				end++
			}
			out = append(out, token{sign, sql[i:end]})
			i = end
		}
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoted is the text between the quotes that begin at i, and where they end.
func quoted(sql string, i int) (value string, end int) {
	q := sql[i]
	var b strings.Builder
	for end = i + 1; end < len(sql); end++ {
		if sql[end] != q {
			b.WriteByte(sql[end])
			continue
		}
		if end+1 < len(sql) && sql[end+1] == q {
			b.WriteByte(q)
			end++
			continue
		}
		return b.String(), end + 1
	}
	return b.String(), end
}

// parts are the places of a statement in which PostgreSQL works something out.
type parts struct {
	conditions [][]token // behind WHERE, ON and HAVING
	lists      [][]token // what is selected
	groups     [][]token // behind GROUP BY
	orders     [][]token // behind ORDER BY
}

// frame is one pair of parentheses, or the statement.
type frame struct {
	to      *[][]token // where its tokens belong; nil = nowhere
	queries bool       // it is a SELECT
}

// takeApart sorts a statement's tokens by what they are for. Parentheses stay
// with the clause that they are in.
func takeApart(list []token) *parts {
	p := &parts{}
	stack := []frame{{}}
	begin := func(to *[][]token) {
		stack[len(stack)-1].to = to
		if to != nil {
			*to = append(*to, nil)
		}
	}
	add := func(t token) {
		if to := stack[len(stack)-1].to; to != nil {
			(*to)[len(*to)-1] = append((*to)[len(*to)-1], t)
		}
	}
	for _, t := range list {
		top := &stack[len(stack)-1]
		query := top.queries
		switch {
		case t.is("SELECT"):
			top.queries = true
			begin(&p.lists)
		case query && t.is("FROM", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "LIMIT", "OFFSET"):
			begin(nil)
		case query && t.is("ON", "WHERE", "HAVING"):
			begin(&p.conditions)
		case t.is("GROUP") && query:
			begin(&p.groups)
		case t.is("ORDER") && query:
			begin(&p.orders)
		case t.is("BY"):
		case t.sign("("):
			add(t)
			stack = append(stack, frame{to: top.to})
		case t.sign(")"):
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			add(t)
		default:
			add(t)
		}
	}
	return p
}

// terms parts an expression at what joins conditions, tests for NULL taken out.
func terms(list []token) [][]token {
	var out [][]token
	var term []token
	end := func() {
		if len(term) > 0 {
			out = append(out, term)
		}
		term = nil
	}
	for i := 0; i < len(list); i++ {
		t := list[i]
		switch {
		case t.kind == ident && i+2 < len(list) && list[i+1].is("IS") && list[i+2].is("NULL"):
			i += 2
		case t.kind == ident && i+3 < len(list) && list[i+1].is("IS") && list[i+2].is("NOT") && list[i+3].is("NULL"):
			i += 3
		case t.is("AND", "OR", "CASE", "WHEN", "THEN", "ELSE", "END"):
			end()
		default:
			term = append(term, t)
		}
	}
	end()
	return out
}

// call is the argument list of the call whose parenthesis opens at i.
func call(list []token, i int) []token {
	depth := 0
	for j := i; j < len(list); j++ {
		switch {
		case list[j].sign("("):
			depth++
		case list[j].sign(")"):
			if depth--; depth == 0 {
				return list[i+1 : j]
			}
		}
	}
	return list[i+1:]
}
