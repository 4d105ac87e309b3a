package codegen

import (
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// maxLedger is how many entries a ledger has.
const maxLedger = 12

// kinds are how people read the kinds of entries; an assumption speaks for
// itself.
var kinds = map[string]string{
	"term": "Term: ", "column": "Columns: ", "filter": "Filter: ", "date": "Dates: ", "join": "Join: ", "assumption": "",
}

func ledgerEntry(kind, text string) string { return kinds[kind] + text }

var qualified = regexp.MustCompile(`\b([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)\b`)

// borneOut reports whether the columns that an entry names are there, and in
// the code. An entry that tells of another column tells of another analysis.
func borneOut(entry, code string, catalog *sparkwright.Catalog) bool {
	if catalog == nil {
		return true
	}
	code = strings.ToLower(code)
	for _, m := range qualified.FindAllStringSubmatch(entry, -1) {
		t := catalog.Table(m[1])
		if t == nil { // the end of a sentence, an alias, a decimal
			continue
		}
		known := false
		for i := range t.Columns {
			known = known || strings.EqualFold(t.Columns[i].Name, m[2])
		}
		if !known || !mentions(code, strings.ToLower(m[2])) {
			return false
		}
	}
	return true
}
