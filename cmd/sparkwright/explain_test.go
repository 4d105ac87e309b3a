package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

func TestExplainLines(t *testing.T) {
	t.Parallel()
	table := sparkwright.Table{Connection: "shop", Schema: "sales", Name: "orders", RowEstimate: 5_000_000}
	e := &reader.Explained{
		Reads:    []readplan.Read{{View: "orders", Table: table, Partitions: 8, FetchSize: 10000, Why: "equal steps of id"}},
		Scans:    []readplan.Scan{{SQL: "SELECT \"id\"\nFROM \"sales\".\"orders\"   ", Views: []string{"orders"}, Rows: true}},
		Guards:   map[string]readplan.Guard{"shop": {Limits: true, Why: []string{"orders.note: its collation en_US is not the order of bytes"}}},
		Receipt:  &sparkwright.Receipt{Expected: sparkwright.Cost{Seconds: 2.5, Connections: 3}},
		Snapshot: []sparkwright.Snapshot{{Connection: "shop", None: "the server is a standby"}},
	}
	want := []string{
		"orders: shop.sales.orders, 5.0 M rows, 8 reads of 10000 rows at a time (equal steps of id)",
		`PostgreSQL sees: SELECT "id" FROM "sales"."orders"`,
		"shop: first rows are worked out by Spark: orders.note: its collation en_US is not the order of bytes",
		"not one snapshot of shop: the server is a standby",
		"expected: 2.5 s over 3 connections",
	}
	if diff := cmp.Diff(want, explainLines(e)); diff != "" {
		t.Error(diff)
	}
}
