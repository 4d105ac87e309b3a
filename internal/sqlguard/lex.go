package sqlguard

import (
	"fmt"
	"regexp"
	"strings"
)

// Bounds of a statement. The parser has a small stack, and one that it has
// overrun is of no use any more: what could be nested deeper is not given to it.
const (
	maxNested    = 40  // parentheses, brackets and CASE within one another
	maxSets      = 100 // UNION, EXCEPT and INTERSECT
	maxJoins     = 100
	maxNegations = 200 // NOT and IS
	maxOperators = 600
)

// wide is how the JDBC driver asks for the columns of a wide result: one SELECT
// of numbers for each. For the judge one of them stands for all.
var wide = regexp.MustCompile(`(?:\s+UNION ALL SELECT \d+\s*,\s*\d+)+(\s+UNION ALL SELECT \d+\s*,\s*\d+)`)

// bounded returns what to parse in a statement's place, or why it is not parsed.
func bounded(sql string) (string, error) {
	sql = wide.ReplaceAllString(sql, "$1")
	nested, deepest, sets, joins, negations, operators := 0, 0, 0, 0, 0, 0
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == '-' && strings.HasPrefix(sql[i:], "--"):
			i += LineEnd(sql[i:])
			continue
		case c == '/' && strings.HasPrefix(sql[i:], "/*"):
			i += CommentEnd(sql[i:])
			continue
		case c == '\'' || c == '"':
			escapes := c == '\'' && i > 0 && (sql[i-1] == 'e' || sql[i-1] == 'E') && (i == 1 || !IsWord(sql[i-2]))
			i += QuoteEnd(sql[i:], c, escapes)
			continue
		case c == '$':
			i += DollarEnd(sql[i:])
			continue
		case c == '(' || c == '[':
			nested++
		case c == ')' || c == ']':
			nested--
		case IsWord(c):
			n := 1
			for i+n < len(sql) && (IsWord(sql[i+n]) || sql[i+n] == '$') {
				n++
			}
			switch strings.ToUpper(sql[i : i+n]) {
			case "CASE":
				nested++
			case "END":
				nested--
			case "UNION", "EXCEPT", "INTERSECT":
				sets++
			case "JOIN":
				joins++
			case "NOT", "IS", "ISNULL", "NOTNULL", "COLLATE", "AT":
				negations++
			}
			i += n
			deepest = max(deepest, nested)
			continue
		case strings.IndexByte("+-*/<>=~!@#%^&|`?:", c) >= 0:
			operators++
		}
		deepest = max(deepest, nested)
		i++
	}
	for what, over := range map[string]bool{
		"nested too deep": deepest > maxNested, "too many sets": sets > maxSets, "too many joins": joins > maxJoins,
		"too many negations": negations > maxNegations, "too many operators": operators > maxOperators,
	} {
		if over {
			return "", fmt.Errorf("the statement is %s", what)
		}
	}
	return sql, nil
}

// IsWord reports whether a byte is of a word: a name, a keyword or a number.
func IsWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// LineEnd is the length of a line comment.
func LineEnd(s string) int {
	if n := strings.IndexAny(s, "\n\r"); n >= 0 {
		return n
	}
	return len(s)
}

// CommentEnd is the length of a comment; PostgreSQL's nest.
func CommentEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(s)
}

// QuoteEnd is the length of a quoted text; a doubled quote stays inside.
func QuoteEnd(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// DollarEnd is the length of a dollar-quoted text, or of what is none: $1.
func DollarEnd(s string) int {
	n := 1
	for n < len(s) && IsWord(s[n]) {
		n++
	}
	if n >= len(s) || s[n] != '$' || n > 1 && s[1] >= '0' && s[1] <= '9' {
		return n
	}
	tag := s[:n+1]
	if stop := strings.Index(s[n+1:], tag); stop >= 0 {
		return n + 1 + stop + len(tag)
	}
	return len(s)
}
