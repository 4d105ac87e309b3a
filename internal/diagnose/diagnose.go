// Package diagnose tells from everything that a failed job left behind what
// the earliest cause was, whose it is, and what to do. It asks no model.
//
// SQLSTATE and Spark's error class come first, text patterns only where
// neither tells. A class has a rank: a root cause wins over what often follows
// from it (lost executors, broken connections, capacity that ran out), wherever
// they stand in the log; among equals the earlier one wins. The table of classes
// is in one file per group; docs/troubleshooting.md is generated from it.
package diagnose

import (
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Log is one thing that a failed job left behind.
type Log struct {
	Name string // driver stderr, driver stdout, executor 1 stderr, state details
	Text string
}

// Finding is a class that was found, with the lines that show it.
type Finding struct {
	Class    Class
	Evidence []string // at most evidenceLines, as they stand in the log, secrets masked
	Log      string   // name of the log that shows it
}

const (
	evidenceLines = 3
	evidenceWidth = 300
)

// match is where a class was found. Lower is better in each field, in order.
type match struct {
	class     *compiled
	rank      int
	structure int // 0 = named by SQLSTATE or Spark's class, 1 = by its text
	log, at   int
}

func (m match) before(o match) bool {
	switch {
	case m.rank != o.rank:
		return m.rank < o.rank
	case m.structure != o.structure:
		return m.structure < o.structure
	case m.log != o.log:
		return m.log < o.log
	default:
		return m.at < o.at
	}
}

// Find returns the earliest root cause that the fault and the logs show, or
// nil when they show none that is known. Logs are given in the order in which
// they tell of causes: what the job itself said first, summaries last.
func Find(f *sparkwright.Fault, logs ...Log) *Finding {
	all := append([]Log{{"fault", f.Message}, {"log", f.Log}}, logs...)
	found := matches(f, all)
	if len(found) == 0 {
		return nil
	}
	best := found[0]
	for _, m := range found[1:] {
		if m.before(best) {
			best = m
		}
	}
	return &Finding{Class: best.class.Class, Log: all[best.log].Name, Evidence: evidence(all[best.log].Text, best)}
}

// matches finds every class once, at its best place.
func matches(f *sparkwright.Fault, logs []Log) []match {
	var out []match
	known := table()
	for i := range known {
		c := &known[i]
		best, found := match{}, false
		for n, log := range logs {
			at, ok := c.byStructure(f, log.Text)
			structure := 0
			if !ok {
				at, ok = c.byPattern(log.Text)
				structure = 1
			}
			m := match{class: c, rank: c.Rank, structure: structure, log: n, at: at}
			if ok && (!found || m.before(best)) {
				best, found = m, true
			}
		}
		if found {
			out = append(out, best)
		}
	}
	return out
}

// evidence is the line of the match, and further lines that show the same.
func evidence(text string, m match) []string {
	start := strings.LastIndexByte(text[:m.at], '\n') + 1
	var out []string
	for line := range strings.SplitSeq(text[start:], "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if len(out) > 0 {
			if _, same := m.class.byPattern(line); !same {
				continue
			}
		}
		if r := []rune(mask(line)); len(r) > evidenceWidth {
			line = string(r[:evidenceWidth]) + "…"
		} else {
			line = string(r)
		}
		if len(out) == 0 || out[len(out)-1] != line {
			out = append(out, line)
		}
		if len(out) == evidenceLines {
			break
		}
	}
	return out
}

var secrets = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token|authorization)["']?\s*[=:]\s*["']?)[^\s"'&,;]+`)

// mask takes values of secrets out of a line.
func mask(line string) string { return secrets.ReplaceAllString(line, "${1}***") }

// Explain completes a fault: its kind, cause, remedy, diagnosis, and a message
// without stack traces. It never changes what is already known; what EMR
// Serverless says of a job is evidence, not yet a cause.
func Explain(f *sparkwright.Fault) {
	var details []Log
	said := f.Class == "EMR_JOB_FAILED" || strings.HasPrefix(f.Because, "Job failed, please check complete logs")
	if said {
		details = append(details, Log{"details", f.Because})
	}
	if found := Find(f, details...); found != nil {
		c := found.Class
		// Of a job that left nothing, its log is the only witness.
		said = said || f.Kind == sparkwright.FaultLost && f.Because == ""
		if f.Kind == "" || f.Kind == sparkwright.FaultLost && f.Because == "" {
			f.Kind = c.Kind
		}
		if f.Because == "" || said {
			f.Because, f.Diagnosis = c.Because, &sparkwright.Diagnosis{Class: c.ID, Evidence: found.Evidence, Check: c.Check}
		}
		if f.Remedy == "" || said {
			f.Remedy = c.Remedy
		}
	}
	if f.Kind == "" {
		// Whatever Spark or Python raised without a cause outside is the code's.
		f.Kind = sparkwright.FaultCode
	}
	if f.Kind == sparkwright.FaultCode && f.Remedy == "" {
		f.Remedy = "ask in other words, or correct the code: sparkwright runs show RUN --code > fix.py; sparkwright run fix.py"
	}
	f.Message = firstSentence(f.Message)
}

// firstSentence keeps what a person reads: the text before Spark's plan and
// stack traces.
func firstSentence(s string) string {
	for _, cut := range []string{"\n\nJVM stacktrace", ";\n'", ";\n+", "\n\tat ", "\nDriver stacktrace"} {
		s, _, _ = strings.Cut(s, cut)
	}
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > 1000 {
		s = string(r[:1000]) + "…"
	}
	return s
}
