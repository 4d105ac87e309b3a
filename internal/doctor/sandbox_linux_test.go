package doctor_test

import (
	"context"
	"encoding/json"
	"os"
	osexec "os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// withoutNamespaces is the environment variable by which this program looks,
// as a process that may make no namespaces, whether it can lock code in.
const withoutNamespaces = "DOCTOR_TEST_WITHOUT_NAMESPACES"

func init() { //nolint:gochecknoinits // TestMain is the same for every system
	if os.Getenv(withoutNamespaces) == "" {
		return
	}
	// The limit holds in the user namespace that this process is in.
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0o600); err != nil {
		panic(err)
	}
	os.Args = os.Args[:1]
	locked = func() {
		checks := doctor.Only(doctor.Checks(doctor.Config{Settings: settings.Default(), Now: time.Now}), "local.sandbox")
		_ = json.NewEncoder(os.Stdout).Encode(doctor.Run(context.Background(), checks))
		os.Exit(0)
	}
}

// The sandbox's fault: a system that lets nobody make namespaces.
func TestFaultOfSandbox(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), withoutNamespaces+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r doctor.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := wantOnly(t, &r, "local.sandbox", doctor.Fail)
	t.Log(f.Message, f.Because, f.Fixes)
}
