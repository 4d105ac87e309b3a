// Package grounding describes the tables of a question to a model: those
// tables and columns of a database, of 10 or of 2,000 tables, that matter for
// the question, within a budget of tokens.
//
// Tables are found by BM25 over their names, comments, columns and enum labels,
// with stems, prefixes and abbreviations ("qty", "cust"); by enum labels and
// most common values that the question mentions; and in the neighbourhood of
// foreign keys: the tables on the paths between those that were found, and the
// ones they refer to. The index is in memory and made anew for each catalog:
// for 2,000 tables that takes some milliseconds, while SQLite's FTS would need a
// database beside the catalog that is kept in step with it, knows neither
// weights by field of our kind nor abbreviations, and would still leave the
// foreign keys to us.
//
// Facts are given, rows never: keys, joins with their cardinality, shares of
// NULL, and values as far as Share allows. Everything that others wrote is
// quoted, kept to one line, and limited in length.
package grounding

// Share says what of values a description may hold.
type Share string

// The shares.
const (
	ShareNone   Share = "none"   // nothing
	ShareEnums  Share = "enums"  // labels of enum types; first and last month of dates
	ShareCommon Share = "common" // also most common values of text columns
)

// Options bound a description. The zero value is useful.
type Options struct {
	Tokens int   // at most; 0 = 4000
	Share  Share // "" = ShareEnums
}

func (o Options) withDefaults() Options {
	if o.Tokens <= 0 {
		o.Tokens = 4000
	}
	if o.Share == "" {
		o.Share = ShareEnums
	}
	return o
}

// bytesPerToken is how many bytes a token has, on the safe side: names with
// underscores and digits have about three and a half.
const bytesPerToken = 3

// Tokens estimates how many tokens a model makes of a text.
func Tokens(text string) int { return (len(text) + bytesPerToken - 1) / bytesPerToken }
