package doctor

import (
	"context"
	"strings"

	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// localSandbox starts a program in the sandbox and tells which walls stand
// around it.
func localSandbox() Check {
	return Check{
		Info: Info{ID: "local.sandbox", Group: "local", Title: "generated code can be locked in", How: "starts a program in the sandbox, and lists the walls around it"},
		Run: func(context.Context) Finding {
			layers, err := sandbox.Probe()
			if err != nil {
				return fromError(err, "sparkwright doctor --json")
			}
			names := make([]string, 0, len(layers))
			for _, l := range layers {
				names = append(names, string(l))
			}
			return ok(strings.Join(names, ", "))
		},
	}
}
