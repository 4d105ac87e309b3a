package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Reference is the documentation of every key, as Markdown: docs/settings.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Settings

One file, ` + "`settings.json`" + ` in the data directory (` + "`SPARKWRIGHT_HOME`" + `, else
` + "`~/.local/share/sparkwright`" + `). A value comes from its environment variable, else from the file, else it is the
default. Every error names the exact key. The file is replaced as a whole; keys that Sparkwright does not know are kept
and reported. It never holds a secret, only references: ` + "`env:NAME`, `file:PATH` or `aws-sm:ARN`" + `.

This page is made from the code: ` + "`go test ./internal/settings -update`" + `.
`)
	group := ""
	for _, f := range fields(Default()) {
		name, key, _ := strings.Cut(f.key, ".")
		if name != group {
			group = name
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | environment | meaning |\n|---|---|---|---|\n", group)
		}
		value := fmt.Sprint(f.get())
		if value == "" {
			value = "(empty)"
		} else {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", key, value, f.variable(), strings.ReplaceAll(f.about, "|", `\|`))
	}
	b.WriteString("\n## postgres.connections[]\n\nA list of objects; the first of a name counts.\n\n| key | default | meaning |\n|---|---|---|\n")
	d := defaultConnection()
	for _, f := range connectionFields(&d) {
		value := "(empty)"
		if text := fmt.Sprint(f.get()); text != "" {
			value = "`" + text + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.key, value, f.about)
	}
	return b.String()
}

// Key describes one setting.
type Key struct {
	Name     string // group.name
	Kind     string // text, number or boolean
	Default  any
	About    string // for people, with backquotes around words of code
	Variable string // the environment variable that comes before the file
	Secret   bool   // its value refers to a secret
}

// Keys describes every key with a single value, in the order of the page.
func Keys() []Key {
	var list []Key
	for _, f := range fields(Default()) {
		kind := "text"
		switch f.ptr.(type) {
		case *int:
			kind = "number"
		case *bool:
			kind = "boolean"
		}
		list = append(list, Key{
			Name: f.key, Kind: kind, Default: f.get(), About: f.about, Variable: f.variable(), Secret: slices.Contains(secretKeys(), f.key),
		})
	}
	return list
}
