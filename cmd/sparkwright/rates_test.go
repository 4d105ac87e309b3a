package main

import (
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// What a run in AWS may cost is told before it is asked for, by the prices and
// sizes of the settings; a place without a price costs what is not known.
func TestExpectedCost(t *testing.T) {
	t.Parallel()
	catalog := &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Connection: "c", Schema: "public", Name: "t", View: "t", Kind: sparkwright.KindTable, RowEstimate: 100_000_000, Bytes: 20 << 30,
		Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8"}, {Name: "note", Type: "text", BaseType: "text"}},
	}}}
	small := &sparkwright.Catalog{Tables: []sparkwright.Table{catalog.Tables[0]}}
	small.Tables[0].RowEstimate = 10
	s := settings.Default()
	cost := func(c *sparkwright.Catalog, place string) sparkwright.Cost {
		return expected(c, place, 20<<30, rates(s))
	}

	emr, little, function := cost(catalog, placement.EMR), cost(small, placement.EMR), cost(small, placement.Lambda)
	if emr.USD <= little.USD || little.USD <= 0 || emr.VCPUHours <= 0 || emr.Seconds <= emrStartSeconds {
		t.Errorf("EMR Serverless: %+v, of a small table %+v", emr, little)
	}
	if function.USD <= 0 || function.USD >= little.USD {
		t.Errorf("Lambda: %+v", function)
	}
	s.Spark.ExecutorCores *= 4
	if large := cost(small, placement.EMR); large.USD <= little.USD {
		t.Errorf("with larger workers %+v, before %+v", large, little)
	}
	s.Spark.Prices = ""
	if free := cost(catalog, placement.EMR); free.USD != 0 || free.Seconds <= 0 {
		t.Errorf("without prices %+v", free)
	}
	if here := cost(catalog, placement.Connect); here.USD != 0 || here.Seconds != receipt.Whole(20<<30) {
		t.Errorf("on this machine %+v", here)
	}
}
