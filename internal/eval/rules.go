package eval

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// everyday are names of tables and columns that are words of the language, or
// say what kind of value a column holds. A grammar of English needs them.
const everyday = " id name names title date day days month year years week quarter time timestamp number type kind status state code key label " +
	"value values count total amount price cost rate rating score size length area height age email phone description comment text active " +
	"quantity since created updated start end first last open closed high low rank level order orders group list data table record date_of the "

// RulesNaming lists the tables and columns that the planner's rules name: the
// rules are about English and about catalogs in general, never about one
// database. dir holds the planner's sources.
func RulesNaming(dir string, catalogs []*sparkwright.Catalog) ([]string, error) {
	literals, err := literalsOf(dir)
	if err != nil {
		return nil, err
	}
	said := map[string]bool{}
	for _, l := range literals {
		for _, w := range strings.FieldsFunc(strings.ToLower(l), func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
			said[w] = true
		}
	}
	found := map[string]bool{}
	for _, c := range catalogs {
		for i := range c.Tables {
			names := []string{c.Tables[i].Name}
			for _, col := range c.Tables[i].Columns {
				names = append(names, col.Name)
			}
			for _, n := range names {
				n = strings.ToLower(n)
				if len(n) > 2 && said[n] && !strings.Contains(everyday, " "+n+" ") {
					found[n] = true
				}
			}
		}
	}
	out := make([]string, 0, len(found))
	for n := range found {
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

// literalsOf are the string literals of the Go files of a directory, without
// tests, import paths and the two dictionaries of words that names are made of.
func literalsOf(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no Go files in %s", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	var out []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read the rules: %w", err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.ValueSpec: // the dictionary that splits "postalcode"
				if x.Names[0].Name == "schemaVocabulary" {
					return false
				}
			case *ast.FuncDecl: // the dictionary that reads "qty"
				if x.Name.Name == "abbreviation" {
					return false
				}
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					out = append(out, s)
				}
			}
			return true
		})
	}
	return out, nil
}
