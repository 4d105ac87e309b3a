package terraformcheck

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Module is the parsed files of one directory.
type Module struct {
	Dir     string
	Sources map[string][]byte // by file name
	blocks  []*hclsyntax.Block
}

// Load parses every .tf file of a directory.
func Load(dir string) (*Module, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no Terraform files in %s (%w)", dir, err)
	}
	sources := map[string][]byte{}
	for _, path := range paths {
		if sources[filepath.Base(path)], err = os.ReadFile(path); err != nil { //nolint:gosec // files of this repository
			return nil, fmt.Errorf("read module: %w", err)
		}
	}
	return Parse(dir, sources)
}

// Parse makes a module of file contents; dir is where templates are.
func Parse(dir string, sources map[string][]byte) (*Module, error) {
	m := &Module{Dir: dir, Sources: sources}
	for name, text := range sources {
		file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, fmt.Errorf("parse module: %w", diags)
		}
		m.blocks = append(m.blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	return m, nil
}

// each calls f for every top-level block of a type.
func (m *Module) each(kind string, f func(*hclsyntax.Block)) {
	for _, b := range m.blocks {
		if b.Type == kind {
			f(b)
		}
	}
}

// Variables names the variables of the module, and those without a default.
func (m *Module) Variables() (all map[string]bool, required []string) {
	all = map[string]bool{}
	m.each("variable", func(b *hclsyntax.Block) {
		all[b.Labels[0]] = true
		if b.Body.Attributes["default"] == nil {
			required = append(required, b.Labels[0])
		}
	})
	return all, required
}

// ModuleCalls names the arguments of every module block.
func (m *Module) ModuleCalls() map[string][]string {
	out := map[string][]string{}
	m.each("module", func(b *hclsyntax.Block) {
		for name := range b.Body.Attributes {
			out[b.Labels[0]] = append(out[b.Labels[0]], name)
		}
	})
	return out
}
