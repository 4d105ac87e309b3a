package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright/internal/childproc"
)

// insideID is the user and the group that a program has inside.
const insideID = 1000

// Box is a program that runs inside. It is safe for concurrent use.
type Box struct {
	*childproc.Child
	layers    []Layer
	listeners []net.Listener

	mu      sync.Mutex
	control *net.UnixConn
}

// order is what the starting process asks of process 1.
type order struct {
	Spec   *Spec  `json:"spec,omitempty"`
	Extra  int    `json:"extra,omitempty"` // how many files there are from 3 on
	Dial   int    `json:"dial,omitempty"`
	Bind   string `json:"bind,omitempty"`
	Write  bool   `json:"write,omitempty"`
	Unbind string `json:"unbind,omitempty"`
}

// answer is what process 1 says to an order; files come with it.
type answer struct {
	Error  string  `json:"error,omitempty"`
	Errno  int     `json:"errno,omitempty"`
	Layers []Layer `json:"layers,omitempty"`
}

const (
	startTime = 60 * time.Second // for the walls to stand, on a very busy machine
	orderTime = 20 * time.Second
	maxOrder  = 128 << 10
)

// Start runs a program inside. It gets the signal onDeath when this process
// dies. The caller closes its own copies of the files.
func Start(spec Spec, files Stdio, onDeath syscall.Signal) (*Box, error) {
	if !helperReady.Load() {
		return nil, errors.New("this program does not call sandbox.HelperMain")
	}
	spec.Limits = spec.Limits.withDefaults()
	if !spec.has(Environment) {
		spec.Env = append(os.Environ(), spec.Env...)
	}
	spec.CountTasks = spec.CountTasks || os.Geteuid() == 0 && !ownPIDs()
	if spec.Dir == "" {
		spec.Dir = "/tmp"
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close() //nolint:errcheck // the child holds its own copy
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	control := conn.(*net.UnixConn)       //nolint:forcetypeassert // what a Unix socket is
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // our own program; ended by its owner
	cmd.Args = []string{helperName, roleInit, strconv.Itoa(3 + len(files.Extra))}
	cmd.Env = []string{"GOMAXPROCS=2", "GOTRACEBACK=none"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = files.Stdout, files.Stderr
	cmd.ExtraFiles = append(append([]*os.File(nil), files.Extra...), theirs)
	cmd.SysProcAttr = attributes(&spec)
	child, err := childproc.Start(cmd, onDeath)
	if err != nil {
		_ = control.Close()
		return nil, refused("make namespaces", err)
	}
	// The child holds the only other end now: when it dies without an answer,
	// reading ends. A program that is over at once has answered before.
	_ = theirs.Close()
	b := &Box{Child: child, control: control}
	reply, rights, err := b.ask(order{Spec: &spec, Extra: len(files.Extra)}, startTime)
	if err == nil {
		b.layers = reply.Layers
		b.listeners, err = listeners(rights)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	go func() { // an order that waits for its answer ends with the program
		<-child.Done()
		_ = control.Close()
	}()
	return b, nil
}

// attributes make the namespaces. Inside, the user is one without privileges;
// the capabilities that process 1 needs reach no further than the namespaces.
func attributes(spec *Spec) *syscall.SysProcAttr {
	flags := uintptr(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | unix.CLONE_NEWCGROUP)
	for layer, flag := range map[Layer]uintptr{
		Network: syscall.CLONE_NEWNET, Processes: syscall.CLONE_NEWPID, IPC: syscall.CLONE_NEWIPC,
	} {
		if spec.has(layer) {
			flags |= flag
		}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{
			unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_BIND_SERVICE, unix.CAP_SETPCAP, unix.CAP_SYS_CHROOT, unix.CAP_DAC_OVERRIDE,
		},
	}
}

// Layers are the walls that stand.
func (b *Box) Layers() []Layer { return b.layers }

// Listener serves the i-th port of Spec.Listen.
func (b *Box) Listener(i int) net.Listener { return b.listeners[i] }

// Dial connects to a TCP port that the program serves at 127.0.0.1 inside.
func (b *Box) Dial(port int) (net.Conn, error) {
	_, rights, err := b.ask(order{Dial: port}, orderTime)
	if err != nil {
		return nil, err
	}
	conns, err := fromFiles(rights, net.FileConn)
	if err != nil || len(conns) != 1 {
		return nil, fmt.Errorf("take the connection over: %w", errors.Join(err, errWrongFiles))
	}
	return conns[0], nil
}

// Bind lets the program see a path of this machine, at the same path. Write
// works below Spec.Slots only.
func (b *Box) Bind(path string, write bool) error {
	_, _, err := b.ask(order{Bind: path, Write: write}, orderTime)
	return err
}

// Unbind takes a path away again.
func (b *Box) Unbind(path string) error {
	_, _, err := b.ask(order{Unbind: path}, orderTime)
	return err
}

// Close ends everything inside.
func (b *Box) Close() {
	_ = b.control.Close()
	for _, l := range b.listeners {
		_ = l.Close()
	}
	b.Kill()
}

var errWrongFiles = errors.New("not the files that were asked for")

// ask sends an order and waits for its answer.
func (b *Box) ask(o order, limit time.Duration) (answer, []int, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return answer{}, nil, fmt.Errorf("encode: %w", err)
	}
	if len(text) > maxOrder {
		return answer{}, nil, fmt.Errorf("what the sandbox is told is %d bytes long", len(text))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.control.SetDeadline(time.Now().Add(limit))
	if _, err = b.control.Write(text); err != nil {
		return answer{}, nil, fmt.Errorf("the sandbox has ended: %w", err)
	}
	a, rights, err := receive(b.control)
	if err != nil {
		return a, nil, fmt.Errorf("the sandbox has ended: %w", err)
	}
	if a.Error != "" {
		closeAll(rights)
		if o.Spec == nil {
			return a, nil, errors.New(a.Error)
		}
		return a, nil, refused(a.Error, syscall.Errno(a.Errno))
	}
	return a, rights, nil
}

// receive reads one message and the descriptors that come with it.
func receive(conn *net.UnixConn) (a answer, rights []int, err error) {
	buf, oob := make([]byte, maxOrder), make([]byte, unix.CmsgSpace(16*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = errors.New("no answer")
	}
	if err != nil {
		return a, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range messages {
		fds, e := unix.ParseUnixRights(&messages[i])
		rights, err = append(rights, fds...), errors.Join(err, e)
	}
	for _, fd := range rights {
		unix.CloseOnExec(fd)
	}
	if err == nil {
		err = json.Unmarshal(buf[:n], &a)
	}
	if err != nil {
		closeAll(rights)
		return a, nil, err
	}
	return a, rights, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func listeners(fds []int) ([]net.Listener, error) { return fromFiles(fds, net.FileListener) }

// fromFiles turns descriptors into what they are, and closes them.
func fromFiles[T any](fds []int, open func(*os.File) (T, error)) ([]T, error) {
	out := make([]T, 0, len(fds))
	var errs []error
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		v, err := open(f)
		_ = f.Close()
		out, errs = append(out, v), append(errs, err)
	}
	return out, errors.Join(errs...)
}
