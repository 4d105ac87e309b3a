// Package sqlguard judges SQL by its whole parse tree, as PostgreSQL's own
// parser makes it: one statement that only reads, over named tables, with
// functions that are known to do nothing else. What it does not know is refused.
//
// The parser is PostgreSQL's C code as WebAssembly. Its first use compiles it,
// which takes about a second of one core: Warm does it ahead.
package sqlguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/wasilibs/go-pgquery/parser"
)

// Rules say what may be read.
type Rules struct {
	// Tables are the relations that may be named; nil = any that is not the
	// system's.
	Tables []Table
}

// Table names a relation.
type Table struct{ Schema, Name string }

// maxSQL is how long a statement may be.
const maxSQL = 1 << 20

// one statement is parsed at a time: each parser that is used at once would be
// compiled and kept.
var one sync.Mutex

// gaveUp is that the parser has overrun its memory: from then on nothing that
// it says is believed, and every statement is refused.
var gaveUp bool

// Warm compiles the parser.
func Warm() { _, _ = parse("SELECT 1") }

// parse returns the tree. A parser that gives up, as on a statement nested too
// deep, is an error.
func parse(sql string) (tree map[string]any, err error) {
	one.Lock()
	defer one.Unlock()
	if gaveUp {
		return nil, errors.New("the parser has given up on an earlier statement: start Sparkwright again")
	}
	defer func() {
		if p := recover(); p != nil {
			gaveUp, err = true, errors.New("the parser gave up")
		}
	}()
	text, err := parser.ParseToJSON(sql)
	if err != nil {
		return nil, err
	}
	return tree, json.Unmarshal([]byte(text), &tree)
}

// Check returns nil for a statement that may be carried out, and else why not.
func Check(sql string, rules Rules) error {
	if len(sql) > maxSQL {
		return fmt.Errorf("a statement of %d bytes", len(sql))
	}
	if strings.ContainsRune(sql, 0) {
		return errors.New("a NUL in the statement")
	}
	sql, err := bounded(sql)
	if err != nil {
		return err
	}
	tree, err := parse(sql)
	if err != nil {
		return fmt.Errorf("not understood: %w", err)
	}
	statements, _ := tree["stmts"].([]any)
	if len(statements) != 1 {
		return fmt.Errorf("%d statements at once", len(statements))
	}
	first, _ := statements[0].(map[string]any)
	node, _ := first["stmt"].(map[string]any)
	w := &walker{rules: rules}
	return w.statement(node)
}

// walker goes through a tree.
type walker struct {
	rules Rules
	names []map[string]bool // of WITH queries that are visible here
	depth int
}

// maxDepth is how deep a tree may be.
const maxDepth = 2000

func (w *walker) statement(node map[string]any) error {
	for kind, body := range node {
		inner, _ := body.(map[string]any)
		switch kind {
		case "SelectStmt":
			return w.walk(node)
		case "VariableShowStmt":
			name, _ := inner["name"].(string)
			if !shown(name) {
				return fmt.Errorf("SHOW %s", name)
			}
			return nil
		case "ExplainStmt":
			return w.explain(inner)
		default:
			return fmt.Errorf("%s is not a read", strings.TrimSuffix(kind, "Stmt"))
		}
	}
	return errors.New("no statement")
}

// explain lets plans be seen, and nothing be carried out.
func (w *walker) explain(body map[string]any) error {
	options, _ := body["options"].([]any)
	for _, o := range options {
		wrapped, _ := o.(map[string]any)
		def, _ := wrapped["DefElem"].(map[string]any)
		switch def["defname"] {
		case "format", "costs", "verbose", "summary", "settings":
		default:
			return fmt.Errorf("EXPLAIN %v", def["defname"])
		}
	}
	query, _ := body["query"].(map[string]any)
	if _, ok := query["SelectStmt"]; !ok {
		return errors.New("EXPLAIN of what is not a read")
	}
	return w.walk(query)
}

// walk judges a node, a list of nodes, or a value.
func (w *walker) walk(v any) error {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		return errors.New("nested too deep")
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := w.walk(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, body := range v {
			if err := w.field(key, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// field judges what a key holds: a node when the key is a node's kind, which
// begins with a capital, else a part of the node around it.
func (w *walker) field(key string, body any) error {
	inner, _ := body.(map[string]any)
	if key == "" || key[0] < 'A' || key[0] > 'Z' {
		switch key {
		case "intoClause":
			return errors.New("SELECT INTO makes a table")
		case "lockingClause":
			return errors.New("rows cannot be locked")
		case "larg", "rarg": // a select without its kind
			return w.selects(inner)
		}
		return w.walk(body)
	}
	switch key {
	case "SelectStmt":
		return w.selects(inner)
	case "RangeVar":
		return w.table(inner)
	case "FuncCall":
		if err := function(inner["funcname"]); err != nil {
			return err
		}
	case "RangeFunction":
		if err := w.source(inner); err != nil {
			return err
		}
	case "RangeTableSample":
		if m := names(inner["method"]); len(m) != 1 || m[0] != "bernoulli" && m[0] != "system" {
			return fmt.Errorf("TABLESAMPLE %s", strings.Join(m, "."))
		}
	case "A_Expr":
		if n := names(inner["name"]); len(n) > 1 && n[0] != system {
			return fmt.Errorf("the operator %s", strings.Join(n, "."))
		}
	default:
		if !plain(key) {
			return fmt.Errorf("%s is not known to be harmless", key)
		}
	}
	return w.walk(inner)
}

// selects judges a query: the names of its WITH are tables within it.
func (w *walker) selects(body map[string]any) error {
	names := map[string]bool{}
	with, _ := body["withClause"].(map[string]any)
	list, _ := with["ctes"].([]any)
	for _, e := range list {
		wrapped, _ := e.(map[string]any)
		cte, _ := wrapped["CommonTableExpr"].(map[string]any)
		query, _ := cte["ctequery"].(map[string]any)
		if _, ok := query["SelectStmt"]; !ok {
			return errors.New("WITH of what is not a read")
		}
		if name, ok := cte["ctename"].(string); ok {
			names[name] = true
		}
	}
	// In a WITH that is not recursive a name is not visible to its own query and
	// to those before it: there it is a table of that name.
	if recursive, _ := with["recursive"].(bool); !recursive {
		seen := map[string]bool{}
		w.names = append(w.names, seen)
		for _, e := range list {
			if err := w.walk(e); err != nil {
				return err
			}
			cte, _ := e.(map[string]any)["CommonTableExpr"].(map[string]any)
			if name, ok := cte["ctename"].(string); ok {
				seen[name] = true
			}
		}
		w.names = w.names[:len(w.names)-1]
	}
	w.names = append(w.names, names)
	defer func() { w.names = w.names[:len(w.names)-1] }()
	for key, v := range body {
		if recursive, _ := with["recursive"].(bool); key == "withClause" && !recursive {
			continue
		}
		if err := w.field(key, v); err != nil {
			return err
		}
	}
	return nil
}

// system is the schema of what PostgreSQL brings itself.
const system = "pg_catalog"

// table judges a name in FROM.
func (w *walker) table(body map[string]any) error {
	schema, _ := body["schemaname"].(string)
	name, _ := body["relname"].(string)
	if catalog, _ := body["catalogname"].(string); catalog != "" {
		return fmt.Errorf("the database %s", catalog)
	}
	if schema == "" {
		for _, visible := range w.names {
			if visible[name] {
				return nil
			}
		}
	}
	// Without a schema the system's tables come first.
	if schema == system || schema == "" && strings.HasPrefix(name, "pg_") {
		if !catalogTable(name) {
			return fmt.Errorf("the system table %s", name)
		}
		return nil
	}
	if schema == "information_schema" || schema == "pg_toast" || strings.HasPrefix(schema, "pg_") {
		return fmt.Errorf("the system table %s.%s", schema, name)
	}
	if w.rules.Tables == nil {
		return nil
	}
	if schema == "" {
		schema = "public"
	}
	for _, t := range w.rules.Tables {
		if t.Schema == schema && t.Name == name {
			return nil
		}
	}
	return fmt.Errorf("%s.%s is not a table of the run", schema, name)
}

// function judges a function's name.
func function(list any) error {
	n := names(list)
	if len(n) == 2 && (n[0] == system || n[0] == "information_schema" && n[1] == "_pg_expandarray") {
		n = n[1:]
	}
	if len(n) != 1 || !harmless(n[0]) {
		return fmt.Errorf("the function %s", strings.Join(n, "."))
	}
	return nil
}

// source judges functions in FROM: those that make rows out of their arguments.
func (w *walker) source(body map[string]any) error {
	functions, _ := body["functions"].([]any)
	for _, f := range functions {
		wrapped, _ := f.(map[string]any)
		list, _ := wrapped["List"].(map[string]any)
		items, _ := list["items"].([]any)
		for i, item := range items {
			node, _ := item.(map[string]any)
			if len(node) == 0 { // no column definitions
				continue
			}
			call, ok := node["FuncCall"].(map[string]any)
			if !ok {
				if i == 0 {
					return errors.New("FROM holds an expression")
				}
				continue
			}
			n := names(call["funcname"])
			if last := n[max(0, len(n)-1):]; len(last) == 0 || !rowSource(last[0]) {
				return fmt.Errorf("the function %s in FROM", strings.Join(n, "."))
			}
		}
	}
	return nil
}

// names are the parts of a name.
func names(list any) (out []string) {
	parts, _ := list.([]any)
	for _, p := range parts {
		wrapped, _ := p.(map[string]any)
		s, _ := wrapped["String"].(map[string]any)
		text, _ := s["sval"].(string)
		out = append(out, text)
	}
	return out
}
