package readplan

import (
	"regexp"
	"strings"
)

// Scan is one query that Spark's plan hands to PostgreSQL.
type Scan struct {
	SQL   string   // as PostgreSQL will see it, one of each partition
	Views []string // that it reads
	Rows  bool     // the tables' rows travel, not an aggregate or the first rows of them
}

// Every node of a formatted plan has a paragraph that begins with its number.
var planNode = regexp.MustCompile(`(?m)^\(\d+\) `)

const engineQuery = "External engine query: "

// Explained takes the queries out of Spark's formatted plan. ok is false when
// the plan reads tables in a way that is not understood.
func Explained(plan string, reads []Read) (scans []Scan, ok bool) {
	places := planNode.FindAllStringIndex(plan, -1)
	for i, at := range places {
		end := len(plan)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		node := plan[at[1]:end]
		if !strings.HasPrefix(node, "Scan JDBC") {
			continue
		}
		_, sql, found := strings.Cut(node, engineQuery)
		if !found {
			return nil, false
		}
		sql, _, _ = strings.Cut(sql, "\n\n")
		s := Scan{SQL: strings.TrimSpace(sql)}
		s.Rows = !strings.Contains(node, "\nPushedAggregates: ") && !strings.Contains(node, "\nPushedGroupByExpressions: ") &&
			!strings.Contains(node, "\nPushedLimit: ") && !strings.Contains(node, "\nPushedTopN: ")
		for j := range reads {
			if t := &reads[j].Table; strings.Contains(sql, quoteIdent(t.Schema)+"."+quoteIdent(t.Name)) {
				s.Views = append(s.Views, reads[j].View)
			}
		}
		if len(s.Views) == 0 {
			return nil, false
		}
		scans = append(scans, s)
	}
	return scans, true
}

// Scanned are the views whose rows travel by themselves: parallel reads pay off
// there, and take no join away from PostgreSQL.
func Scanned(scans []Scan) map[string]bool {
	out := map[string]bool{}
	for _, s := range scans {
		if s.Rows && len(s.Views) == 1 {
			out[s.Views[0]] = true
		}
	}
	return out
}
