package main

import (
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
)

func TestUsageText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		generator string
		usage     sparkwright.Usage
		want      string
	}{
		{"planner", sparkwright.Usage{}, "0 tokens (built-in planner)"},
		{"user", sparkwright.Usage{}, ""},
		{"model m", sparkwright.Usage{Cached: true}, "0 tokens (an earlier reply)"},
		{"model m", sparkwright.Usage{Calls: 1}, "tokens not counted"},
		{"model m", sparkwright.Usage{Calls: 2, InputTokens: 1200, OutputTokens: 34}, "1,234 tokens"},
		{"model m", sparkwright.Usage{Calls: 1, InputTokens: 1200, OutputTokens: 34, USD: 0.00412}, "1,234 tokens, 0.0041 USD"},
	} {
		if got := usageText(&sparkwright.Run{Generator: tt.generator, Usage: tt.usage}); got != tt.want {
			t.Errorf("%s, %+v: %q, want %q", tt.generator, tt.usage, got, tt.want)
		}
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	one := sparkwright.Snapshot{Connection: "shop", ID: "1-1", LSN: "0/1A", Time: at}
	none := sparkwright.Snapshot{Connection: "crm", Time: at, None: "the server is a standby"}
	for _, tt := range []struct{ got, want string }{
		{snapshotLine(&sparkwright.Manifest{}), ""},
		{snapshotLine(&sparkwright.Manifest{Snapshot: &one}), "one state of shop, 2025-01-02 03:04:05 UTC at 0/1A"},
		{snapshotLine(&sparkwright.Manifest{Snapshot: &none}), "not one snapshot of crm: the server is a standby"},
		{
			snapshotLine(&sparkwright.Manifest{Snapshots: []sparkwright.Snapshot{one, none}}),
			"2 databases, each by itself: one state of shop, 2025-01-02 03:04:05 UTC at 0/1A; not one snapshot of crm: the server is a standby",
		},
		{checkedLine(nil), ""},
		{checkedLine(&sparkwright.Crosscheck{State: sparkwright.CrosscheckVerified, Expected: "3 rows"}), "verified: PostgreSQL itself says 3 rows"},
		{
			checkedLine(&sparkwright.Crosscheck{State: sparkwright.CrosscheckMismatch, Why: "the total of n differs", Expected: "3", Got: "4"}),
			"MISMATCH: the total of n differs. PostgreSQL says 3, Spark says 4",
		},
		{checkedLine(&sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: "it has no aggregate"}), "not checked: it has no aggregate"},
		{secondLine(&sparkwright.Crosscheck{}), ""},
		{
			secondLine(&sparkwright.Crosscheck{Second: &sparkwright.SecondReading{State: sparkwright.SecondAgrees, Understood: "All."}}),
			"the same rows by its own reading: All.",
		},
		{
			secondLine(&sparkwright.Crosscheck{Second: &sparkwright.SecondReading{State: sparkwright.SecondDiffers, Understood: "All.", Why: "it has 1 rows, the answer has 2"}}),
			"OTHER ROWS by its own reading: All. it has 1 rows, the answer has 2",
		},
		{
			secondLine(&sparkwright.Crosscheck{Second: &sparkwright.SecondReading{State: sparkwright.SecondNotCompared, Why: "a window"}}),
			"not compared: a window",
		},
		{receiptLine(&sparkwright.Receipt{}), ""},
		{sandboxLine(&sparkwright.Receipt{Sandbox: sparkwright.SandboxOn}), ""},
		{sandboxLine(&sparkwright.Receipt{Sandbox: sparkwright.SandboxOff}), "OFF: the code of this run could read and reach all that its user can"},
		{
			receiptLine(&sparkwright.Receipt{
				Statements: []sparkwright.Statement{{Rows: 1000, Bytes: 2048}, {SQL: "EXPLAIN SELECT 1", Rows: 1, Bytes: 500}, {Rows: 234, Bytes: 1024}},
				Expected:   sparkwright.Cost{Seconds: 1.24}, Actual: sparkwright.Cost{Seconds: 1.5},
			}),
			"1,234 rows, 3 kB in 3 statements · 1.5 s, 1.2 s expected",
		},
		{costLine(&sparkwright.Receipt{}), ""},
		{
			costLine(&sparkwright.Receipt{Expected: sparkwright.Cost{VCPUHours: 0.2, MemoryHours: 0.8, USD: 0.0151}}),
			"0.200 vCPU-hours and 0.800 GB-hours (0.0151 USD) expected; what was billed is not known",
		},
		{
			costLine(&sparkwright.Receipt{Expected: sparkwright.Cost{VCPUHours: 0.2, MemoryHours: 0.8}, Actual: sparkwright.Cost{VCPUHours: 0.3, MemoryHours: 1, USD: 0.02}}),
			"0.300 vCPU-hours and 1.000 GB-hours (0.0200 USD) billed, 0.200 vCPU-hours and 0.800 GB-hours expected",
		},
		{offLine(&sparkwright.Receipt{}), ""},
		{
			offLine(&sparkwright.Receipt{Expected: sparkwright.Cost{Seconds: 2, Connections: 3}, Actual: sparkwright.Cost{Seconds: 1.5}, Off: -0.25}),
			"2.0 s expected over 3 connections, 1.5 s taken (-25 %)",
		},
		{tableLine(&sparkwright.ReceiptTable{Table: "t.s.o", EstimatedRows: -1, EstimatedBytes: -1, ActualRows: 1200, ActualBytes: 4096}), "t.s.o: " + count(-1) + " expected; 1,200 rows, 4 kB read"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
