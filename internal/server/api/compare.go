package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
)

// Comparison says how the results of two runs differ. Code, receipts and times
// are in the runs themselves.
type Comparison struct {
	A        Summary                    `json:"a"`
	B        Summary                    `json:"b"`
	SameCode bool                       `json:"same_code"`
	Columns  []string                   `json:"columns" doc:"That both have: rows are compared by them"`
	MissingA []string                   `json:"missing_in_a,omitempty"`
	MissingB []string                   `json:"missing_in_b,omitempty"`
	Types    []TypeChange               `json:"types,omitempty" doc:"Columns whose types differ"`
	Same     int64                      `json:"same" doc:"Rows of both; equal rows count as often as they are there"`
	OnlyA    int64                      `json:"only_a"`
	OnlyB    int64                      `json:"only_b"`
	InOrder  bool                       `json:"in_order" doc:"The same rows in the same order"`
	RowsA    []json.RawMessage          `json:"rows_a" doc:"The first rows that only a has, cells as in columns"`
	RowsB    []json.RawMessage          `json:"rows_b" doc:"The first rows that only b has, cells as in columns"`
	Schema   []sparkwright.ResultColumn `json:"schema" doc:"The columns with their types in a"`
}

// TypeChange is a column that has another type in the other result.
type TypeChange struct {
	Column string `json:"column"`
	A      string `json:"a"`
	B      string `json:"b"`
}

func (a *API) registerCompare() {
	op := operation("compare-runs", http.MethodGet, "/runs/{id}/compare/{other}", "Compare the results of two runs, row by row", "results")
	op.Description = "By the columns that both have, whatever the order of the rows; at most a million rows of each."
	register(a, op, a.compare)
}

func (a *API) compare(ctx context.Context, in *struct {
	RunPath
	Other string `path:"other" doc:"The other run's id" maxLength:"40"`
	Limit int    `query:"limit" doc:"Differing rows of each side" minimum:"0" maximum:"1000" default:"100"`
},
) (*body[Comparison], error) {
	first, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	second, err := a.run(ctx, in.Other)
	if err != nil {
		return nil, err
	}
	m, err := written(first)
	if err != nil {
		return nil, err
	}
	n, err := written(second)
	if err != nil {
		return nil, err
	}
	d, err := a.cfg.Results.Compare(ctx, m, n, in.Limit)
	if err != nil {
		return nil, err
	}
	return reply(comparison(first, second, d), nil)
}

func comparison(first, second *sparkwright.Run, d *result.Difference) Comparison {
	out := Comparison{
		A: summary(first), B: summary(second), SameCode: first.Analysis == second.Analysis, Columns: d.Columns, MissingA: d.MissingA, MissingB: d.MissingB,
		Same: d.Same, OnlyA: d.OnlyA, OnlyB: d.OnlyB, InOrder: d.InOrder, RowsA: d.RowsA, RowsB: d.RowsB, Schema: []sparkwright.ResultColumn{},
	}
	for _, t := range d.Types {
		out.Types = append(out.Types, TypeChange(t))
	}
	for _, name := range d.Columns {
		for _, c := range first.Result.Schema {
			if c.Name == name {
				out.Schema = append(out.Schema, c)
				break
			}
		}
	}
	return out
}
