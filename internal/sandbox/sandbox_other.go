//go:build !linux

package sandbox

import (
	"net"
	"syscall"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
)

// HelperMain does nothing: only Linux has the walls.
func HelperMain() {}

// Box is a program that runs inside; here there are none.
type Box struct{ *childproc.Child }

// Start tells that there is no sandbox here.
func Start(Spec, Stdio, syscall.Signal) (*Box, error) {
	return nil, &sparkwright.Error{
		Code: sparkwright.CodeMissing, Message: "this system cannot lock generated code in", Because: "namespaces, Landlock and seccomp are Linux only",
		Remedy: "use Linux, or a container of it; --sandbox=off runs generated code without it, with all that you can read and reach",
	}
}

// Layers are the walls that stand.
func (b *Box) Layers() []Layer { return nil }

// Listener serves the i-th port of Spec.Listen.
func (b *Box) Listener(int) net.Listener { return nil }

// Dial connects to a port inside.
func (b *Box) Dial(int) (net.Conn, error) { return nil, net.ErrClosed }

// Bind shows a path inside.
func (b *Box) Bind(string, bool) error { return net.ErrClosed }

// Unbind takes a path away.
func (b *Box) Unbind(string) error { return net.ErrClosed }

// Close ends everything inside.
func (b *Box) Close() {}
