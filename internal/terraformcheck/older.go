package terraformcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// ProviderSchema is the part of `terraform providers schema -json` that is
// needed to see what an older provider lacks.
type ProviderSchema struct {
	Schemas map[string]struct {
		Resources map[string]struct{ Block providerBlock } `json:"resource_schemas"`
	} `json:"provider_schemas"`
}

type providerBlock struct {
	Attributes map[string]any `json:"attributes"`
	Blocks     map[string]struct {
		Block providerBlock `json:"block"`
	} `json:"block_types"`
}

// ForOlderProvider takes out of the files what a provider does not know yet:
// resource types, blocks, arguments. It returns the rest and what was taken
// out. It is how a module for a newer provider is checked with the one that a
// machine has.
func ForOlderProvider(m *Module, schemaJSON []byte) (files map[string][]byte, newer []string, err error) {
	var schema ProviderSchema
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		return nil, nil, fmt.Errorf("provider schema: %w", err)
	}
	types := map[string]struct{ Block providerBlock }{}
	for name, provider := range schema.Schemas {
		if strings.HasSuffix(name, "hashicorp/aws") {
			types = provider.Resources
		}
	}
	files = map[string][]byte{}
	for name, text := range m.Sources {
		file, diags := hclwrite.ParseConfig(text, name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, nil, diags
		}
		for _, b := range file.Body().Blocks() {
			if b.Type() != "resource" {
				continue
			}
			kind, ok := types[b.Labels()[0]]
			if !ok {
				newer = append(newer, b.Labels()[0])
				file.Body().RemoveBlock(b)
				continue
			}
			newer = append(newer, strip(b.Labels()[0], b.Body(), kind.Block, true)...)
		}
		files[name] = file.Bytes()
	}
	slices.Sort(newer)
	return files, slices.Compact(newer), nil
}

func strip(where string, body *hclwrite.Body, known providerBlock, top bool) []string {
	var newer []string
	for name := range body.Attributes() {
		if _, ok := known.Attributes[name]; !ok && (!top || !slices.Contains(metaArguments, name)) {
			newer = append(newer, where+"."+name)
			body.RemoveAttribute(name)
		}
	}
	for _, b := range body.Blocks() {
		name := b.Type()
		if name == "dynamic" || name == "lifecycle" {
			continue
		}
		inner, ok := known.Blocks[name]
		if !ok {
			newer = append(newer, where+"."+name)
			body.RemoveBlock(b)
			continue
		}
		newer = append(newer, strip(where+"."+name, b.Body(), inner.Block, false)...)
	}
	return newer
}
