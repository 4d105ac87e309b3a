// Package receipt tells before a run what it will read and about how long it
// will take, and afterwards what it did: rows and bytes of each table, from
// the statements that PostgreSQL carried out, and the error of the estimate.
package receipt

import (
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// What the expected time is made of. The figures are from bench/ on two cores;
// the receipt shows how far off they are here.
const (
	startSeconds   = 0.8       // a warm question without reading anything
	bytesPerSecond = 100 << 20 // of one read over JDBC, into Spark
	pushedPerSec   = 400 << 20 // of the table, when PostgreSQL aggregates by itself
	textOverhead   = 8         // bytes of a row besides its values
	unknownWidth   = 16        // of a column without statistics
	unknownRows    = -1
)

// Expect is the receipt before the run. pushed says that PostgreSQL answers
// and only its answer travels.
func Expect(reads []readplan.Read, cores int, pushed func(view string) bool) *sparkwright.Receipt {
	r := &sparkwright.Receipt{}
	seconds := startSeconds
	connections := map[string]int{}
	for i := range reads {
		read := &reads[i]
		t := sparkwright.ReceiptTable{
			Table: read.Table.QualifiedName(), Partitions: read.Partitions, EstimatedRows: read.Table.RowEstimate,
			EstimatedBytes: estimate(read), ActualRows: unknownRows, ActualBytes: unknownRows,
		}
		if pushed != nil && pushed(read.View) {
			seconds += float64(read.Table.Bytes) / pushedPerSec
		} else {
			seconds += float64(max(t.EstimatedBytes, 0)) / bytesPerSecond / float64(max(1, min(read.Partitions, cores)))
		}
		r.Tables = append(r.Tables, t)
		if readplan.FromPostgres(&read.Table) {
			connections[read.Table.Connection] = max(connections[read.Table.Connection], min(read.Partitions, max(1, cores)))
		}
	}
	for _, n := range connections {
		r.Expected.Connections += n + 1 // and the one that holds the snapshot
	}
	r.Expected.Seconds = seconds
	return r
}

// Whole is about how long a warm local Spark takes at most for tables of so
// many bytes: all of them read, by one connection.
func Whole(bytes int64) float64 { return startSeconds + float64(max(bytes, 0))/bytesPerSecond }

// estimate is how many bytes the view's columns have; -1 when the number of
// rows is not known.
func estimate(read *readplan.Read) int64 {
	if read.Table.RowEstimate < 0 {
		return -1
	}
	width := int64(textOverhead)
	for _, c := range read.Kept() {
		w := unknownWidth
		if col := read.Table.Column(c.Name); col != nil && col.Stats != nil && col.Stats.AvgWidth > 0 {
			w = col.Stats.AvgWidth
		}
		width += int64(w)
	}
	return read.Table.RowEstimate * width
}

// Settle completes the receipt with what PostgreSQL ran. A statement over one
// table is its; one over several answers for all of them together, and then
// no single table's share is known.
func Settle(r *sparkwright.Receipt, reads []readplan.Read, statements []sparkwright.Statement, seconds float64) {
	r.Statements = append(r.Statements, statements...)
	Took(r, seconds)
	joint := make([]bool, len(r.Tables))
	for _, st := range statements {
		if st.IsPlan() {
			continue
		}
		named := tablesOf(st, reads)
		for _, i := range named {
			if i >= len(r.Tables) {
				continue
			}
			t := &r.Tables[i]
			joint[i] = joint[i] || len(named) > 1
			t.ActualRows = max(t.ActualRows, 0) + st.Rows
			t.ActualBytes = max(t.ActualBytes, 0) + st.Bytes
		}
	}
	for i := range r.Tables {
		if joint[i] {
			r.Tables[i].ActualRows, r.Tables[i].ActualBytes = unknownRows, unknownRows
		}
	}
}

// Took notes how long it took, and by how much that is off.
func Took(r *sparkwright.Receipt, seconds float64) {
	r.Actual.Seconds = seconds
	if r.Expected.Seconds > 0 {
		r.Off = seconds/r.Expected.Seconds - 1
	}
}

// Rate is what a place in AWS has and costs.
type Rate struct {
	VCPUs, GB              float64 // of all workers of a job
	PerVCPUHour, PerGBHour float64 // US dollars
	StartSeconds           float64 // before anything is read
	Cores                  int     // that read at once
}

// ExpectAWS is the receipt before a run in AWS.
func ExpectAWS(reads []readplan.Read, rate Rate) *sparkwright.Receipt {
	r := Expect(reads, max(1, rate.Cores), nil)
	r.Expected.Seconds += rate.StartSeconds
	hours := r.Expected.Seconds / 3600
	r.Expected.VCPUHours, r.Expected.MemoryHours = rate.VCPUs*hours, rate.GB*hours
	r.Expected.USD = rate.cost(r.Expected)
	return r
}

// Bill adds what the place has counted of an attempt.
func Bill(r *sparkwright.Receipt, rate Rate, billed sparkwright.Cost) {
	r.Actual.VCPUHours += billed.VCPUHours
	r.Actual.MemoryHours += billed.MemoryHours
	r.Actual.USD = rate.cost(r.Actual)
}

func (r Rate) cost(c sparkwright.Cost) float64 {
	return c.VCPUHours*r.PerVCPUHour + c.MemoryHours*r.PerGBHour
}

// tablesOf are the places of the reads that a statement reads. Statements of
// the driver about the catalog, and those for a schema only, read none.
func tablesOf(st sparkwright.Statement, reads []readplan.Read) []int {
	if strings.Contains(st.SQL, "pg_catalog.") || strings.Contains(st.SQL, "WHERE 1=0") {
		return nil
	}
	var out []int
	for i := range reads {
		t := &reads[i].Table
		if t.Connection == st.Connection && strings.Contains(st.SQL, quote(t.Schema)+"."+quote(t.Name)) {
			out = append(out, i)
		}
	}
	return out
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
