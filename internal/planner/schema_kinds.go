package planner

import (
	"slices"
	"sort"
	"strings"
)

func (c *column) isInteger() bool { return oneOf(c.src.BaseType, "int2 int4 int8") }

func (c *column) isNumber() bool {
	return oneOf(c.src.BaseType, "int2 int4 int8 numeric float4 float8 money")
}

func (c *column) isText() bool {
	return oneOf(c.src.BaseType, "text varchar bpchar char name citext") || len(c.src.Enum) > 0
}

func (c *column) isDate() bool { return oneOf(c.src.BaseType, "date timestamp timestamptz") }

func (c *column) isBool() bool { return c.src.BaseType == "bool" }

// isID tells columns whose values are names of rows and never quantities. That
// all values differ does not make a later column one: the amounts of a small
// file, or the populations of cities, differ as well.
func (c *column) isID() bool {
	key := c == c.t.key && !c.isText() && (c.t.declared || c == c.t.cols[0])
	if key || endsWith(c.words, "id") || endsWith(c.words, "key") || endsWith(c.words, "uuid") {
		return true
	}
	for _, fk := range c.t.src.ForeignKeys {
		if len(fk.Columns) == 1 && fk.Columns[0] == c.src.Name {
			return true
		}
	}
	return false
}

func contains(list []string, w string) bool {
	return slices.Contains(list, w)
}

func endsWith(words []string, w string) bool { return len(words) > 0 && words[len(words)-1] == w }

func sameWords(a, b []string) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	x, y := append([]string(nil), a...), append([]string(nil), b...)
	sort.Strings(x)
	sort.Strings(y)
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// label is the columns that people know a row by: a name or a title, or
// first and last name together. Nil when there is none.
func (t *table) label() []*column {
	var first, last *column
	for _, want := range []string{"name", "titl"} {
		for _, c := range t.cols {
			if c.isText() && (len(c.words) == 1 && c.words[0] == want || sameWords(c.words, append(append([]string(nil), t.words...), want))) {
				return []*column{c}
			}
		}
	}
	for _, c := range t.cols {
		if !c.isText() {
			continue
		}
		if len(c.words) == 2 && c.words[1] == "name" && c.words[0] == "first" {
			first = c
		}
		if len(c.words) == 2 && c.words[1] == "name" && (c.words[0] == "last" || c.words[0] == "sur" || c.words[0] == "famili") {
			last = c
		}
		if sameWords(c.words, t.words) && c.isText() {
			return []*column{c}
		}
	}
	if first != nil && last != nil {
		return []*column{first, last}
	}
	for _, want := range []string{"name", "titl", "label"} {
		for _, c := range t.cols {
			if c.isText() && (len(c.words) == 2 && c.words[1] == want && (c.words[0] == "full" || c.words[0] == "display")) {
				return []*column{c}
			}
		}
	}
	var only *column
	for _, c := range t.cols {
		if c.isText() && endsWith(c.words, "name") {
			if only != nil {
				return nil
			}
			only = c
		}
	}
	if only != nil && len(only.words) > 1 && !contains(only.words, "user") {
		return nil
	}
	return nil
}

func (t *table) human() string { return strings.ReplaceAll(t.src.Name, "_", " ") }

func (c *column) human() string { return strings.Join(c.full, " ") }
