package sandbox

import "golang.org/x/sys/unix"

// restrictCalls installs the filter of system calls. It lets through what
// Python and Java use and refuses what is there to administer a machine, to
// look into other processes, or has been the way into kernels. Calls that it
// does not know are let through: the walls around it hold without it.
func restrictCalls(s *Spec) error { return install(filter(s)) }

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// Results.
const (
	pass   = unix.SECCOMP_RET_ALLOW
	kill   = unix.SECCOMP_RET_KILL_PROCESS
	refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	family = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
)

const (
	protoTCP       = 6
	sockTypeMask   = 0xf
	fastOpen       = 0x20000000 // MSG_FASTOPEN
	fastOpenOption = 30         // TCP_FASTOPEN_CONNECT
	newNamespaces  = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
)

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func ret(k uint32) unix.SockFilter { return stmt(unix.BPF_RET|unix.BPF_K, k) }

func jump(code uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | code, K: k, Jt: uint8(yes), Jf: uint8(no)} //nolint:gosec // G115: within a block of a few
}

func load(offset uint32) unix.SockFilter {
	return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

// arg loads the lower half of an argument; the upper halves of those that are
// looked at have no meaning to the kernel.
func arg(n uint32) unix.SockFilter { return load(offArgs + 8*n) }

// when runs the block for one call. The block ends with a result on every way.
func when(number uint32, block ...unix.SockFilter) []unix.SockFilter {
	return append([]unix.SockFilter{jump(unix.BPF_JEQ, number, 0, len(block))}, block...)
}

// any bit of the argument set, or not.
func ifBits(n, bits, set, unset uint32) []unix.SockFilter {
	return []unix.SockFilter{arg(n), jump(unix.BPF_JSET, bits, 0, 1), ret(set), ret(unset)}
}

func ifEqual(n, value, same, other uint32) []unix.SockFilter {
	return []unix.SockFilter{arg(n), jump(unix.BPF_JEQ, value, 0, 1), ret(same), ret(other)}
}

func filter(s *Spec) []unix.SockFilter {
	f := []unix.SockFilter{
		load(offArch), jump(unix.BPF_JEQ, auditArch, 1, 0), ret(kill),
		load(offNumber), jump(unix.BPF_JGE, foreignCalls, 0, 1), ret(absent),
	}
	for _, number := range refusedCalls() {
		f = append(f, when(number, ret(refuse))...)
	}
	f = append(f, when(unix.SYS_CLONE3, ret(absent))...) // its flags cannot be seen; libraries fall back to clone
	if s.Fork {
		f = append(f, when(unix.SYS_CLONE, ifBits(0, newNamespaces, refuse, pass)...)...)
	} else {
		for _, number := range forkCalls() {
			f = append(f, when(number, ret(refuse))...)
		}
		f = append(f, when(unix.SYS_CLONE, ifBits(0, unix.CLONE_THREAD, pass, refuse)...)...)
	}
	f = append(f, when(unix.SYS_SOCKET, sockets(s)...)...)
	f = append(f, when(unix.SYS_SENDTO, ifBits(3, fastOpen, refuse, pass)...)...)
	f = append(f, when(unix.SYS_SENDMSG, ifBits(2, fastOpen, refuse, pass)...)...)
	f = append(f, when(unix.SYS_SENDMMSG, ifBits(3, fastOpen, refuse, pass)...)...)
	f = append(f, when(unix.SYS_SETSOCKOPT,
		arg(1), jump(unix.BPF_JEQ, protoTCP, 0, 3), arg(2), jump(unix.BPF_JEQ, fastOpenOption, 0, 1), ret(refuse), ret(pass))...)
	f = append(f, when(unix.SYS_IOCTL,
		arg(1), jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1), ret(refuse), ret(pass))...)
	f = append(f, when(unix.SYS_PERSONALITY, ifEqual(0, 0, pass, refuse)...)...)
	return append(f, ret(pass))
}

// sockets are TCP; UDP and Unix sockets where the Spec has a use for them.
// Netlink, packets, Multipath TCP, vsock and all others are refused.
func sockets(s *Spec) []unix.SockFilter {
	unixDomain, datagrams := family, refuse
	if s.Fork {
		unixDomain = pass
	}
	if s.Datagrams {
		datagrams = pass
	}
	return []unix.SockFilter{
		arg(0),
		jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 1), ret(unixDomain),
		jump(unix.BPF_JEQ, unix.AF_INET, 2, 0), jump(unix.BPF_JEQ, unix.AF_INET6, 1, 0), ret(family),
		arg(1), stmt(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, sockTypeMask),
		jump(unix.BPF_JEQ, unix.SOCK_STREAM, 2, 0), jump(unix.BPF_JEQ, unix.SOCK_DGRAM, 0, 5), ret(datagrams),
		arg(2), jump(unix.BPF_JEQ, 0, 1, 0), jump(unix.BPF_JEQ, protoTCP, 0, 1), ret(pass), ret(refuse),
	}
}

// refusedCalls are refused whatever their arguments.
func refusedCalls() []uint32 {
	return append(archCalls(),
		// other processes
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
		// mounts and namespaces
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN,
		unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_SETNS, unix.SYS_UNSHARE,
		// keys, files by handle, the kernel's own machinery
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
		unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_MEMFD_SECRET,
		// the machine
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
		unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
		unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
	)
}
