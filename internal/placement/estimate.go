package placement

import "github.com/sparkwright/sparkwright"

// Estimate is how many bytes of a table a run reads that uses these columns
// (nil = all): the bytes of the heap, or of the files, by the share that the
// columns have in the width of a row. -1 when the size is not known.
func Estimate(t *sparkwright.Table, columns []string) int64 {
	if t.Bytes < 0 {
		return -1
	}
	if columns == nil {
		return t.Bytes
	}
	used := map[string]bool{}
	for _, c := range columns {
		used[c] = true
	}
	var all, some int64
	for i := range t.Columns {
		c := &t.Columns[i]
		w := width(c)
		all += w
		if used[c.Name] {
			some += w
		}
	}
	if all == 0 {
		return t.Bytes
	}
	return int64(float64(t.Bytes) * float64(some) / float64(all))
}

// width is the average width of a column in bytes: as the statistics say, else
// by its type.
func width(c *sparkwright.Column) int64 {
	if c.Stats != nil && c.Stats.AvgWidth > 0 {
		return int64(c.Stats.AvgWidth)
	}
	switch c.BaseType {
	case "bool", "boolean", "tinyint":
		return 1
	case "int2", "smallint":
		return 2
	case "int4", "int", "date", "float4", "float":
		return 4
	case "int8", "bigint", "float8", "double", "timestamp", "timestamptz", "time":
		return 8
	case "uuid":
		return 16
	default:
		return 32
	}
}
