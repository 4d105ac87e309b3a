package main

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/placement"
)

// progressView shows a run's events on stderr.
type progressView struct{ app *app }

func (v *progressView) observe(run *sparkwright.Run, e sparkwright.Event) {
	a := v.app
	if a.quiet || a.json {
		return
	}
	switch {
	case e.Type == sparkwright.EventProgress:
		a.out.progress(*e.Progress)
	case e.Type == sparkwright.EventStep && e.Step == "understood":
		a.out.field("understood", e.Text)
	case e.Type == sparkwright.EventStep && strings.HasPrefix(e.Text, "copies "):
		a.out.field("copies", strings.TrimPrefix(e.Text, "copies ")+" to this machine")
	case e.Type == sparkwright.EventStep && e.Step == "preflight":
		a.out.field("warning", e.Text)
	case e.Type == sparkwright.EventStep && e.Step == "move":
		a.out.field("runs", e.Text)
	case e.Type == sparkwright.EventStep && e.Text == "started":
		a.out.waiting(e.Step, waitingFor[e.Step])
	case e.Type == sparkwright.EventStep && e.Step == "generate" && e.Text == "done" && run.Declined == nil:
		a.out.field("reads", readsLine(run))
	case e.Type == sparkwright.EventState && e.State == sparkwright.RunChecking:
		a.out.field("runs", run.Placement.Reason)
	case e.Type == sparkwright.EventStep && e.Step == "check" && e.Text == "done":
		a.out.field("check", fmt.Sprintf("policy ok · analyzer ok (%.1f s)", lastTiming(run)))
	}
}

var waitingFor = map[string]string{
	"catalog": "reading the catalog", "generate": "writing the analysis",
	"check": "checking the analysis; the first time this starts Spark", "spark": "running", placement.Postgres: "running",
}

func lastTiming(run *sparkwright.Run) float64 {
	if n := len(run.Timings); n > 0 {
		return run.Timings[n-1].Seconds
	}
	return 0
}

func readsLine(run *sparkwright.Run) string {
	if len(run.Views) == 0 {
		return "no table"
	}
	var parts []string
	for _, v := range run.Views {
		_, short, _ := strings.Cut(v.Table, ".")
		part := fmt.Sprintf("%s (%s, %s", short, count(v.RowEstimate), size(v.Bytes))
		if v.Partitions > 1 {
			part += fmt.Sprintf(", %d reads at once", v.Partitions)
		}
		parts = append(parts, part+")")
	}
	return strings.Join(parts, " · ")
}
