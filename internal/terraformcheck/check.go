package terraformcheck

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// metaArguments belong to Terraform itself.
var metaArguments = []string{"count", "for_each", "depends_on", "provider"}

type checker struct {
	module   *Module
	schema   *Schema
	problems []string
	names    map[string]bool // var.x, local.x, TYPE.x, data.TYPE.x, module.x
}

// Check returns what is wrong with the module, each as file:line: text.
func Check(m *Module, s *Schema) []string {
	c := &checker{module: m, schema: s, names: map[string]bool{}}
	for name, text := range m.Sources {
		if !bytes.Equal(hclwrite.Format(text), text) {
			c.problems = append(c.problems, name+": not formatted (terraform fmt)")
		}
	}
	c.collect()
	for _, b := range m.blocks {
		c.top(b)
	}
	slices.Sort(c.problems)
	return c.problems
}

func (c *checker) say(r hcl.Range, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("%s:%d: ", r.Filename, r.Start.Line)+fmt.Sprintf(format, args...))
}

// collect notes everything that can be referred to.
func (c *checker) collect() {
	for _, b := range c.module.blocks {
		name := strings.Join(b.Labels, ".")
		switch b.Type {
		case "variable":
			name = "var." + name
		case "data", "module":
			name = b.Type + "." + name
		case "locals":
			for local := range b.Body.Attributes {
				c.names["local."+local] = true
			}
			continue
		case "resource":
		default:
			continue
		}
		if c.names[name] {
			c.say(b.DefRange(), "%s is declared twice", name)
		}
		c.names[name] = true
	}
}

func (c *checker) top(b *hclsyntax.Block) {
	c.references(b.Body)
	switch b.Type {
	case "resource", "data":
		kinds := c.schema.Resources
		if b.Type == "data" {
			kinds = c.schema.Data
		}
		schema, ok := kinds[b.Labels[0]]
		if !ok {
			c.say(b.DefRange(), "the %s type %s is not in the reduced schema", b.Type, b.Labels[0])
			return
		}
		c.body(b.Labels[0], b.Body, schema, true)
	case "provider":
		c.body("provider "+b.Labels[0], b.Body, c.schema.ProviderBlock, true)
	case "variable", "locals", "output", "terraform", "module":
	default:
		c.say(b.DefRange(), "a block of type %s", b.Type)
	}
}

func (c *checker) body(where string, body *hclsyntax.Body, schema Block, top bool) {
	for name, a := range body.Attributes {
		kind, ok := schema.Attributes[name]
		switch {
		case top && slices.Contains(metaArguments, name):
		case !ok:
			c.say(a.NameRange, "%s has no argument %s%s", where, name, hint(schema.nearest(name)))
		default:
			c.kind(where+"."+name, a, strings.TrimSuffix(kind, "!"))
		}
	}
	for name, kind := range schema.Attributes {
		if strings.HasSuffix(kind, "!") && body.Attributes[name] == nil {
			c.say(body.SrcRange, "%s lacks the required argument %s", where, name)
		}
	}
	count := map[string]int{}
	for _, b := range body.Blocks {
		name, inner := b.Type, b.Body
		if top && name == "lifecycle" {
			continue
		}
		dynamic := name == "dynamic"
		if dynamic {
			name = b.Labels[0]
			i := slices.IndexFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "content" })
			if i < 0 || b.Body.Attributes["for_each"] == nil {
				c.say(b.DefRange(), "dynamic %s needs for_each and content", name)
				continue
			}
			inner = b.Body.Blocks[i].Body
		}
		nested, ok := schema.Blocks[name]
		if !ok {
			c.say(b.DefRange(), "%s has no block %s%s", where, name, hint(schema.nearest(name)))
			continue
		}
		if count[name]++; nested.Max > 0 && count[name] > nested.Max {
			c.say(b.DefRange(), "%s may have %d block %s", where, nested.Max, name)
		}
		c.body(where+"."+name, inner, nested, false)
	}
	for name, nested := range schema.Blocks {
		if nested.Required && count[name] == 0 {
			c.say(body.SrcRange, "%s lacks the required block %s", where, name)
		}
	}
}

// kind compares what is written literally with the type of the argument.
func (c *checker) kind(where string, a *hclsyntax.Attribute, want string) {
	got := ""
	switch e := a.Expr.(type) {
	case *hclsyntax.TupleConsExpr:
		got = "list"
	case *hclsyntax.ObjectConsExpr:
		got = "map"
	case *hclsyntax.LiteralValueExpr:
		got = e.Val.Type().FriendlyName()
	case *hclsyntax.TemplateExpr:
		got = "string"
	}
	if got == "" || want == "any" || got == want || got == "dynamic" {
		return
	}
	if want == "string" && (got == "number" || got == "bool") {
		return // Terraform converts them
	}
	c.say(a.NameRange, "%s is a %s, not a %s", where, want, got)
}

// references checks that what an expression names is there, and that a
// resource has the attribute.
func (c *checker) references(body *hclsyntax.Body) {
	for _, b := range body.Blocks {
		c.references(b.Body)
	}
	for _, a := range body.Attributes {
		for _, t := range a.Expr.Variables() {
			c.reference(t)
		}
	}
}

func (c *checker) reference(t hcl.Traversal) {
	var path []string
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			path = append(path, s.Name)
		case hcl.TraverseAttr:
			path = append(path, s.Name)
		}
	}
	depth := 2
	switch root := path[0]; {
	case root == "data":
		depth = 3
	case root == "var" || root == "local" || root == "module" || strings.HasPrefix(root, "aws_"):
	default:
		return // each, count, path, self, the variable of a for, the iterator of a dynamic block
	}
	if len(path) < depth {
		return
	}
	name := strings.Join(path[:depth], ".")
	if !c.names[name] {
		c.say(t.SourceRange(), "%s is not declared", name)
		return
	}
	schema, ok := c.schema.Resources[path[0]]
	if path[0] == "data" {
		schema, ok = c.schema.Data[path[1]]
	}
	if ok && len(path) > depth && !schema.known(path[depth]) {
		c.say(t.SourceRange(), "%s has no attribute %s%s", name, path[depth], hint(schema.nearest(path[depth])))
	}
}
