package broker

import (
	"strings"

	"github.com/sparkwright/sparkwright/internal/sqlguard"
)

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
			i += sqlguard.LineEnd(sql[i:])
			continue
		case c == '/' && strings.HasPrefix(sql[i:], "/*"):
			i += sqlguard.CommentEnd(sql[i:])
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
			escapes := c == '\'' && i > 0 && (sql[i-1] == 'e' || sql[i-1] == 'E') && (i == 1 || !sqlguard.IsWord(sql[i-2]))
			i += sqlguard.QuoteEnd(sql[i:], c, escapes)
		case c == '$':
			i += sqlguard.DollarEnd(sql[i:])
		case sqlguard.IsWord(c):
			n := 1
			for i+n < len(sql) && (sqlguard.IsWord(sql[i+n]) || sql[i+n] == '$') {
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
