package sandbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Probe starts a program that does nothing inside, and tells which walls stood
// around it.
func Probe() ([]Layer, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer null.Close() //nolint:errcheck // nothing was written
	box, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", "exit 0"}, Listen: []int{Port}}, Stdio{Stdout: null, Stderr: null}, syscall.SIGKILL)
	if err != nil {
		return nil, err
	}
	defer box.Close()
	<-box.Done()
	if box.ExitCode() != 0 {
		return nil, errors.New("a program inside failed")
	}
	return box.Layers(), nil
}
