package glue

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"github.com/sparkwright/sparkwright"
)

// column keeps Glue's type, which is Spark's too, and adds the PostgreSQL type
// that is like it, for the generators.
func column(g *types.Column) sparkwright.Column {
	c := sparkwright.Column{
		Name: aws.ToString(g.Name), Type: strings.ToLower(aws.ToString(g.Type)), Nullable: true, Comment: aws.ToString(g.Comment),
	}
	c.BaseType = base(c.Type)
	return c
}

var scalars = map[string]string{
	"boolean": "bool", "tinyint": "int2", "smallint": "int2", "int": "int4", "integer": "int4", "bigint": "int8", "float": "float4",
	"double": "float8", "string": "text", "date": "date", "timestamp": "timestamp", "binary": "bytea",
}

func base(hive string) string {
	if b := scalars[hive]; b != "" {
		return b
	}
	name, _, _ := strings.Cut(hive, "(")
	switch name {
	case "decimal":
		return "numeric"
	case "varchar", "char":
		return "varchar"
	}
	if inner, ok := strings.CutPrefix(hive, "array<"); ok {
		if b := base(strings.TrimSuffix(inner, ">")); !strings.HasPrefix(b, "_") && b != "jsonb" {
			return "_" + b
		}
	}
	return "jsonb" // struct, map, arrays of them
}

// format tells how Spark reads the files of a table: "" when that is not known.
func format(parameters map[string]string, d *types.StorageDescriptor) (name string, options map[string]string) {
	serde, settings := "", map[string]string{}
	if d.SerdeInfo != nil {
		serde = strings.ToLower(aws.ToString(d.SerdeInfo.SerializationLibrary))
		settings = d.SerdeInfo.Parameters
	}
	input := strings.ToLower(aws.ToString(d.InputFormat))
	is := func(word string) bool {
		return strings.Contains(serde, word) || strings.Contains(input, word) || strings.Contains(strings.ToLower(parameters["classification"]), word)
	}
	switch {
	case strings.EqualFold(parameters["table_type"], "iceberg"):
		return "iceberg", nil
	case strings.EqualFold(parameters["spark.sql.sources.provider"], "delta"):
		return "delta", nil
	case is("parquet"):
		return "parquet", nil
	case is("orc"):
		return "orc", nil
	case is("avro"):
		return "avro", nil
	case is("json"):
		return "json", nil
	case is("csv"), is("lazysimple"), is("text"):
		return "csv", csvOptions(parameters, settings)
	default:
		return "", nil
	}
}

// csvOptions are Spark's options for what a SerDe says.
func csvOptions(parameters, settings map[string]string) map[string]string {
	options := map[string]string{"header": "false", "mode": "FAILFAST"}
	for _, key := range []string{"separatorChar", "field.delim", "serialization.format"} {
		if sep := settings[key]; sep != "" && (key != "serialization.format" || sep != "1") { // 1 is a version
			options["sep"] = sep
			break
		}
	}
	if q := settings["quoteChar"]; q != "" {
		options["quote"] = q
	}
	if e := settings["escapeChar"]; e != "" {
		options["escape"] = e
	}
	for _, m := range []map[string]string{parameters, settings} {
		if n, err := strconv.Atoi(m["skip.header.line.count"]); err == nil && n > 0 {
			options["header"] = "true"
		}
	}
	return options
}

// number is the first of these parameters that is a number; -1 when none is.
func number(parameters map[string]string, keys ...string) int64 {
	for _, k := range keys {
		if n, err := strconv.ParseInt(parameters[k], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}
