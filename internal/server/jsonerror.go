package server

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// wording maps what encoding/json says to what Python's json says, which is
// what clients of the reference system see.
var wording = []struct{ ours, theirs string }{
	{"looking for beginning of object key string", "Expecting property name enclosed in double quotes"},
	{"looking for beginning of value", "Expecting value"},
	{"after object key:value pair", "Expecting ',' delimiter"},
	{"after object key", "Expecting ':' delimiter"},
	{"after array element", "Expecting ',' delimiter"},
	{"after top-level value", "Extra data"},
	{"in string literal", "Invalid control character at"},
	{"in string escape code", "Invalid \\escape"},
	{"in \\u hexadecimal character escape", "Invalid \\uXXXX escape"},
	{"in literal", "Expecting value"},
}

// number is what Python takes as one; it stops before what does not fit.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

// jsonError tells where text stops being JSON, in characters from 0, and why,
// in the words of Python's json.
func jsonError(text string, err error) (offset int, why string) {
	at, why := len(text), "Unterminated string starting at"
	if syntax, ok := errors.AsType[*json.SyntaxError](err); !ok {
		at, why = 0, "Expecting value"
	} else if !strings.HasPrefix(syntax.Error(), "unexpected end") {
		at, why = locate(text, syntax)
	} else if begin := openString(text); begin >= 0 {
		at = begin
	} else if probe, ok := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte(text+"\x00"), new(any))); ok {
		// A character that fits nowhere makes encoding/json say what it waits for.
		at, why = locate(text, probe)
	}
	return utf8.RuneCountInString(text[:at]), why
}

// locate is jsonError in bytes, for a character that does not fit.
func locate(text string, err *json.SyntaxError) (at int, why string) {
	at, why = min(max(0, int(err.Offset)-1), len(text)), "Expecting value"
	message := err.Error()
	for _, w := range wording {
		if strings.Contains(message, w.ours) {
			why = w.theirs
			break
		}
	}
	switch {
	case strings.Contains(message, "in numeric literal"):
		begin := strings.LastIndexFunc(text[:at], func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) + 1
		if n := len(number.FindString(text[begin:])); n > 0 {
			return begin + n, "Expecting ',' delimiter"
		}
		return begin, "Expecting value"
	case strings.Contains(message, "in literal"): // Python points at its beginning
		at = strings.LastIndexFunc(text[:at], func(r rune) bool { return r < 'a' || r > 'z' }) + 1
	case strings.Contains(message, "hexadecimal character escape"): // at its u
		at = max(0, strings.LastIndexByte(text[:at], '\\')+1)
	case strings.Contains(message, "in string escape code"): // at its backslash
		at = max(0, strings.LastIndexByte(text[:at], '\\'))
	}
	return at, why
}

// openString is where the string begins that is open at the end; -1 = none.
func openString(text string) int {
	begin := -1
	for i := 0; i < len(text); i++ {
		switch {
		case begin >= 0 && text[i] == '\\':
			i++
		case text[i] != '"':
		case begin >= 0:
			begin = -1
		default:
			begin = i
		}
	}
	return begin
}
