//go:build !linux

package doctor

import "context"

// localSandbox tells that only Linux has the layers to lock generated code in.
func localSandbox() Check {
	return Check{
		Info: Info{ID: "local.sandbox", Group: "local", Title: "the kernel can lock generated code in", How: "the operating system"},
		Run: func(context.Context) Finding {
			return warn("this system has no sandbox for generated code", "namespaces and Landlock are Linux only", command("run sparkwright serve on Linux, or in a container"))
		},
	}
}
