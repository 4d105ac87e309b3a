package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func newRunsCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "List, show and cancel runs; fetch their results and logs"}
	cmd.AddCommand(newRunsList(app), newRunsShow(app), newRunsLogs(app), newRunsCancel(app), newRunsResult(app))
	return cmd
}

func newRunsList(app *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return err
			}
			page, err := st.List(cmd.Context(), sparkwright.RunFilter{Limit: limit})
			if err != nil {
				return err
			}
			runs := page.Runs
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(runs)
			}
			for _, r := range runs {
				what := r.Question.Text
				if what == "" {
					what = "(own code)"
				}
				app.printf("  %s  %s  %-10s %s\n", r.ID, r.CreatedAt.Format(time.DateTime), r.State, showCell(asJSON(what)))
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many")
	return cmd
}

func asJSON(s string) json.RawMessage {
	b, _ := json.Marshal(s) //nolint:errchkjson // strings always encode
	return b
}

func newRunsShow(app *app) *cobra.Command {
	var code, script bool
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show everything about a run", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return err
			}
			run, err := st.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			switch {
			case script && len(run.Attempts) > 0:
				app.printf("%s", run.Attempts[len(run.Attempts)-1].Script)
			case code || script:
				app.printf("%s\n", strings.TrimRight(run.Analysis, "\n"))
			case app.json:
				return json.NewEncoder(plainJSON{app.stdout}).Encode(run)
			default:
				app.showRun(run)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&code, "code", false, "write the analysis only")
	cmd.Flags().BoolVar(&script, "script", false, "write the whole script of the last attempt")
	return cmd
}

func (a *app) showRun(run *sparkwright.Run) {
	line := func(label, text string) {
		if text != "" {
			a.printf("  %-*s  %s\n", labelWidth, label, strings.ReplaceAll(clean(text), "\n", "\n"+strings.Repeat(" ", labelWidth+4)))
		}
	}
	line("run", fmt.Sprintf("%s · %s · %s", run.ID, run.State, run.CreatedAt.Format(time.DateTime)))
	line("question", run.Question.Text)
	line("by", run.Generator)
	line("understood", run.Understood)
	if len(run.Views) > 0 {
		line("reads", readsLine(run))
	}
	line("runs", run.Placement.Reason)
	line("code", strings.TrimSpace(run.Analysis))
	for _, t := range run.Attempts {
		line("attempt", fmt.Sprintf("%d · %s", t.Number, t.State))
	}
	if d := run.Declined; d != nil {
		line("declined", fmt.Sprintf("%s (%s)", d.Message, d.Reason))
	}
	if f := run.Fault; f != nil {
		line("failed", fmt.Sprintf("%s [%s]", f.Message, f.Class))
		line("because", f.Because)
		line("do", f.Remedy)
		if d := f.Diagnosis; d != nil {
			line("known as", d.Class+", see docs/troubleshooting.md")
			line("seen in", strings.Join(d.Evidence, "\n"))
			if d.Check != "" {
				line("check", "sparkwright doctor --only "+d.Check)
			}
		}
	}
	var times []string
	for _, t := range run.Timings {
		times = append(times, fmt.Sprintf("%s %.2f s", t.Step, t.Seconds))
	}
	line("took", strings.Join(times, " · "))
	line("estimate", offLine(run.Receipt))
	line("read", receiptLine(run.Receipt))
	if run.Receipt != nil {
		for _, t := range run.Receipt.Tables {
			line("table", tableLine(&t))
		}
	}
	line("cost", costLine(run.Receipt))
	line("model", usageText(run))
	if run.Result != nil {
		line("result", fmt.Sprintf("%s rows in %s", thousands(run.Result.RowCount), run.Result.Location))
		a.rows(run.Result, terminalWidth(a.stdout))
	}
}

func newRunsLogs(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "logs RUN", Short: "Write what the job printed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			st, err := app.openStore(ctx)
			if err != nil {
				return err
			}
			run, err := st.Run(ctx, args[0])
			if err != nil {
				return err
			}
			for after := int64(0); ; {
				events, err := st.Events(ctx, run.ID, after, 500)
				if err != nil || len(events) == 0 {
					return err
				}
				for _, e := range events {
					after = e.Seq
					if e.Type == sparkwright.EventLog {
						app.printf("%s", clean(e.Text))
					}
				}
			}
		},
	}
}

func newRunsCancel(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "Cancel a run, whichever process carries it out", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			st, err := app.openStore(ctx)
			if err != nil {
				return err
			}
			run, err := st.Run(ctx, args[0])
			if err != nil {
				return err
			}
			if run.State.Final() {
				return &sparkwright.Error{Code: sparkwright.CodeConflict, Message: fmt.Sprintf("run %s is %s already", run.ID, run.State)}
			}
			// Whoever carries it out, or a server that does later, ends it.
			svc := supervisor.New(supervisor.Config{Store: st, Log: app.log})
			if _, err = svc.Cancel(ctx, run.ID); err != nil {
				return err
			}
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			deadline := time.NewTimer(30 * time.Second)
			defer deadline.Stop()
			for {
				select {
				case <-ctx.Done():
					return sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted; the run was told to stop")
				case <-deadline.C:
					return &sparkwright.Error{
						Code: sparkwright.CodeTimeout, Message: "run " + run.ID + " was told to stop and has not yet",
						Remedy: "sparkwright runs show " + run.ID,
					}
				case <-tick.C:
				}
				if run, err = st.Run(ctx, run.ID); err != nil {
					return err
				}
				if run.State.Final() {
					app.say("run", fmt.Sprintf("%s is %s", run.ID, run.State))
					return nil
				}
			}
		},
	}
}

func newRunsResult(app *app) *cobra.Command {
	var csvFile string
	cmd := &cobra.Command{
		Use: "result RUN", Short: "Write a run's rows again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return err
			}
			run, err := st.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if run.Result == nil {
				return &sparkwright.Error{
					Code: sparkwright.CodeNotFound, Message: "run " + run.ID + " has no result", Because: "it is " + string(run.State),
					Remedy: "sparkwright runs show " + run.ID,
				}
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(run.Result)
			}
			return app.writeResult(cmd.Context(), run.Result, csvFile)
		},
	}
	cmd.Flags().StringVar(&csvFile, "csv", "", "write all rows as CSV to this file, or - for stdout")
	return cmd
}
