package diagnose

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/sparkwright/sparkwright"
)

// Class is one known way in which a job fails.
type Class struct {
	ID      string // group.name
	Title   string
	Kind    sparkwright.FaultKind
	Because string
	Remedy  string
	Check   string // the doctor's item that finds it before a run; "" = none can
	// Rank orders classes that one log shows: 0 is a root cause; a higher one
	// often is the consequence of a lower one that stands in the same log.
	Rank    int
	States  []string // SQLSTATEs of PostgreSQL
	Spark   []string // Spark error classes, without sub-class
	Pattern string   // fallback, applied line by line, case-sensitive
	// Common is the place among the issues that users meet first; 0 = none.
	Common int
	// Source says where the wording was taken from.
	Source Source
}

// Source is how the wording of a class is known.
type Source string

// The sources. Provoked classes have real logs in testdata.
const (
	Provoked   Source = "provoked"
	Documented Source = "documentation"
)

// after gives the class a higher rank.
func (c Class) after(rank int) Class {
	c.Rank = rank
	return c
}

// compiled is a class with its detectors.
type compiled struct {
	Class
	pattern *regexp.Regexp
}

// Classes returns every class: the common issues first, then by group.
func Classes() []Class {
	list := slices.Concat(connectionClasses(), privilegeClasses(), dataClasses(), codeClasses(), sparkClasses(), emrClasses(), awsClasses(), lambdaClasses())
	slices.SortStableFunc(list, func(a, b Class) int {
		if (a.Common == 0) != (b.Common == 0) {
			if a.Common != 0 {
				return -1
			}
			return 1
		}
		return a.Common - b.Common
	})
	return list
}

// table is compiled once; nothing changes it.
var table = sync.OnceValue(func() []compiled { return compile(Classes()) })

func compile(list []Class) []compiled {
	out := make([]compiled, len(list))
	for i, c := range list {
		out[i] = compiled{Class: c}
		pattern := c.Pattern
		if more := languages[c.ID]; more != "" {
			pattern += "|" + more
		}
		if pattern != "" {
			out[i].pattern = regexp.MustCompile("(?m)" + pattern)
		}
	}
	return out
}

var (
	// Spark writes its class in brackets, the sub-class after a dot.
	sparkClass = regexp.MustCompile(`\[([A-Z][A-Z0-9_]{4,})(?:\.[A-Z0-9_.]+)?\]`)
	// Words for the SQLSTATE of the server, as drivers write them.
	stateText = regexp.MustCompile(`(?:SQLSTATE|SQLState|SQL State)[:=]?\s*\(?([0-9A-Z]{5})\b`)
)

// byStructure reports where the log itself names the class: by PostgreSQL's
// SQLSTATE or by Spark's error class.
func (c *compiled) byStructure(f *sparkwright.Fault, text string) (int, bool) {
	if len(c.Spark) > 0 {
		class, _, _ := strings.Cut(f.Class, ".")
		if slices.Contains(c.Spark, class) {
			return 0, true
		}
		for _, m := range sparkClass.FindAllStringSubmatchIndex(text, -1) {
			if slices.Contains(c.Spark, text[m[2]:m[3]]) {
				return m[0], true
			}
		}
	}
	if len(c.States) == 0 || fromSpark(f, text) {
		return 0, false
	}
	if f.SQLState != "" && slices.Contains(c.States, f.SQLState) {
		return 0, true
	}
	for _, m := range stateText.FindAllStringSubmatchIndex(text, -1) {
		if slices.Contains(c.States, text[m[2]:m[3]]) {
			return m[0], true
		}
	}
	return 0, false
}

// fromSpark reports whether a SQLSTATE would be Spark's own: Spark gives one to
// each of its error classes, with the same numbers.
func fromSpark(f *sparkwright.Fault, text string) bool {
	return !strings.Contains(text, "PSQLException") && (sparkClass.MatchString(text) || sparkClass.MatchString("["+f.Class+"]"))
}

func (c *compiled) byPattern(text string) (int, bool) {
	if c.pattern == nil {
		return 0, false
	}
	at := c.pattern.FindStringIndex(text)
	if at == nil {
		return 0, false
	}
	return at[0], true
}
