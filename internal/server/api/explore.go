package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/sparkwright/sparkwright"
)

// Suggester proposes questions.
type Suggester interface {
	// Suggest proposes at most n questions about the tables of the request, or
	// all of its connection. Each is answered by the built-in planner.
	Suggest(ctx context.Context, req sparkwright.Request, n int) ([]Suggestion, error)
}

// Suggestion is a question that can be answered.
type Suggestion struct {
	Question string   `json:"question"`
	Tables   []string `json:"tables" doc:"connection.schema.table of what the answer reads"`
}

// Suggestions are questions to begin with.
type Suggestions struct {
	Suggestions []Suggestion `json:"suggestions"`
}

// TableProfile is what the database's statistics say of a table. No row is
// read for it.
type TableProfile struct {
	Qualified   string          `json:"qualified"`
	RowEstimate int64           `json:"row_estimate" doc:"-1 = never analysed"`
	Bytes       int64           `json:"bytes"`
	Analysed    bool            `json:"analysed" doc:"The statistics know at least one column"`
	Values      bool            `json:"values" doc:"Values are shown: postgres.show_values"`
	Columns     []ColumnProfile `json:"columns"`
}

// ColumnProfile is what the statistics say of a column. What is not known is
// absent.
type ColumnProfile struct {
	Name      string                   `json:"name"`
	Type      string                   `json:"type"`
	Unique    bool                     `json:"unique" doc:"No two rows have the same value"`
	NullShare *float64                 `json:"null_share,omitempty" doc:"0 to 1"`
	Distinct  *float64                 `json:"distinct,omitempty" doc:"Estimated number of different values"`
	Width     int                      `json:"width,omitempty" doc:"Bytes, on average"`
	Common    []sparkwright.ValueCount `json:"common,omitempty" doc:"The most common values and their shares"`
	Low       string                   `json:"low,omitempty" doc:"About the lowest value"`
	High      string                   `json:"high,omitempty" doc:"About the highest value"`
}

const (
	suggestMost = 24 // questions of one request
	commonMost  = 10 // common values of a column
)

func (a *API) registerExplore() {
	suggest := operation("suggest-questions", http.MethodGet, "/connections/{name}/suggestions", "Questions about a connection that can be answered", "connections")
	suggest.Description = "Made from its tables; each has been planned by the built-in planner."
	register(a, suggest, func(ctx context.Context, in *struct {
		ConnectionPath
		Tables []string `query:"table,explode" doc:"Only about these: connection.schema.table; may be repeated" maxItems:"200"`
		Limit  int      `query:"limit" minimum:"1" maximum:"24" default:"6"`
	},
	) (*body[Suggestions], error) {
		if a.cfg.Suggester == nil {
			return nil, absent("suggestions")
		}
		list, err := a.cfg.Suggester.Suggest(ctx, sparkwright.Request{Connection: in.Name, Tables: in.Tables}, min(in.Limit, suggestMost))
		if list == nil {
			list = []Suggestion{}
		}
		return reply(Suggestions{Suggestions: list}, err)
	})
	register(a, operation("profile-table", http.MethodGet, "/connections/{name}/tables/{schema}/{table}/profile", "What the statistics say of a table's columns", "connections"),
		func(ctx context.Context, in *TablePath) (*body[TableProfile], error) {
			t, err := a.table(ctx, in)
			if err != nil {
				return nil, err
			}
			return reply(profile(t, a.showValues(ctx)), nil)
		})
}

// showValues reports whether values may be shown that statistics hold.
func (a *API) showValues(ctx context.Context) bool {
	return a.cfg.ShowValues == nil || a.cfg.ShowValues(ctx)
}

func profile(t *sparkwright.Table, values bool) TableProfile {
	out := TableProfile{Qualified: t.QualifiedName(), RowEstimate: t.RowEstimate, Bytes: t.Bytes, Values: values, Columns: []ColumnProfile{}}
	for i := range t.Columns {
		c := &t.Columns[i]
		p := ColumnProfile{Name: c.Name, Type: c.Type, Unique: unique(t, c.Name)}
		if s := c.Stats; s != nil {
			out.Analysed = true
			p.NullShare, p.Distinct, p.Width = &s.NullFraction, &s.Distinct, s.AvgWidth
			if values {
				p.Common = s.MostCommon[:min(len(s.MostCommon), commonMost)]
				if n := len(s.Histogram); n > 0 {
					p.Low, p.High = s.Histogram[0], s.Histogram[n-1]
				}
			}
		}
		out.Columns = append(out.Columns, p)
	}
	return out
}

// unique reports whether a column alone identifies rows.
func unique(t *sparkwright.Table, column string) bool {
	one := func(key []string) bool { return len(key) == 1 && key[0] == column }
	return one(t.PrimaryKey) || slices.ContainsFunc(t.Uniques, one)
}

// withoutValues is a table whose statistics hold no values any more. The
// original stays as it is: it is everybody's.
func withoutValues(t *sparkwright.Table) *sparkwright.Table {
	out := *t
	out.Columns = make([]sparkwright.Column, len(t.Columns))
	for i, c := range t.Columns {
		if c.Stats != nil {
			s := *c.Stats
			s.MostCommon, s.Histogram = nil, nil
			c.Stats = &s
		}
		out.Columns[i] = c
	}
	return &out
}
