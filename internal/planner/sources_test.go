package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
)

// One question reads two databases and a file, joined along keys that are
// named alike; a foreign key never reaches into another database.
func TestSeveralSources(t *testing.T) {
	t.Parallel()
	column := func(name, typ, base string, distinct float64) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: typ, BaseType: base, Stats: &sparkwright.ColumnStats{Distinct: distinct}}
	}
	cat := &sparkwright.Catalog{Tables: []sparkwright.Table{
		{
			Connection: "shop", Schema: "public", Name: "orders", View: "orders", RowEstimate: 1000, PrimaryKey: []string{"order_id"},
			Columns: []sparkwright.Column{
				column("order_id", "bigint", "int8", 1000), column("customer_id", "bigint", "int8", 100), column("amount", "numeric(12,2)", "numeric", 900),
			},
			ForeignKeys: []sparkwright.ForeignKey{{Columns: []string{"customer_id"}, RefSchema: "public", RefTable: "people", RefColumns: []string{"id"}}},
		},
		{
			Connection: "crm", Schema: "public", Name: "customers", View: "customers", RowEstimate: 100, PrimaryKey: []string{"customer_id"},
			Columns: []sparkwright.Column{column("customer_id", "bigint", "int8", 100), column("country_code", "text", "text", 20)},
		},
		{
			Connection: "crm", Schema: "public", Name: "people", View: "people", RowEstimate: 100, PrimaryKey: []string{"id"},
			Columns: []sparkwright.Column{column("id", "bigint", "int8", 100)},
		},
		{
			Source: sparkwright.SourceFiles, Location: "file:///data/countries.csv", Format: "csv",
			Connection: "files", Schema: "local", Name: "countries", View: "countries", RowEstimate: 20,
			Columns: []sparkwright.Column{column("country_code", "text", "text", 20), column("region", "text", "text", 4)},
		},
	}}
	r := ask(t, cat, "What is the total amount of orders for each region?", "")
	if r.Analysis == nil {
		t.Fatalf("declined: %+v", r.Declined)
	}
	if diff := cmp.Diff([]string{"countries", "customers", "orders"}, r.Analysis.Views); diff != "" {
		t.Error(diff)
	}
	for _, join := range []string{"customers c ON c.customer_id = o.customer_id", "ON c2.country_code = c.country_code"} {
		if !strings.Contains(r.Analysis.Code, join) {
			t.Errorf("no %q in\n%s", join, r.Analysis.Code)
		}
	}
	if r = ask(t, cat, "How many orders are there for each people?", ""); r.Analysis != nil {
		t.Errorf("joined over a foreign key into another database:\n%s", r.Analysis.Code)
	}
}

// A small file's amounts all differ; they are quantities all the same. What is
// named like a key, or comes first, is none.
func TestAmountsThatAllDiffer(t *testing.T) {
	t.Parallel()
	column := func(name string) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "bigint", BaseType: "int8", Stats: &sparkwright.ColumnStats{Distinct: 3}}
	}
	region := sparkwright.Column{Name: "region", Type: "text", BaseType: "text", Stats: &sparkwright.ColumnStats{Distinct: 2}}
	catalog := func(columns ...sparkwright.Column) *sparkwright.Catalog {
		return &sparkwright.Catalog{Tables: []sparkwright.Table{{
			Source: sparkwright.SourceFiles, Location: "file:///data/deliveries.csv", Format: "csv", Connection: "files", Schema: "local",
			Name: "deliveries", View: "deliveries", RowEstimate: 3, Columns: columns,
		}}}
	}
	amounts := catalog(region, column("amount"))
	for question, want := range map[string]string{
		"total amount per region": "SUM(d.amount)", "total number of amount": "SUM(d.amount)", "maximum amount": "MAX(d.amount)",
	} {
		if r := ask(t, amounts, question, ""); r.Analysis == nil || !strings.Contains(r.Analysis.Code, want) {
			t.Errorf("%s: %+v, declined %+v", question, r.Analysis, r.Declined)
		}
	}
	if r := ask(t, catalog(column("number"), region), "total number per region", ""); r.Analysis != nil && strings.Contains(r.Analysis.Code, "SUM") {
		t.Errorf("keys are added up:\n%s", r.Analysis.Code)
	}
	if r := ask(t, catalog(region, column("delivery_id")), "total number of delivery id", ""); r.Analysis != nil && strings.Contains(r.Analysis.Code, "SUM") {
		t.Errorf("keys are added up:\n%s", r.Analysis.Code)
	}
}
