package planner

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

func dateSQL(x string, col *column, r *dateRange) (string, error) {
	if col.isInteger() {
		switch {
		case r.year == 0:
			return "", refuse(sparkwright.DeclineNotUnderstood, "Only years are stored in %s.", qualified(col))
		case r.yearTo >= 9999:
			return fmt.Sprintf("%s >= %d", x, r.year), nil
		case r.year <= 1:
			return fmt.Sprintf("%s <= %d", x, r.yearTo), nil
		case r.year == r.yearTo:
			return fmt.Sprintf("%s = %d", x, r.year), nil
		default:
			return fmt.Sprintf("%s BETWEEN %d AND %d", x, r.year, r.yearTo), nil
		}
	}
	var parts []string
	if r.lo != "" {
		parts = append(parts, x+" >= "+r.lo)
	}
	if r.hi != "" {
		parts = append(parts, x+" < "+r.hi)
	}
	return strings.Join(parts, " AND "), nil
}

func literalSQL(l literal, col *column) string {
	switch {
	case l.isDate:
		return "DATE '" + l.text + "'"
	case l.isNum && col.src.BaseType == "float4" && l.num*8 != float64(int64(l.num*8)):
		return "CAST(" + number(l.num) + " AS FLOAT)"
	case l.isNum:
		return number(l.num)
	default:
		return quote(l.text)
	}
}

// quote writes a Spark string literal. The analysis is a Python text in triple
// quotes, so that signs special to Python are written as escapes of Spark, too.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\' || r == '"' || r < ' ':
			fmt.Fprintf(&b, "\\\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// ident writes a name, in backticks where it needs them.
func ident(name string) string {
	plain := name != ""
	for i, r := range name {
		if ok := r >= 'a' && r <= 'z' || r == '_' || i > 0 && r >= '0' && r <= '9'; !ok {
			plain = false
		}
	}
	if plain && !reserved(name) {
		return name
	}
	r := strings.NewReplacer("`", "``", `\`, `\\`, `"`, `\"`)
	return "`" + r.Replace(name) + "`"
}

func reserved(w string) bool {
	return oneOf(w, `all and anti any as at authorization between both by case cast check collate column constraint create cross cube current
current_date current_time current_timestamp current_user day days distinct drop else end escape except exists explode false fetch filter for foreign
from full function grant group having hour in inner insert intersect interval into is join lateral leading left like limit
local minus month months natural no not null of offset on only or order outer overlaps primary range references right rollup row rows select semi
session_user set some start sum table tablesample then time timestamp to trailing true truncate union unique unknown update user using values
week when where window with within year years date min max count avg do desc asc analyse analyze array initially placing returning symmetric variadic verbose`)
}
