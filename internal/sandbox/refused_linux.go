package sandbox

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/sparkwright/sparkwright"
)

// offRemedy ends every remedy: the way without a sandbox is a person's to take.
const offRemedy = "; --sandbox=off runs generated code without it, with all that you can read and reach"

// refused tells why there is no sandbox, and what to enable.
func refused(what string, err error) error {
	e := &sparkwright.Error{
		Code: sparkwright.CodeMissing, Message: "this system does not let generated code be locked in",
		Because: what + ": " + err.Error(), Err: err,
	}
	no, _ := errors.AsType[syscall.Errno](err)
	switch {
	case strings.Contains(what, "Landlock"):
		e.Remedy = "use Linux 5.13 or later with landlock in the kernel's lsm= list"
	case value("/proc/sys/user/max_user_namespaces") == "0":
		e.Remedy = "sudo sysctl -w user.max_user_namespaces=15000"
	case value("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		e.Remedy = "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case positive("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"):
		e.Remedy = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for sparkwright that allows userns"
	case no == syscall.ENOSPC || no == syscall.EUSERS:
		e.Remedy = "raise user.max_user_namespaces, user.max_net_namespaces and their like with sysctl"
	case no == syscall.ENOSYS || no == syscall.EINVAL:
		e.Remedy = "use Linux 5.13 or later with user namespaces"
	case no == syscall.EPERM || no == syscall.EACCES:
		e.Remedy = "in a container, allow user namespaces and an unmasked /proc (docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined)"
	default:
		e.Remedy = "sparkwright doctor tells more"
	}
	e.Remedy += offRemedy
	return e
}

func value(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // G304: fixed paths below /proc
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func positive(path string) bool {
	n, err := strconv.Atoi(value(path))
	return err == nil && n > 0
}
