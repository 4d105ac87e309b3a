package eval

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sparkwright/sparkwright"
)

// Direct is an Asker that hands the SQL of the planner's analysis to
// PostgreSQL, for quick measurements without Spark.
type Direct struct {
	DB        *Databases
	Generator sparkwright.Generator
	// Definitions are those that hold for a catalog; may be nil.
	Definitions func(ctx context.Context, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []string, error)

	mu       sync.Mutex
	catalogs map[string]*sparkwright.Catalog
}

var _ Asker = (*Direct)(nil)

var (
	analysisSQL   = regexp.MustCompile(`(?s)^result = spark\.sql\("""\n(.*)\n"""\)\s*$`)
	escapedSign   = regexp.MustCompile(`\\\\u([0-9a-f]{4})`)
	doubleType    = regexp.MustCompile(`\bAS DOUBLE\)`)
	dayOfWeek     = regexp.MustCompile(`\bdayofweek\(([^()]*)\)`)
	pythonEscapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`)
)

// Catalog is the catalog of a database, read once.
func (d *Direct) Catalog(ctx context.Context, database string) (*sparkwright.Catalog, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.catalogs[database]; ok {
		return c, nil
	}
	c, err := d.DB.Catalog(ctx, database)
	if err != nil {
		return nil, err
	}
	if d.catalogs == nil {
		d.catalogs = map[string]*sparkwright.Catalog{}
	}
	d.catalogs[database] = c
	return c, nil
}

// Ask implements Asker.
func (d *Direct) Ask(ctx context.Context, q *Question) (*Reply, error) {
	cat, err := d.Catalog(ctx, q.Database)
	if err != nil {
		return nil, err
	}
	var defined *sparkwright.Definitions
	if d.Definitions != nil {
		if defined, _, err = d.Definitions(ctx, cat); err != nil {
			return nil, err
		}
	}
	var previous *sparkwright.Previous
	var reply *sparkwright.GenerateReply
	for _, text := range append(slices.Clone(q.Previous), q.Question) {
		reply, err = d.Generator.Generate(ctx, sparkwright.GenerateRequest{Question: text, Instructions: q.Glossary(), Catalog: cat, Definitions: defined, Previous: previous})
		if err != nil {
			return nil, err
		}
		next := &sparkwright.Previous{Questions: []string{text}}
		if previous != nil {
			next.Questions = append(slices.Clone(previous.Questions), text)
		}
		if a := reply.Analysis; a != nil {
			next.Code, next.Understood = a.Code, a.Understood
		}
		previous = next
	}
	out := &Reply{Declined: reply.Declined, Usage: reply.Usage}
	if reply.Analysis == nil {
		return out, nil
	}
	out.Understood, out.Code, out.Generator = reply.Analysis.Understood, reply.Analysis.Code, reply.Analysis.Generator
	m := analysisSQL.FindStringSubmatch(reply.Analysis.Code)
	if m == nil {
		out.Failed = "the analysis is not one SQL statement"
		return out, nil
	}
	_, rows, err := d.DB.Query(ctx, q.Database, translate(m[1]))
	if err != nil {
		out.Failed = err.Error()
		return out, ctx.Err()
	}
	out.Rows = rows
	return out, nil
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
