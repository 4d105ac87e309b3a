package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The helper is this program, started anew with another name and a role.
const (
	helperName  = "sparkwright-sandbox"
	roleInit    = "init"    // process 1 of the box
	rolePayload = "payload" // becomes the program
	usage       = 2
	hostName    = "sandbox"
)

// helperReady says that this program can be its own helper. Without it, a
// test binary that starts a box would run its tests again, inside.
var helperReady atomic.Bool

// HelperMain must be called first in main, and in TestMain of tests that start
// boxes. In a process that was started as a helper it does not return.
func HelperMain() {
	helperReady.Store(true)
	if len(os.Args) != 3 || os.Args[0] != helperName {
		return
	}
	runtime.LockOSThread() // walls are of a thread until it becomes the program
	fd, err := strconv.Atoi(os.Args[2])
	if err != nil {
		os.Exit(usage)
	}
	switch os.Args[1] {
	case roleInit:
		os.Exit(initMain(fd))
	case rolePayload:
		os.Exit(payloadMain(fd))
	}
	os.Exit(usage)
}

// wallError is a wall that could not be built.
type wallError struct {
	what string
	err  error
}

func (e *wallError) Error() string { return e.what + ": " + e.err.Error() }

func (e *wallError) Unwrap() error { return e.err }

func wall(what string, err error) error {
	if err == nil {
		return nil
	}
	return &wallError{what, err}
}

// initMain is process 1: it builds the root directory and the network, starts
// the program, carries out orders and collects what ends. With it the kernel
// ends everything inside.
func initMain(fd int) int {
	// What our starter has inherited from its own is not the program's.
	if err := unix.CloseRange(uint(fd), ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return usage
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // its memory and files are nobody's inside
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	control, err := controlConn(fd)
	if err != nil {
		return usage
	}
	var o order
	if err = hear(control, &o); err != nil || o.Spec == nil {
		return usage
	}
	b := &builder{spec: o.Spec}
	files, pid, err := b.build(o.Extra)
	if err != nil {
		say(control, answer{Error: err.Error(), Errno: errnoOf(err)}, nil)
		return 1
	}
	say(control, answer{Layers: standing(o.Spec)}, files)
	ended := forwardSignals(pid)
	go serveOrders(control, b)
	go countTasks(b.spec)
	return collect(pid, ended)
}

func errnoOf(err error) int {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return int(no)
	}
	return 0
}

func standing(s *Spec) (out []Layer) {
	for _, l := range Layers() {
		if s.has(l) {
			out = append(out, l)
		}
	}
	return out
}

func controlConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "control")
	conn, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a Unix socket")
	}
	return u, nil
}

func hear(conn *net.UnixConn, o *order) error {
	buf := make([]byte, maxOrder)
	n, err := conn.Read(buf)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(buf[:n], o)
}

// say answers, with descriptors that are closed here afterwards.
func say(conn *net.UnixConn, a answer, files []*os.File) {
	text, err := json.Marshal(a)
	if err != nil {
		text = []byte(`{"error":"encode"}`)
	}
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	_, _, _ = conn.WriteMsgUnix(text, oob, nil) // who started us may have gone
	for _, f := range files {
		_ = f.Close()
	}
}

// serveOrders ends with the connection: then the one who gives orders is gone,
// and so everything inside.
func serveOrders(control *net.UnixConn, b *builder) {
	for {
		var o order
		if err := hear(control, &o); err != nil {
			os.Exit(1)
		}
		var a answer
		var files []*os.File
		var err error
		switch {
		case o.Dial > 0:
			files, err = dialInside(o.Dial)
		case o.Bind != "":
			err = b.bindLate(o.Bind, o.Write)
		case o.Unbind != "":
			err = b.unbind(o.Unbind)
		}
		if err != nil {
			a.Error = err.Error()
		}
		say(control, a, files)
	}
}

func dialInside(port int) ([]*os.File, error) {
	d := net.Dialer{Timeout: orderTime / 2}
	conn, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()                   //nolint:errcheck // what is handed out is a copy
	f, err := conn.(*net.TCPConn).File() //nolint:forcetypeassert // what tcp gives
	return []*os.File{f}, err
}

// endGrace is how long a program that was asked to end may take.
const endGrace = 6 * time.Second

// forwardSignals passes a request to end on, and ends the box when it is not
// followed.
func forwardSignals(pid int) <-chan struct{} {
	late := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		_ = syscall.Kill(pid, syscall.SIGTERM)
		time.AfterFunc(endGrace, func() { close(late) })
	}()
	return late
}

// collect waits for every process that ends inside, and returns the exit code
// of the program.
func collect(pid int, late <-chan struct{}) int {
	code := make(chan int, 1)
	go func() {
		for {
			var status unix.WaitStatus
			got, err := unix.Wait4(-1, &status, 0, nil)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				code <- 1
				return
			case got == pid && status.Exited():
				code <- status.ExitStatus()
				return
			case got == pid && status.Signaled():
				code <- 128 + int(status.Signal())
				return
			}
		}
	}()
	select {
	case c := <-code:
		return c
	case <-late:
		return 128 + int(syscall.SIGKILL)
	}
}

// build makes everything and starts the program. The files are the listeners.
func (b *builder) build(extra int) (files []*os.File, pid int, err error) {
	if b.spec.has(Network) {
		if err = loopbackUp(); err != nil {
			return nil, 0, wall("start the loopback device", err)
		}
	}
	if err = unix.Sethostname([]byte(hostName)); err != nil {
		return nil, 0, wall("name the host", err)
	}
	for _, port := range b.spec.Listen {
		host := "0.0.0.0" // every 127.x.y.z; there is no other device
		if !b.spec.has(Network) {
			host = "127.0.0.1"
		}
		l, e := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // of a network without a way in
		if e != nil {
			return nil, 0, wall("listen inside", e)
		}
		f, e := l.(*net.TCPListener).File() //nolint:forcetypeassert // what tcp gives
		_ = l.Close()
		if e != nil {
			return nil, 0, wall("listen inside", e)
		}
		files = append(files, f)
	}
	if b.spec.has(LimitTasks) {
		if err = limitTasks(b.spec); err != nil {
			return nil, 0, err
		}
	}
	if err = b.root(); err != nil {
		return nil, 0, err
	}
	pid, err = b.startPayload(extra)
	return files, pid, err
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// startPayload starts the second helper in a mount namespace of its own, and
// returns when it has become the program.
func (b *builder) startPayload(extra int) (int, error) {
	specR, specW, err1 := os.Pipe()
	statusR, statusW, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	defer statusR.Close() //nolint:errcheck // read only
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for i := range extra {
		files = append(files, os.NewFile(uintptr(3+i), "extra"))
	}
	proc, err := os.StartProcess("/proc/self/exe", []string{helperName, rolePayload, strconv.Itoa(3 + extra)}, &os.ProcAttr{
		Env: []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}, Dir: "/", Files: append(files, specR, statusW),
		Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_CHROOT, unix.CAP_DAC_OVERRIDE}},
	})
	_, _ = specR.Close(), statusW.Close()
	if err != nil {
		return 0, wall("start the program's process", err)
	}
	for _, f := range files[3:] {
		_ = f.Close()
	}
	err = json.NewEncoder(specW).Encode(b.spec)
	_ = specW.Close()
	if err != nil {
		return 0, fmt.Errorf("tell the program's process: %w", err)
	}
	var failed answer
	text, err := io.ReadAll(statusR)
	if err == nil && len(text) > 0 && json.Unmarshal(text, &failed) == nil {
		err = &wallError{failed.Error, syscall.Errno(failed.Errno)}
	}
	return proc.Pid, err
}
