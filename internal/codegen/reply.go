package codegen

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/grounding"
)

var (
	thinking   = regexp.MustCompile(`(?is)<(think|thinking|reasoning)>.*?(</(think|thinking|reasoning)>|$)`)
	thought    = regexp.MustCompile(`(?is)^.*</(think|thinking|reasoning)>`) // its beginning was in the prompt's template
	blankLines = regexp.MustCompile(`^(\s*\n)+`)
	fence      = regexp.MustCompile("^([ \t]*)(```+|~~~+)[ \t]*([A-Za-z0-9_+-]*)[^`]*$")
	assigns    = regexp.MustCompile(`(?m)^[ \t]*result[ \t]*(:[^=\n]*)?=[^=]`)
	declined   = regexp.MustCompile("(?i)^[ \t>*_`#]*DECLINED[*_` \t]*:[*_` \t]*(unanswerable|ambiguous|not_understood)[*_` \t]*[:,.–—-]?[*_` \t]*(.*)$")
	headLines  = regexp.MustCompile(`(?i)^#[ \t]*(understood|terms?|columns?|filters?|dates?|joins?|assumptions?)[ \t]*:[ \t]*(.*)$`)
)

// parse reads what the model wrote: a fenced block that assigns result (the
// last one), or a decline.
func parse(text string, catalog *sparkwright.Catalog) (*sparkwright.GenerateReply, error) {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\uFFFD")
	text = thought.ReplaceAllString(thinking.ReplaceAllString(text, ""), "")
	text = strings.TrimRightFunc(blankLines.ReplaceAllString(text, ""), unicode.IsSpace)
	lines := strings.Split(text, "\n")
	if declined.MatchString(lines[0]) {
		return &sparkwright.GenerateReply{Declined: parseDeclined(lines)}, nil
	}
	for _, code := range slices.Backward(blocks(lines)) {
		if assigns.MatchString(code) {
			return &sparkwright.GenerateReply{Analysis: analysis(code, catalog)}, nil
		}
	}
	for i := range lines {
		if declined.MatchString(lines[i]) {
			return &sparkwright.GenerateReply{Declined: parseDeclined(lines[i:])}, nil
		}
	}
	return nil, &sparkwright.Error{
		Code:    sparkwright.CodeJobFailed,
		Message: "the model's reply held no code",
		Because: because(text),
		Remedy:  "ask again, in other words, or use another model",
	}
}

func because(text string) string {
	if text == "" {
		return "it was empty"
	}
	return "it began: " + grounding.Clip(text, 200)
}

// blocks returns the fenced Python blocks; the last one may lack its end.
func blocks(lines []string) (list []string) {
	for i := 0; i < len(lines); i++ {
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			continue
		}
		var code []string
		for i++; i < len(lines); i++ {
			trimmed := strings.TrimSpace(lines[i])
			if strings.HasPrefix(trimmed, open[2]) && strings.Trim(trimmed, open[2][:1]) == "" {
				break
			}
			code = append(code, strings.TrimPrefix(lines[i], open[1]))
		}
		switch strings.ToLower(open[3]) {
		case "", "python", "python3", "py", "pyspark":
			list = append(list, strings.Join(code, "\n"))
		}
	}
	return list
}

func analysis(code string, catalog *sparkwright.Catalog) *sparkwright.Analysis {
	code = strings.TrimRightFunc(strings.TrimLeft(code, "\n"), unicode.IsSpace)
	a := &sparkwright.Analysis{Code: code + "\n"}
	head, rest := header(code)
	for _, text := range head {
		m := headLines.FindStringSubmatch(text)
		switch {
		case m == nil || grounding.Line(m[2]) == "":
		case strings.EqualFold(m[1], "understood"):
			if a.Understood == "" {
				a.Understood = grounding.Clip(m[2], 500)
			}
		default:
			entry := ledgerEntry(strings.TrimSuffix(strings.ToLower(m[1]), "s"), grounding.Clip(m[2], 300))
			if len(a.Assumptions) < maxLedger && borneOut(entry, rest, catalog) && !slices.Contains(a.Assumptions, entry) {
				a.Assumptions = append(a.Assumptions, entry)
			}
		}
	}
	return a
}

// header splits the comment lines at the beginning of the code from the rest.
func header(code string) (head []string, rest string) {
	lines := strings.Split(code, "\n")
	for i, text := range lines {
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, "#") {
			return head, strings.Join(lines[i:], "\n")
		}
		head = append(head, text)
	}
	return head, ""
}

func parseDeclined(lines []string) *sparkwright.Declined {
	m := declined.FindStringSubmatch(lines[0])
	d := &sparkwright.Declined{Reason: sparkwright.DeclineReason(strings.ToLower(m[1])), Message: grounding.Clip(strings.TrimRight(m[2], "*_` "), 500)}
	for _, text := range lines[1:] {
		choice, found := strings.CutPrefix(strings.TrimSpace(text), "- ")
		if found && len(d.Choices) < 5 && grounding.Line(choice) != "" {
			d.Choices = append(d.Choices, grounding.Clip(choice, 300))
		}
	}
	if d.Reason == sparkwright.DeclineAmbiguous && len(d.Choices) < 2 { // nothing to choose from
		d.Reason, d.Choices = sparkwright.DeclineNotUnderstood, nil
	}
	if d.Message == "" {
		d.Message = "The model declined without saying why."
	}
	return d
}

// Views returns the views of the catalog that the code mentions, in the order
// of the catalog. It may name one too many (a column of the same name), and
// misses a name that is not written out, as with escapes like \u00e9.
func Views(code string, catalog *sparkwright.Catalog) []string {
	if catalog == nil {
		return nil
	}
	_, code = header(code)
	code = strings.ToLower(code)
	var list []string
	for i := range catalog.Tables {
		view := catalog.Tables[i].View
		lower := strings.ToLower(view)
		written := func(quoting ...string) bool { return mentions(code, strings.NewReplacer(quoting...).Replace(lower)) }
		if view != "" && (written() || written("`", "``") || written(`"`, `\"`, "'", `\'`)) {
			list = append(list, view)
		}
	}
	return list
}

// mentions reports whether word occurs with no letter, digit or _ around it.
func mentions(code, word string) bool {
	for at := 0; ; {
		i := strings.Index(code[at:], word)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(code[:at+i])
		after, size := utf8.DecodeRuneInString(code[at+i+len(word):])
		if size == 0 {
			after = ' '
		}
		if !inWord(before) && !inWord(after) {
			return true
		}
		at += i + len(word)
	}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
