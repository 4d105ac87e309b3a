package readplan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// SparkColumn is how Spark sees one PostgreSQL column.
type SparkColumn struct {
	Name string
	Type string // Spark DDL: bigint, decimal(12,2), array<string>
	// Skip says why the column is left out of the view: Spark would change its
	// values or cannot read it at all. "" = it is read.
	Skip string
	// Unloadable is set with Skip when the column keeps Spark from loading the
	// table's schema at all, so that the other columns need a query.
	Unloadable bool
	// Moment is set for a time of day: in a query it is that moment of 1970-01-01,
	// to the microsecond.
	Moment bool
	// Query35 is set where Spark 3.5 needs a query: its readers of tables drop a
	// time's fraction of a second, and refuse the schema of a negative scale.
	Query35 bool
}

// maxPrecision is the largest precision of Spark's DecimalType.
const maxPrecision = 38

var numericModifier = regexp.MustCompile(`^numeric\((\d+),(-?\d+)\)`)

// scalar maps pg_type.typname to Spark types as the PostgreSQL dialect of
// Spark 4.3 does; TestSparkTypes compares the map with a real Spark. Types
// that are not listed arrive as their text.
var scalar = map[string]string{
	"bool": "boolean", "int2": "smallint", "int4": "int", "int8": "bigint",
	"float4": "float", "float8": "double", "bytea": "binary", "date": "date",
	"timestamp": "timestamp", "timestamptz": "timestamp", "time": "timestamp",
	"oid": "decimal(20,0)",
}

// SparkType tells how Spark reads the column over JDBC.
func SparkType(col *sparkwright.Column) SparkColumn {
	out := SparkColumn{Name: col.Name}
	base, isArray := strings.CutPrefix(col.BaseType, "_")
	switch base {
	case "numeric":
		out.Type, out.Skip = numericType(col.Type)
		out.Query35 = strings.Contains(col.Type, ",-")
	case "time":
		out.Type, out.Moment, out.Query35 = scalar["time"], !isArray, !isArray
	case "timetz":
		out.Type, out.Skip = "timestamp", "Spark reads time with time zone as a moment of 1970"
	case "bit", "varbit":
		out.Type = bitType(base, col.Type, isArray)
	case "oid":
		out.Type = scalar["oid"]
		if isArray {
			out.Type = "bigint"
		}
	case "money":
		out.Type = "string"
		if isArray {
			out.Skip, out.Unloadable = "Spark cannot read arrays of money", true
		}
	default:
		out.Type = scalar[base]
		if out.Type == "" {
			out.Type = "string"
		}
	}
	if isArray { // Spark asks for the dimensions that were declared
		for range max(1, col.Dimensions) {
			out.Type = "array<" + out.Type + ">"
		}
	}
	return out
}

func numericType(pg string) (spark, skip string) {
	m := numericModifier.FindStringSubmatch(pg)
	if m == nil {
		return "decimal(38,18)", ""
	}
	precision, _ := strconv.Atoi(m[1])
	scale, _ := strconv.Atoi(m[2])
	if precision > maxPrecision || scale < 0 || scale > precision {
		return "decimal(38,0)", fmt.Sprintf("%s does not fit Spark's decimal type, which would drop digits", m[0])
	}
	return fmt.Sprintf("decimal(%d,%d)", precision, scale), ""
}

func bitType(base, pg string, isArray bool) string {
	switch {
	case base == "varbit":
		return "string"
	case strings.HasPrefix(pg, "bit(1)") && !isArray:
		return "boolean"
	default:
		return "binary"
	}
}
