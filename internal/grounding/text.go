package grounding

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Line makes foreign text one line: control and invisible characters become
// spaces, runs of spaces one.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// Clip is Line, with at most limit runes.
func Clip(text string, limit int) string {
	text = Line(text)
	if len(text) <= limit {
		return text
	}
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

// Quoted writes foreign text as a JSON string, which cannot close a tag.
func Quoted(text string, limit int) string {
	out, err := json.Marshal(Clip(text, limit))
	if err != nil {
		return `""`
	}
	return string(out)
}

// Safe keeps text from closing a tag.
func Safe(text string) string { return strings.ReplaceAll(text, "</", "< /") }

var simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// name writes a name exactly: as it is, or as JSON.
func name(s string) string {
	if simpleName.MatchString(s) {
		return s
	}
	return exact(s)
}

// exact writes text as a JSON string that cannot close a tag, with every
// invisible character as an escape.
func exact(s string) string {
	text, err := json.Marshal(s) // writes control characters, <, > and & as escapes
	if err != nil {
		return `""`
	}
	var b strings.Builder
	for _, r := range string(text) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

func names(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = name(s)
	}
	return strings.Join(out, ", ")
}
