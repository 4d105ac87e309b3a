package terraformcheck

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Schema is the reduced schema of a provider.
type Schema struct {
	Provider      string           `json:"provider"` // version
	Resources     map[string]Block `json:"resources"`
	Data          map[string]Block `json:"data"`
	ProviderBlock Block            `json:"provider_block"`
}

// Block is what may stand in a resource or a nested block. An argument's type
// ends in "!" when it is required.
type Block struct {
	Attributes map[string]string `json:"attributes"`
	Blocks     map[string]Block  `json:"blocks"`
	Computed   []string          `json:"computed"` // can be referred to, not set
	Max        int               `json:"max"`      // 0 = any number
	Required   bool              `json:"required"`
}

// LoadSchema reads the file that reduce.py writes.
func LoadSchema(path string) (*Schema, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	var s Schema
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read schema %s: %w", path, err)
	}
	return &s, nil
}

// known reports whether something in the block can be referred to by name.
func (b Block) known(name string) bool {
	_, attribute := b.Attributes[name]
	_, block := b.Blocks[name]
	return attribute || block || name == "id" || slices.Contains(b.Computed, name)
}

// nearest is the known name that differs least, for a hint; "" when none is near.
func (b Block) nearest(name string) string {
	best, least := "", 4
	for _, have := range b.names() {
		d := distance(name, have)
		if strings.HasPrefix(have, name) {
			d = 1
		}
		if d < least {
			best, least = have, d
		}
	}
	return best
}

func (b Block) names() []string {
	out := slices.Clone(b.Computed)
	for n := range b.Attributes {
		out = append(out, n)
	}
	for n := range b.Blocks {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// distance is the number of letters to change, add or take away.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func hint(name string) string {
	if name == "" {
		return ""
	}
	return strings.Join([]string{"; did you mean ", name, "?"}, "")
}
