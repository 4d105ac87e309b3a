package broker

import "strings"

// verdict says what becomes of a statement.
type verdict int

const (
	refused verdict = iota // not a read
	read                   // goes to PostgreSQL
	begin                  // answered here: the transaction is the broker's
	end                    // answered here
	set                    // answered here and without effect
	empty                  // no statement at all
)

// judge classifies one statement. Text with more than one is refused.
func judge(sql string) (v verdict, tag string) {
	words, statements := scan(sql)
	switch {
	case statements == 0:
		return empty, ""
	case statements > 1 || len(words) == 0:
		return refused, ""
	}
	rest := strings.Join(words[1:], " ")
	switch words[0] {
	case "SELECT", "WITH", "VALUES", "TABLE", "SHOW":
		return read, ""
	case "EXPLAIN": // carries nothing out without ANALYZE
		if !strings.Contains(rest, "ANALY") {
			return read, ""
		}
	case "BEGIN", "START":
		if !strings.Contains(" "+rest+" ", " WRITE ") {
			return begin, "BEGIN"
		}
	case "COMMIT", "END":
		if rest == "" || rest == "WORK" || rest == "TRANSACTION" {
			return end, "COMMIT"
		}
	case "ROLLBACK", "ABORT":
		if rest == "" || rest == "WORK" || rest == "TRANSACTION" {
			return end, "ROLLBACK"
		}
	case "SET":
		if harmless(words[1:]) {
			return set, "SET"
		}
	}
	return refused, ""
}

// harmless are the settings that the JDBC driver and our own scripts make. None
// is carried out: the broker has made them in its own way.
func harmless(words []string) bool {
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "EXTRA_FLOAT_DIGITS", "APPLICATION_NAME":
		return true
	case "SESSION":
		return strings.Join(words, " ") == "SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
	default:
		return false
	}
}

// maxWords is how much of a statement is looked at to classify it.
const maxWords = 32

// scan returns the first words outside quotes and comments, in upper case, and
// the number of statements that are not empty.
func scan(sql string) (words []string, statements int) {
	filled := false // the current statement has something in it
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == '-' && strings.HasPrefix(sql[i:], "--"):
			i += lineEnd(sql[i:])
			continue
		case c == '/' && strings.HasPrefix(sql[i:], "/*"):
			i += commentEnd(sql[i:])
			continue
		case c == ';':
			filled = false
			i++
			continue
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
			continue
		}
		if !filled {
			filled = true
			statements++
		}
		switch {
		case c == '\'' || c == '"':
			escapes := c == '\'' && i > 0 && (sql[i-1] == 'e' || sql[i-1] == 'E') && (i == 1 || !isWord(sql[i-2]))
			i += quoteEnd(sql[i:], c, escapes)
		case c == '$':
			i += dollarEnd(sql[i:])
		case isWord(c):
			n := 1
			for i+n < len(sql) && (isWord(sql[i+n]) || sql[i+n] == '$') {
				n++
			}
			if len(words) < maxWords {
				words = append(words, strings.ToUpper(sql[i:i+n]))
			}
			i += n
		default:
			i++
		}
	}
	return words, statements
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func lineEnd(s string) int {
	if n := strings.IndexAny(s, "\n\r"); n >= 0 {
		return n
	}
	return len(s)
}

// commentEnd is the length of a comment; PostgreSQL's nest.
func commentEnd(s string) int {
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

// quoteEnd is the length of a quoted text; a doubled quote stays inside.
func quoteEnd(s string, quote byte, escapes bool) int {
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

// dollarEnd is the length of a dollar-quoted text, or of what is none: $1.
func dollarEnd(s string) int {
	n := 1
	for n < len(s) && isWord(s[n]) {
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
