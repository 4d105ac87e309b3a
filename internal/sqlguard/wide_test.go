package sqlguard_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/sqlguard"
)

// The JDBC driver asks for the columns of a wide result by one SELECT for each.
func TestWide(t *testing.T) {
	t.Parallel()
	driver := "SELECT c.oid FROM pg_catalog.pg_class c JOIN (SELECT 1::int8 AS oid , 2 AS attnum" + strings.Repeat(" UNION ALL SELECT 1234, 99", 1600) + ") vals ON (c.oid = vals.oid)"
	for name, sql := range map[string]string{
		"columns":         `SELECT "` + strings.Repeat(`column_of_a_wide_table","`, 1600) + `x" FROM orders`,
		"driver":          driver,
		"in":              "SELECT * FROM orders WHERE id IN (1" + strings.Repeat(",2", 5000) + ")",
		"or":              "SELECT * FROM orders WHERE false" + strings.Repeat(" OR (id = 1)", 300),
		"nested to limit": strings.Repeat("SELECT (", 39) + "1" + strings.Repeat(")", 39),
		"sets to limit":   "SELECT 1" + strings.Repeat(" UNION SELECT id FROM orders", 100),
	} {
		if err := sqlguard.Check(sql, rules()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, sql := range map[string]string{
		"after the driver's": driver + "; DELETE FROM orders", "in between": strings.Replace(driver, ", 99", ", evil()", 2), "another table": driver + ", secrets",
	} {
		if err := sqlguard.Check(sql, rules()); err == nil {
			t.Errorf("%s: let through", name)
		}
	}
}
