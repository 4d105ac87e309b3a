package main

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// direct is a Runner that hands the SQL of a planner's analysis to PostgreSQL,
// for quick measurements without Spark.
type direct struct{ db Database }

var _ Runner = direct{}

var (
	analysisSQL   = regexp.MustCompile(`(?s)^result = spark\.sql\("""\n(.*)\n"""\)\s*$`)
	escapedSign   = regexp.MustCompile(`\\\\u([0-9a-f]{4})`)
	doubleType    = regexp.MustCompile(`\bAS DOUBLE\)`)
	dayOfWeek     = regexp.MustCompile(`\bdayofweek\(([^()]*)\)`)
	pythonEscapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`)
)

// Run implements Runner.
func (d direct) Run(ctx context.Context, database string, catalog *sparkwright.Catalog, analysis *sparkwright.Analysis) ([]string, [][]any, error) {
	m := analysisSQL.FindStringSubmatch(analysis.Code)
	if m == nil {
		return nil, nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis is not one SQL statement")
	}
	return d.db.Query(ctx, database, translate(m[1]))
}

// translate writes the planner's Spark SQL as PostgreSQL has it.
func translate(sql string) string {
	sql = escapedSign.ReplaceAllStringFunc(sql, func(s string) string {
		n, err := strconv.ParseInt(s[3:], 16, 32)
		if err != nil {
			return s
		}
		if n == '\'' {
			return "''"
		}
		return string(rune(n))
	})
	sql = pythonEscapes.Replace(sql)
	sql = strings.ReplaceAll(sql, "`", `"`)
	sql = dayOfWeek.ReplaceAllString(sql, "(EXTRACT(DOW FROM $1) + 1)")
	return doubleType.ReplaceAllString(sql, "AS DOUBLE PRECISION)")
}
