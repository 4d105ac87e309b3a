package main

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// trust tells what an answer rests on: the state of the database, the
// cross-check, and what was read.
func (a *app) trust(run *sparkwright.Run) {
	a.say("snapshot", snapshotLine(run.Result))
	a.say("checked", checkedLine(run.Crosscheck))
	a.say("planner", secondLine(run.Crosscheck))
	a.say("read", receiptLine(run.Receipt))
	a.say("cost", costLine(run.Receipt))
	for _, f := range run.Findings {
		a.say("note", findingLine(f))
	}
	a.say("sandbox", sandboxLine(run.Receipt))
}

func snapshotLine(m *sparkwright.Manifest) string {
	list := m.Snapshots
	if m.Snapshot != nil {
		list = []sparkwright.Snapshot{*m.Snapshot}
	}
	var parts []string
	for _, s := range list {
		text := "one state of " + s.Connection + ", " + s.Time.UTC().Format("2006-01-02 15:04:05") + " UTC"
		if s.LSN != "" {
			text += " at " + s.LSN
		}
		if s.None != "" {
			text = "not one snapshot of " + s.Connection + ": " + s.None
		}
		parts = append(parts, text)
	}
	if len(parts) > 1 {
		return fmt.Sprintf("%d databases, each by itself: ", len(parts)) + strings.Join(parts, "; ")
	}
	return strings.Join(parts, "")
}

func checkedLine(c *sparkwright.Crosscheck) string {
	switch {
	case c == nil:
		return ""
	case c.State == sparkwright.CrosscheckVerified:
		return "verified: PostgreSQL itself says " + c.Expected
	case c.State == sparkwright.CrosscheckMismatch:
		return "MISMATCH: " + c.Why + ". PostgreSQL says " + c.Expected + ", Spark says " + c.Got
	default:
		return "not checked: " + c.Why
	}
}

func findingLine(f sparkwright.Finding) string {
	if f.Line == 0 {
		return f.Message
	}
	return fmt.Sprintf("%s (%s, line %d)", f.Message, f.Rule, f.Line)
}

// secondLine tells what the planner makes of a question that a model answered.
func secondLine(c *sparkwright.Crosscheck) string {
	switch {
	case c == nil || c.Second == nil:
		return ""
	case c.Second.State == sparkwright.SecondAgrees:
		return "the same rows by its own reading: " + c.Second.Understood
	case c.Second.State == sparkwright.SecondDiffers:
		return "OTHER ROWS by its own reading: " + c.Second.Understood + " " + c.Second.Why
	default:
		return "not compared: " + c.Second.Why
	}
}

// sandboxLine marks answers of runs that were not locked in.
func sandboxLine(r *sparkwright.Receipt) string {
	if r == nil || r.Sandbox != sparkwright.SandboxOff {
		return ""
	}
	return "OFF: the code of this run could read and reach all that its user can"
}

// costLine tells what a place in AWS was expected to cost, and what it did.
func costLine(r *sparkwright.Receipt) string {
	if r == nil || r.Expected.VCPUHours+r.Expected.MemoryHours == 0 {
		return ""
	}
	expected := costText(r.Expected) + " expected"
	if r.Actual.VCPUHours+r.Actual.MemoryHours == 0 {
		return expected + "; what was billed is not known"
	}
	return costText(r.Actual) + " billed, " + expected
}

func costText(c sparkwright.Cost) string {
	text := fmt.Sprintf("%.3f vCPU-hours and %.3f GB-hours", c.VCPUHours, c.MemoryHours)
	if c.USD > 0 {
		text += fmt.Sprintf(" (%.4f USD)", c.USD)
	}
	return text
}

// tableLine is one table's share of a receipt.
func tableLine(t *sparkwright.ReceiptTable) string {
	text := fmt.Sprintf("%s: %s expected", t.Table, count(t.EstimatedRows))
	if t.EstimatedBytes >= 0 {
		text += ", " + size(t.EstimatedBytes)
	}
	if t.ActualRows >= 0 {
		text += fmt.Sprintf("; %s rows, %s read", thousands(t.ActualRows), size(t.ActualBytes))
	}
	return text
}

// offLine tells how good the estimate was.
func offLine(r *sparkwright.Receipt) string {
	if r == nil || r.Actual.Seconds == 0 || r.Expected.Seconds == 0 {
		return ""
	}
	text := fmt.Sprintf("%.1f s expected over %d connections, %.1f s taken", r.Expected.Seconds, r.Expected.Connections, r.Actual.Seconds)
	if r.Off != 0 {
		text += fmt.Sprintf(" (%+.0f %%)", r.Off*100)
	}
	return text
}

func receiptLine(r *sparkwright.Receipt) string {
	if r == nil || len(r.Statements) == 0 {
		return ""
	}
	var rows, bytes int64
	for i := range r.Statements {
		if st := &r.Statements[i]; !st.IsPlan() {
			rows += st.Rows
			bytes += st.Bytes
		}
	}
	return fmt.Sprintf("%s rows, %s in %d statements · %.1f s, %.1f s expected", thousands(rows), size(bytes), len(r.Statements), r.Actual.Seconds, r.Expected.Seconds)
}
