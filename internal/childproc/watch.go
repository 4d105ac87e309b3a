package childproc

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// watcher waits for the end of its input, which comes when the process that
// holds the other end of the pipe dies. Then it sends the signal $2 to the
// group $1, and kills what is left of it five seconds later.
const watcher = `read -r line
kill -"$2" -"$1"
n=0
while [ "$2" != 9 ] && [ "$n" -lt 50 ] && kill -0 -"$1"; do
	sleep 0.1
	n=$((n + 1))
done
kill -9 -"$1"
`

// watch starts the watcher of a group. The returned function ends it.
func watch(group int, onDeath syscall.Signal) (unwatch func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close() //nolint:errcheck // the watcher holds its own copy
	//nolint:gosec,noctx // G204: numbers of ours; it must outlive every context
	cmd := exec.Command("/bin/sh", "-c", watcher, "sparkwright-watch", strconv.Itoa(group), strconv.Itoa(int(onDeath)))
	cmd.Stdin, cmd.Dir, cmd.Env = r, "/", []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what stops us must not stop it
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("watch over the process group: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill() // before its input ends: the group's id may be another's soon
		_ = cmd.Wait()
		_ = w.Close()
	}, nil
}
