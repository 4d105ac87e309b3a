//go:build !linux

package childproc

import "syscall"

func attributes(given *syscall.SysProcAttr, _ syscall.Signal) *syscall.SysProcAttr {
	if given == nil {
		given = &syscall.SysProcAttr{}
	}
	given.Setpgid = true
	return given
}

func lockThread() (unlock func()) { return func() {} }
