package terraformcheck

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Values is a module evaluated with given variables. A resource's attributes
// that are not set have made-up texts: TYPE.NAME.ATTRIBUTE.
type Values struct {
	Outputs   map[string]cty.Value
	Resources map[string]cty.Value // TYPE.NAME: an object; a tuple with count, an object of objects with for_each
}

type evaluator struct {
	module    *Module
	schema    *Schema
	ctx       *hcl.EvalContext
	locals    map[string]cty.Value
	resources map[string]map[string]cty.Value
}

// Evaluate works the module out. Data sources have the attributes in data, by
// TYPE.NAME. What cannot be worked out is an error.
func Evaluate(m *Module, s *Schema, variables, data map[string]cty.Value) (*Values, error) {
	e := &evaluator{module: m, schema: s, locals: map[string]cty.Value{}, resources: map[string]map[string]cty.Value{}}
	vars, err := e.variables(variables)
	if err != nil {
		return nil, err
	}
	sources := map[string]map[string]cty.Value{}
	m.each("data", func(b *hclsyntax.Block) {
		kind, name := b.Labels[0], b.Labels[1]
		if sources[kind] == nil {
			sources[kind] = map[string]cty.Value{}
		}
		sources[kind][name] = data[kind+"."+name]
	})
	e.ctx = &hcl.EvalContext{
		Functions: functions(m.Dir),
		Variables: map[string]cty.Value{
			"var": cty.ObjectVal(vars), "data": nested(sources), "local": cty.EmptyObjectVal,
			"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(m.Dir)}),
		},
	}
	return e.settle()
}

// settle evaluates again and again, until all that depends on something else
// has found it.
func (e *evaluator) settle() (*Values, error) {
	todo := e.tasks()
	for len(todo) > 0 {
		var last error
		before := len(todo)
		todo = slices.DeleteFunc(todo, func(task func() error) bool {
			err := task()
			if err != nil {
				last = err
			}
			return err == nil
		})
		if len(todo) == before {
			return nil, fmt.Errorf("evaluate module: %w", last)
		}
		e.ctx.Variables["local"] = cty.ObjectVal(e.locals)
		for kind, byName := range e.resources {
			e.ctx.Variables[kind] = cty.ObjectVal(byName)
		}
	}
	out := &Values{Outputs: map[string]cty.Value{}, Resources: map[string]cty.Value{}}
	for kind, byName := range e.resources {
		for name, v := range byName {
			out.Resources[kind+"."+name] = v
		}
	}
	var failed error
	e.module.each("output", func(b *hclsyntax.Block) {
		v, err := e.value(b.Body.Attributes["value"].Expr, nil)
		if err != nil {
			failed = err
			return
		}
		out.Outputs[b.Labels[0]] = v
	})
	return out, failed
}

func (e *evaluator) tasks() []func() error {
	var todo []func() error
	e.module.each("locals", func(b *hclsyntax.Block) {
		for name, a := range b.Body.Attributes {
			todo = append(todo, func() error {
				v, err := e.value(a.Expr, nil)
				if err == nil {
					e.locals[name] = v
				}
				return err
			})
		}
	})
	e.module.each("resource", func(b *hclsyntax.Block) {
		todo = append(todo, func() error { return e.resource(b) })
	})
	return todo
}

func (e *evaluator) resource(b *hclsyntax.Block) error {
	kind, name := b.Labels[0], b.Labels[1]
	put := func(v cty.Value) {
		if e.resources[kind] == nil {
			e.resources[kind] = map[string]cty.Value{}
		}
		e.resources[kind][name] = v
	}
	count, each := b.Body.Attributes["count"], b.Body.Attributes["for_each"]
	switch {
	case count != nil:
		n, err := e.value(count.Expr, nil)
		if err != nil {
			return err
		}
		size, _ := n.AsBigFloat().Int64()
		list := []cty.Value{}
		for i := range size {
			at := map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(i)})}
			one, err := e.instance(b.Body, kind, name, at)
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		put(cty.TupleVal(list))
	case each != nil:
		set, err := e.value(each.Expr, nil)
		if err != nil {
			return err
		}
		byKey := map[string]cty.Value{}
		for it := set.ElementIterator(); it.Next(); {
			k, v := it.Element()
			if set.Type().IsSetType() {
				k = v
			}
			at := map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
			one, err := e.instance(b.Body, kind, name+"_"+k.AsString(), at)
			if err != nil {
				return err
			}
			byKey[k.AsString()] = one
		}
		put(cty.ObjectVal(byKey))
	default:
		one, err := e.instance(b.Body, kind, name, nil)
		if err != nil {
			return err
		}
		put(one)
	}
	return nil
}

// instance is one resource: what is written, and made-up texts for the rest.
func (e *evaluator) instance(body *hclsyntax.Body, kind, name string, extra map[string]cty.Value) (cty.Value, error) {
	out, err := e.body(body, extra)
	if err != nil {
		return cty.NilVal, err
	}
	for _, attribute := range append(e.schema.Resources[kind].names(), "id") {
		if _, set := out[attribute]; !set {
			out[attribute] = cty.StringVal(kind + "." + name + "." + attribute)
		}
	}
	return cty.ObjectVal(out), nil
}

func (e *evaluator) body(body *hclsyntax.Body, extra map[string]cty.Value) (map[string]cty.Value, error) {
	out := map[string]cty.Value{}
	for name, a := range body.Attributes {
		if slices.Contains(metaArguments, name) {
			continue
		}
		v, err := e.value(a.Expr, extra)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	blocks := map[string][]cty.Value{}
	for _, b := range body.Blocks {
		if b.Type == "dynamic" || b.Type == "lifecycle" {
			continue // no test asks for what a dynamic block makes
		}
		inner, err := e.body(b.Body, extra)
		if err != nil {
			return nil, err
		}
		blocks[b.Type] = append(blocks[b.Type], cty.ObjectVal(inner))
	}
	for name, list := range blocks {
		out[name] = cty.TupleVal(list)
	}
	return out, nil
}

func (e *evaluator) value(expr hcl.Expression, extra map[string]cty.Value) (cty.Value, error) {
	ctx := e.ctx
	if extra != nil {
		ctx = e.ctx.NewChild()
		ctx.Variables = extra
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return v, nil
}

// variables applies defaults and types.
func (e *evaluator) variables(given map[string]cty.Value) (map[string]cty.Value, error) {
	out := map[string]cty.Value{}
	var failed error
	e.module.each("variable", func(b *hclsyntax.Block) {
		name := b.Labels[0]
		kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
		v, ok := given[name]
		if !ok {
			if a := b.Body.Attributes["default"]; a != nil {
				v, diags = a.Expr.Value(nil)
			} else {
				failed = fmt.Errorf("the variable %s has no value", name)
				return
			}
		}
		if defaults != nil {
			v = defaults.Apply(v)
		}
		v, err := convert.Convert(v, kind)
		if diags.HasErrors() || err != nil {
			failed = fmt.Errorf("variable %s: %w%w", name, diags, err)
			return
		}
		out[name] = v
	})
	return out, failed
}

func nested(in map[string]map[string]cty.Value) cty.Value {
	out := map[string]cty.Value{}
	for _, k := range slices.Sorted(maps.Keys(in)) {
		out[k] = cty.ObjectVal(in[k])
	}
	return cty.ObjectVal(out)
}
