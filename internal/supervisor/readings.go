package supervisor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// maxReadings is how many readings of a question are compared.
const maxReadings = 4

// onlyReading is the answer to an ambiguous question whose readings all give
// the same rows: then nothing is asked back. nil = it is asked, with what is
// known of the readings added to declined.
func (j *job) onlyReading(ctx context.Context, req sparkwright.GenerateRequest, declined *sparkwright.Declined) (*sparkwright.Analysis, error) {
	n := len(declined.Choices)
	if declined.Reason != sparkwright.DeclineAmbiguous || n < 2 || n > maxReadings || j.s.cfg.Reader == nil || j.s.cfg.Readings == nil {
		return nil, nil
	}
	var readings []*sparkwright.Analysis
	for _, choice := range declined.Choices {
		again := req // as if it had been chosen
		again.Question, again.OnText = choice, nil
		again.Clarifies = &sparkwright.Clarified{Question: req.Question, Asked: declined.Message, Choices: declined.Choices}
		reply, err := j.s.cfg.Readings.Generate(ctx, again)
		if err != nil {
			return nil, err
		}
		if reply.Analysis == nil { // nobody here can read it so
			return nil, nil
		}
		readings = append(readings, reply.Analysis)
	}
	var tables []sparkwright.Table
	for i := range j.catalog.Tables {
		view := j.catalog.Tables[i].View
		if slices.ContainsFunc(readings, func(a *sparkwright.Analysis) bool { return slices.Contains(a.Views, view) }) {
			tables = append(tables, j.catalog.Tables[i])
		}
	}
	place, err := j.place(tables)
	if err != nil {
		return nil, nil //nolint:nilerr // told when there is something to run
	}
	run := *j.run // the place is decided with the analysis
	run.Placement = place
	state, why, asked := j.s.cfg.Reader.Compare(ctx, &run, j.catalog, readings)
	switch state {
	case sparkwright.SecondAgrees:
	case sparkwright.SecondDiffers:
		declined.Message += " The readings give different results: " + why + "."
		return nil, nil
	default:
		j.s.cfg.Log.DebugContext(ctx, "readings are not compared", "run_id", j.run.ID, "why", why)
		return nil, nil
	}
	j.run.Receipt = &sparkwright.Receipt{Statements: asked}
	a := *readings[0]
	ledger := fmt.Sprintf("The question can be read in %d ways (%s). PostgreSQL gave the same result for all of them, so it was not asked which is meant; with other data they may differ.",
		n, strings.Join(declined.Choices, "; "))
	a.Assumptions = append(slices.Clone(a.Assumptions), ledger)
	return &a, nil
}
