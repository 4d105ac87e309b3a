package receipt_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
)

func reads() []readplan.Read {
	table := func(name string, rows int64) sparkwright.Table {
		return sparkwright.Table{
			Connection: "shop", Schema: "sales", Name: name, RowEstimate: rows, Bytes: 400 << 20,
			Columns: []sparkwright.Column{{Name: "id", Stats: &sparkwright.ColumnStats{AvgWidth: 8}}, {Name: "note"}},
		}
	}
	kept := []readplan.SparkColumn{{Name: "id", Type: "bigint"}, {Name: "note", Type: "string"}}
	return []readplan.Read{
		{View: "orders", Table: table("orders", 1000), Columns: kept, Partitions: 4},
		{View: "items", Table: table(`odd"items`, -1), Columns: kept, Partitions: 1},
		{View: "both", Table: table("both", 10), Columns: kept[:1], Partitions: 1},
	}
}

func TestExpect(t *testing.T) {
	t.Parallel()
	r := receipt.Expect(reads(), 2, func(view string) bool { return view == "both" })
	want := []sparkwright.ReceiptTable{
		{Table: "shop.sales.orders", Partitions: 4, EstimatedRows: 1000, EstimatedBytes: 32000, ActualRows: -1, ActualBytes: -1},
		{Table: `shop.sales.odd"items`, Partitions: 1, EstimatedRows: -1, EstimatedBytes: -1, ActualRows: -1, ActualBytes: -1},
		{Table: "shop.sales.both", Partitions: 1, EstimatedRows: 10, EstimatedBytes: 160, ActualRows: -1, ActualBytes: -1},
	}
	if diff := cmp.Diff(want, r.Tables); diff != "" {
		t.Error(diff)
	}
	if r.Expected.Connections != 3 || r.Expected.Seconds < 1.8 || r.Expected.Seconds > 1.9 {
		t.Errorf("expected %+v", r.Expected)
	}
	if none, all := receipt.Whole(-1), receipt.Whole(200<<20); none != receipt.Whole(0) || none <= 0 || all-none < 1.99 || all-none > 2.01 {
		t.Errorf("nothing takes %f s, 200 MB take %f s", none, all)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	r := receipt.Expect(reads(), 2, nil)
	receipt.Settle(r, reads(), []sparkwright.Statement{
		{Connection: "shop", SQL: `SELECT "id" FROM "sales"."orders" WHERE "id" < 5`, Rows: 4, Bytes: 40},
		{Connection: "shop", SQL: `SELECT "id" FROM "sales"."orders" WHERE "id" >= 5`, Rows: 6, Bytes: 60},
		{Connection: "shop", SQL: `SELECT * FROM "sales"."orders" WHERE 1=0`, Rows: 0, Bytes: 0},
		{Connection: "shop", SQL: `EXPLAIN (FORMAT JSON) SELECT "id" FROM "sales"."orders"`, Rows: 1, Bytes: 900},
		{Connection: "shop", SQL: `SELECT n FROM pg_catalog.pg_class, "sales"."orders"`, Rows: 99, Bytes: 99},
		{Connection: "other", SQL: `SELECT 1 FROM "sales"."orders"`, Rows: 99, Bytes: 99},
		{Connection: "shop", SQL: `SELECT 1 FROM "sales"."odd""items" JOIN "sales"."both" ON true`, Rows: 7, Bytes: 70},
	}, 1.5)
	var got [][2]int64
	for _, t := range r.Tables {
		got = append(got, [2]int64{t.ActualRows, t.ActualBytes})
	}
	if diff := cmp.Diff([][2]int64{{10, 100}, {-1, -1}, {-1, -1}}, got); diff != "" {
		t.Error(diff)
	}
	if len(r.Statements) != 7 || r.Actual.Seconds != 1.5 {
		t.Errorf("%d statements, %v s", len(r.Statements), r.Actual.Seconds)
	}
}

func TestAWS(t *testing.T) {
	t.Parallel()
	rate := receipt.Rate{VCPUs: 10, GB: 28, PerVCPUHour: 0.05, PerGBHour: 0.005, StartSeconds: 60, Cores: 6}
	r := receipt.ExpectAWS(reads(), rate)
	hours := r.Expected.Seconds / 3600
	want := sparkwright.Cost{Seconds: r.Expected.Seconds, Connections: r.Expected.Connections, VCPUHours: 10 * hours, MemoryHours: 28 * hours, USD: 10*hours*0.05 + 28*hours*0.005}
	if diff := cmp.Diff(want, r.Expected); diff != "" || r.Expected.Seconds < 60 {
		t.Errorf("%s", diff)
	}
	receipt.Bill(r, rate, sparkwright.Cost{VCPUHours: 1, MemoryHours: 2})
	receipt.Bill(r, rate, sparkwright.Cost{VCPUHours: 1, MemoryHours: 2}) // a second attempt
	receipt.Took(r, 2*r.Expected.Seconds)
	if r.Actual.VCPUHours != 2 || r.Actual.MemoryHours != 4 || math.Abs(r.Actual.USD-0.12) > 1e-9 || r.Off != 1 {
		t.Errorf("%+v, off by %f", r.Actual, r.Off)
	}
}
