package codegen

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
)

// FuzzReply: whatever a model says is an analysis, a refusal or an error; it is
// read in one pass, and nothing is both.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"```python\n# understood: All.\nresult = spark.table('t')\n```", "~~~~\nresult = 1\n~~~~", "```python\nresult = 1", "<think>\n```\nresult = 1\n```\n</think>",
		"# cannot: no such table", "```python\n```", "", "\r\n\r\n```\r\nresult=1\r\n```", strings.Repeat("```\n", 5000), strings.Repeat("# assumption: x\n", 1000),
		"```python\nresult = '\x00\x1b[31m'\n```", "\xff\xfe", "```python\n# understood: " + strings.Repeat("x", 10000) + "\nresult = 1\n```",
		"</think></think><think>", "declined: \u202e", "```python\n# assumption:\n# assumption: a\nresult = 2\n```\ntrailing",
	} {
		f.Add(seed)
	}
	catalog := &sparkwright.Catalog{Tables: []sparkwright.Table{{Connection: "c", Schema: "s", Name: "t", View: "t"}}}
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := parse(text, catalog)
		if err != nil {
			if reply != nil {
				t.Errorf("a reply and an error: %+v, %v", reply, err)
			}
			return
		}
		if (reply.Analysis == nil) == (reply.Declined == nil) {
			t.Errorf("neither or both: %+v", reply)
		}
		if a := reply.Analysis; a != nil && utf8.ValidString(text) && (strings.TrimSpace(a.Code) == "" || len(a.Code) > len(text)+1) {
			t.Errorf("%d bytes of code of %d bytes of reply", len(a.Code), len(text))
		}
	})
}
