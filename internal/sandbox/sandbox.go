// Package sandbox runs programs that may be hostile so that they reach nothing
// but what they are given.
//
// A program inside sees a root directory made for it, which holds the system's
// libraries and the paths of its Spec, read-only unless Spec.Write names them;
// processes of its own only; a network that has a loopback device and no way
// out; an environment that is listed. It has no capabilities and gains none;
// Landlock keeps it from writing, making special files or starting programs
// elsewhere; seccomp refuses the calls that it has no use for; limits hold its
// memory, files and processes.
//
// TCP ports come in and out as descriptors: listeners are made inside and
// served by this process (Box.Listener), and connections to ports inside are
// opened inside and handed out (Box.Dial). Nothing is routed.
//
// It works without root by user namespaces, and the same way as root. Where
// the kernel refuses a wall, nothing starts: the error says what to enable.
//
// The program that starts boxes is its own helper: main, and TestMain of tests
// that start boxes, call HelperMain first. The helper stays as process 1 of the
// box; a second one builds the rest of the walls around itself and becomes the
// program.
package sandbox

import (
	"os"
	"slices"
)

// Layer is one of the walls.
type Layer string

// The walls.
const (
	Network      Layer = "network namespace"
	Files        Layer = "mount namespace"
	Processes    Layer = "pid namespace"
	IPC          Layer = "ipc namespace"
	Environment  Layer = "environment allow-list"
	Capabilities Layer = "no capabilities"
	NoNewPrivs   Layer = "no_new_privs"
	Landlock     Layer = "Landlock"
	Seccomp      Layer = "seccomp"
	LimitMemory  Layer = "memory limit"
	LimitFiles   Layer = "file size limit"
	LimitTasks   Layer = "process limit"
)

// Layers are all walls, in the order in which they are told of.
func Layers() []Layer {
	return []Layer{
		Network, Files, Processes, IPC, Environment, Capabilities, NoNewPrivs, Landlock, Seccomp,
		LimitMemory, LimitFiles, LimitTasks,
	}
}

// Spec says what runs inside and what it may reach.
type Spec struct {
	Path string   `json:"path"` // of the program, as it is seen inside
	Args []string `json:"args"` // without the program's name
	Env  []string `json:"env"`  // the whole environment
	Dir  string   `json:"dir"`  // where it starts; "" = /tmp

	Read  []string `json:"read"`  // paths that can be read, and executed from
	Write []string `json:"write"` // directories that can be written
	// Slots are directories below which Bind may make paths writable later.
	Slots []string `json:"slots"`
	Hosts []string `json:"hosts"` // further names of 127.0.0.1
	// Listen are TCP ports that this process serves inside, at every loopback
	// address: Box.Listener.
	Listen []int `json:"listen"`

	Fork      bool   `json:"fork"`      // may start other processes, and speak over Unix sockets
	Datagrams bool   `json:"datagrams"` // may make UDP sockets; Java looks at interfaces by one
	Limits    Limits `json:"limits"`

	// CountTasks has process 1 count the tasks inside, and end all of them when
	// there are more than Limits.Tasks. Start sets it where the kernel cannot hold
	// root to a number.
	CountTasks bool `json:"count_tasks,omitempty"`

	// Without leaves walls out. It is for tests that prove what each is good
	// for; no setting leads to it.
	Without []Layer `json:"without,omitempty"`
}

// Limits bound one program. 0 is the default of each.
type Limits struct {
	Memory   int64 `json:"memory"`    // bytes of data, stacks and heap of one process; default none
	FileSize int64 `json:"file_size"` // bytes of one file; default 64 GiB
	Tasks    int   `json:"tasks"`     // processes and threads; default 1024, least 301
	Scratch  int64 `json:"scratch"`   // bytes of the private /tmp, which is memory; default 256 MiB
}

func (l Limits) withDefaults() Limits {
	if l.FileSize <= 0 {
		l.FileSize = 64 << 30
	}
	if l.Tasks <= 0 {
		l.Tasks = 1024
	}
	l.Tasks = max(l.Tasks, 301)
	if l.Scratch <= 0 {
		l.Scratch = 256 << 20
	}
	return l
}

func (s *Spec) has(l Layer) bool { return !slices.Contains(s.Without, l) }

// Stdio are the files of the program. Extra ones are descriptors 3 and up.
type Stdio struct {
	Stdout, Stderr *os.File
	Extra          []*os.File
}
