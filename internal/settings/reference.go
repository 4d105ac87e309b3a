package settings

import (
	"fmt"
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
