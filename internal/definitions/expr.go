package definitions

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Expr is a fragment of SQL over the columns of one table: an expression of a
// metric or a condition of a filter. Only what means the same in Spark and
// PostgreSQL is allowed.
type Expr struct {
	parts []part
}

type part struct {
	text   string
	column bool
}

const (
	functions = " sum avg min max count coalesce nullif abs round greatest least lower upper length "
	words     = " and or not is null in between like case when then else end distinct true false as date "
)

// aggregates are the functions that make one figure of many rows.
const aggregates = " sum avg min max count "

// ParseExpr reads a fragment.
func ParseExpr(text string) (*Expr, error) {
	e := &Expr{}
	rs := []rune(text)
	depth := 0
	for i := 0; i < len(rs); {
		r := rs[i]
		start := i
		switch {
		case unicode.IsSpace(r):
			i++
			continue
		case r == '\'':
			for i++; i < len(rs); i++ {
				if rs[i] == '\'' {
					if i+1 < len(rs) && rs[i+1] == '\'' {
						i++
						continue
					}
					break
				}
				if rs[i] == '\\' || rs[i] == '"' || rs[i] < ' ' {
					return nil, fmt.Errorf("%q is not allowed in a text", string(rs[i]))
				}
			}
			if i == len(rs) {
				return nil, fmt.Errorf("a text is not closed")
			}
			i++
			e.parts = append(e.parts, part{text: string(rs[start:i])})
		case unicode.IsDigit(r):
			for i < len(rs) && (unicode.IsDigit(rs[i]) || rs[i] == '.') {
				i++
			}
			e.parts = append(e.parts, part{text: string(rs[start:i])})
		case r == '_' || unicode.IsLetter(r):
			for i < len(rs) && (rs[i] == '_' || unicode.IsLetter(rs[i]) || unicode.IsDigit(rs[i])) {
				i++
			}
			p, err := word(string(rs[start:i]), rs[i:])
			if err != nil {
				return nil, err
			}
			e.parts = append(e.parts, p)
		case strings.ContainsRune("+-*/%(),<>=", r):
			switch r {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 {
				return nil, fmt.Errorf("a bracket is closed that was not opened")
			}
			i++
			if i < len(rs) && (string(rs[start:i+1]) == "<=" || string(rs[start:i+1]) == ">=" || string(rs[start:i+1]) == "<>") {
				i++
			}
			sign := string(rs[start:i])
			if n := len(e.parts); n > 0 && sign == e.parts[n-1].text && (sign == "-" || sign == "/") {
				return nil, fmt.Errorf("%q is a comment", sign+sign)
			}
			e.parts = append(e.parts, part{text: sign})
		default:
			return nil, fmt.Errorf("%q is not allowed; write an expression of columns, numbers, texts and the functions%s", string(r), functions)
		}
	}
	switch {
	case depth != 0:
		return nil, fmt.Errorf("a bracket is not closed")
	case len(e.parts) == 0:
		return nil, fmt.Errorf("it is empty")
	}
	return e, nil
}

func word(text string, after []rune) (part, error) {
	low := strings.ToLower(text)
	next := strings.TrimLeftFunc(string(after), unicode.IsSpace)
	called := strings.HasPrefix(next, "(")
	switch {
	case strings.Contains(functions, " "+low+" ") && called:
		return part{text: low}, nil
	case strings.Contains(words, " "+low+" ") && (low != "date" || strings.HasPrefix(next, "'")):
		return part{text: strings.ToUpper(low)}, nil
	case called:
		return part{}, fmt.Errorf("the function %s is not one of%s", text, functions)
	default:
		return part{text: text, column: true}, nil
	}
}

// Columns are the columns that it names, each once.
func (e *Expr) Columns() []string {
	var out []string
	for _, p := range e.parts {
		if p.column && !slices.Contains(out, p.text) {
			out = append(out, p.text)
		}
	}
	return out
}

// Aggregates reports whether every column stands inside an aggregate, and
// there is one.
func (e *Expr) Aggregates() bool {
	var open []bool // brackets, and whether an aggregate's
	inside, found := 0, false
	for i, p := range e.parts {
		switch {
		case p.text == "(" && !p.column:
			is := i > 0 && strings.Contains(aggregates, " "+e.parts[i-1].text+" ")
			open = append(open, is)
			if is {
				inside, found = inside+1, true
			}
		case p.text == ")" && !p.column:
			if open[len(open)-1] {
				inside--
			}
			open = open[:len(open)-1]
		case p.column && inside == 0:
			return false
		}
	}
	return found
}

// SQL writes it with the columns as given.
func (e *Expr) SQL(column func(name string) string) string {
	var b strings.Builder
	for i, p := range e.parts {
		glued := i == 0 || p.text == "(" && strings.Contains(functions, " "+e.parts[i-1].text+" ") && !e.parts[i-1].column || p.text == ")" || p.text == "," || e.parts[i-1].text == "("
		if !glued {
			b.WriteByte(' ')
		}
		if p.column {
			b.WriteString(column(p.text))
			continue
		}
		b.WriteString(p.text)
	}
	return b.String()
}
