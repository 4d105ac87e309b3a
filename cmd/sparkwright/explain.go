package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func newExplainCommand(app *app) *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:   `explain "QUESTION"`,
		Short: "Show how a question would be read from PostgreSQL, and run nothing",
		Long: "Show how a question would be read from PostgreSQL: how each table is read and\nwhy, the SQL that PostgreSQL will see, what stays with Spark because the answers\n" +
			"would differ, and what it is expected to cost. Nothing is run.\n\n" + exitHelp,
		Example: `  sparkwright explain "total amount per country" --connection shop`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.explain(cmd, o, supervisor.Request{Question: args[0]})
		},
	}
	o.addFlags(cmd)
	return cmd
}

// explain has the question answered up to the check, and looks at Spark's plan.
func (a *app) explain(cmd *cobra.Command, o askOptions, req supervisor.Request) error {
	ctx := cmd.Context()
	if err := a.selectSources(ctx, &o, &req); err != nil {
		return err
	}
	svc, err := a.service(ctx)
	if err != nil {
		return err
	}
	req.CodeOnly = true
	view := &progressView{app: a}
	req.Observe = view.observe
	run, err := svc.Ask(ctx, req)
	a.out.clear()
	if run == nil {
		return err
	}
	if err != nil || run.Declined != nil {
		return a.show(ctx, run, err, o)
	}
	catalog, err := svc.Catalog(ctx, req.Connection, req.Tables)
	if err != nil {
		return err
	}
	e, err := a.reads.Explain(ctx, run, catalog)
	if err != nil {
		return err
	}
	if a.json {
		enc := json.NewEncoder(plainJSON{a.stdout})
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	a.printf("%s\n", strings.Join(explainLines(e), "\n"))
	return nil
}

// explainLines are an explanation for people.
func explainLines(e *reader.Explained) []string {
	var out []string
	for i := range e.Reads {
		out = append(out, readLine(&e.Reads[i]))
	}
	for _, s := range e.Scans {
		out = append(out, "PostgreSQL sees: "+clean(strings.Join(strings.Fields(s.SQL), " ")))
	}
	if e.Scans == nil {
		out = append(out, "what PostgreSQL will see is not known: Spark's plan could not be read")
	}
	for name, g := range e.Guards {
		out = append(out, clean(name+": "+g.Describe()))
	}
	for _, s := range e.Snapshot {
		if s.None != "" {
			out = append(out, clean("not one snapshot of "+s.Connection+": "+s.None))
		}
	}
	return append(out, fmt.Sprintf("expected: %.1f s over %d connections", e.Receipt.Expected.Seconds, e.Receipt.Expected.Connections))
}

func readLine(r *readplan.Read) string {
	how := "one read"
	if r.Partitions > 1 {
		how = fmt.Sprintf("%d reads", r.Partitions)
	}
	text := fmt.Sprintf("%s: %s, %s, %s", r.View, clean(r.Table.QualifiedName()), count(r.Table.RowEstimate), how)
	if r.Table.Source == "" || r.Table.Source == sparkwright.SourcePostgres {
		text += fmt.Sprintf(" of %d rows at a time", r.FetchSize)
	}
	if r.Why != "" {
		text += " (" + clean(r.Why) + ")"
	}
	return text
}
