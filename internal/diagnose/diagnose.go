// Package diagnose tells from a job's fault whose fault it is, why it
// happened, and what to do. SQLSTATE and Spark's error class come first, text
// patterns only where neither tells.
package diagnose

import (
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// rule is one known failure. The first rule that matches wins.
type rule struct {
	states  []string // SQLSTATE, or its class when two characters long
	pattern *regexp.Regexp
	kind    sparkwright.FaultKind
	because string
	remedy  string
}

func re(s string) *regexp.Regexp { return regexp.MustCompile(`(?i)` + s) }

// rules are ordered: root causes before their consequences.
var rules = []rule{
	{
		pattern: re(`No space left on device|Disk quota exceeded|Errno 28`), kind: sparkwright.FaultInfrastructure,
		because: "the disk of the result directory or of Spark's scratch space is full",
		remedy:  "free some space, or set results.dir to another disk; then ask again",
	},
	{
		pattern: re(`ClassNotFoundException: org\.postgresql\.Driver|No suitable driver`), kind: sparkwright.FaultInfrastructure,
		because: "the PostgreSQL JDBC driver is not on the job's class path",
		remedy:  "sparkwright runtime install; on a cluster, pass the driver with --jars",
	},
	{
		states: []string{"28P01"}, pattern: re(`password authentication failed|no password was provided`), kind: sparkwright.FaultInfrastructure,
		because: "PostgreSQL refused the login", remedy: "check the connection's user and secret: sparkwright connections test NAME",
	},
	{
		states: []string{"53300"}, pattern: re(`too many connections|remaining connection slots|too many clients`), kind: sparkwright.FaultTransient,
		because: "PostgreSQL has no free connection for this role", remedy: "try again later, or ask for less parallel reads",
	},
	{
		states: []string{"42501"}, pattern: re(`ERROR: permission denied for`), kind: sparkwright.FaultInfrastructure,
		because: "the connection's role may not read a table of the question",
		remedy:  "GRANT SELECT ON the table TO the role, and USAGE ON its schema",
	},
	{
		pattern: re(`ERROR: (relation|table) .* does not exist|could not open relation|TABLE_OR_VIEW_NOT_FOUND.*pg_`), kind: sparkwright.FaultInfrastructure,
		because: "a table of the question is gone: it was dropped or renamed after the catalog was read",
		remedy:  "look at the tables there are now: sparkwright tables",
	},
	{
		states: []string{"57014"}, pattern: re(`canceling statement due to statement timeout`), kind: sparkwright.FaultTimeout,
		because: "PostgreSQL ended the statement at its statement_timeout", remedy: "ask for less, add an index, or raise the role's statement_timeout",
	},
	{
		states: []string{"57P01", "57P03"}, pattern: re(`terminating connection due to administrator command|database system is (starting up|shutting down|in recovery)`),
		kind: sparkwright.FaultTransient, because: "PostgreSQL was restarted or ended the connection", remedy: "ask again",
	},
	{
		pattern: re(`Connection to \S+ refused|The connection attempt failed|UnknownHostException|Connect timed out`),
		kind:    sparkwright.FaultInfrastructure, because: "the job could not reach PostgreSQL",
		remedy: "check that it runs and that host and port are right: sparkwright connections test NAME",
	},
	{
		pattern: re(`An I/O error occurred while sending to the backend|java\.io\.EOFException|connection has been closed`),
		kind:    sparkwright.FaultTransient, because: "the connection to PostgreSQL broke", remedy: "ask again",
	},
	{
		pattern: re(`Bad value for type BigDecimal ?: ?NaN`), kind: sparkwright.FaultCode,
		because: "a numeric column holds NaN, which Spark's decimals cannot", remedy: "filter these rows, or read the column through a view that casts it",
	},
	{
		pattern: re(`java\.lang\.OutOfMemoryError|MemoryError|bigger than spark\.driver\.maxResultSize`), kind: sparkwright.FaultInfrastructure,
		because: "the memory limit was reached", remedy: "ask for less, or raise spark.driver_memory or spark.client_memory_mb in the settings",
	},
	{
		pattern: re(`StatusCode\.UNAVAILABLE|RETRIES_EXCEEDED|Connection reset by peer|SESSION_(CLOSED|CHANGED|NOT_FOUND)`), kind: sparkwright.FaultLost,
		because: "the Spark server ended during the run", remedy: "ask again; when it happens twice, raise spark.driver_memory in the settings",
	},
}

// Explain completes a fault: its kind, cause and remedy, and a message
// without stack traces. It never changes what is already known.
func Explain(f *sparkwright.Fault) {
	text := f.Message + "\n" + f.Log
	for _, r := range rules {
		if !r.matches(f.SQLState, text) {
			continue
		}
		if f.Kind == "" || f.Kind == sparkwright.FaultLost && f.Because == "" {
			f.Kind = r.kind
		}
		if f.Because == "" {
			f.Because = r.because
		}
		if f.Remedy == "" {
			f.Remedy = r.remedy
		}
		break
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

func (r *rule) matches(state, text string) bool {
	for _, s := range r.states {
		if s == state && state != "" {
			return true
		}
	}
	return r.pattern.MatchString(text)
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
