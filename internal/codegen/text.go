package codegen

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/grounding"
)

// Limits of what enters a prompt, in runes.
const (
	maxQuestion     = 100_000
	maxInstructions = 20_000
	maxCode         = 60_000
	maxFault        = 1500
	maxEarlier      = 2000 // each earlier question
)

// block is text of several lines between two tags: it can neither close them
// nor hide characters.
func block(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return grounding.Safe(strings.TrimSpace(text))
}

var (
	codeClass    = regexp.MustCompile(`^([A-Za-z]+Error|AnalysisException|ParseException|POLICY_VIOLATION|LINT|ACTION_NOT_ALLOWED|)$`)
	urls         = regexp.MustCompile(`(?i)\b(jdbc:\S+|[a-z][a-z0-9+.-]*://\S+)`)
	addresses    = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`)
	quotedValues = regexp.MustCompile(`'[^']*'|"[^"]*"|\([^()]*\)=\([^()]*\)`)
	numbers      = regexp.MustCompile(`-?\d+(\.\d+)?`)
)

// FaultText tells who is not to see rows what failed. Only a fault of the code itself is
// quoted in full: other messages quote values of rows, which are taken out.
func FaultText(f *sparkwright.Fault) string {
	message := f.Message
	for _, end := range []string{"\n\tat ", "\nJVM stacktrace", "\n\nJVM"} {
		message, _, _ = strings.Cut(message, end)
	}
	message = urls.ReplaceAllString(message, "(address)")
	message = addresses.ReplaceAllString(message, "(address)")
	ofCode := strings.HasPrefix(f.SQLState, "42") || strings.HasPrefix(f.SQLState, "0A") ||
		(f.SQLState == "" && codeClass.MatchString(f.Class))
	if !ofCode {
		message = quotedValues.ReplaceAllString(message, "(value)")
		message = numbers.ReplaceAllString(message, "(number)")
	}
	var b strings.Builder
	if f.Class != "" {
		b.WriteString(grounding.Clip(f.Class, 120))
	}
	if f.SQLState != "" {
		fmt.Fprintf(&b, " (SQLSTATE %s)", grounding.Clip(f.SQLState, 10))
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, " in line %d", f.Line)
	}
	return grounding.Safe(strings.TrimSpace(b.String() + ": " + grounding.Clip(message, maxFault)))
}
