package childproc

import (
	"runtime"
	"syscall"
)

func attributes(given *syscall.SysProcAttr, onDeath syscall.Signal) *syscall.SysProcAttr {
	if given == nil {
		given = &syscall.SysProcAttr{}
	}
	given.Setpgid, given.Pdeathsig = true, onDeath
	return given
}

func lockThread() (unlock func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
