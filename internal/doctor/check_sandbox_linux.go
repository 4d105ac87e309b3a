package doctor

import (
	"context"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// localSandbox tells which layers the kernel offers to lock generated code in.
func localSandbox() Check {
	return Check{
		Info: Info{ID: "local.sandbox", Group: "local", Title: "the kernel can lock generated code in", How: "user namespaces, Landlock and seccomp of this kernel"},
		Run: func(context.Context) Finding {
			var have, missing []string
			note := func(name string, there bool) {
				if there {
					have = append(have, name)
				} else {
					missing = append(missing, name)
				}
			}
			note("user namespaces", positive("/proc/sys/user/max_user_namespaces") && !zero("/proc/sys/kernel/unprivileged_userns_clone") && !positive("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
			version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
			note("Landlock", errno == 0 && version > 0)
			status, err := os.ReadFile("/proc/self/status")
			note("seccomp", err == nil && strings.Contains(string(status), "Seccomp:"))
			if len(missing) > 0 {
				return warn("this kernel does not offer "+strings.Join(missing, ", "), "generated code runs with fewer walls around it", command("sudo sysctl -w user.max_user_namespaces=15000"))
			}
			return ok(strings.Join(have, ", "))
		},
	}
}

func number(path string) (int, bool) {
	text, err := os.ReadFile(path) //nolint:gosec // fixed paths below /proc
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}

func positive(path string) bool { n, found := number(path); return found && n > 0 }

func zero(path string) bool { n, found := number(path); return found && n == 0 }
