"""Attacks of generated code on the sandbox. Each returns what it got, or raises."""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import threading

WORLD = json.loads(sys.argv[1])  # what the test has prepared outside, and where
ONLY = set(sys.argv[2:])  # walls; none = every attack
LIBC = ctypes.CDLL(None, use_errno=True)
ATTACKS = []


def attack(wall):
    def note(function):
        ATTACKS.append((function.__name__, wall, function))
        return function

    return note


def syscall(number, *args):
    """One system call of x86-64; raises what the kernel says."""
    numbers = WORLD["calls"]
    if isinstance(number, str):
        number = numbers[number]
    got = LIBC.syscall(ctypes.c_long(number), *[a if not isinstance(a, int) else ctypes.c_long(a) for a in args])
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return got or True


def connect(family, address, kind=socket.SOCK_STREAM, proto=0):
    with socket.socket(family, kind, proto) as s:
        s.settimeout(3)
        s.connect(address)
        return s.recv(64) or "connected"


def reached(family, address):
    """True also when there was a way and nobody at its end."""
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        code = s.connect_ex(address)
        return code not in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT)


def read(path, size=200):
    with open(path, "rb") as f:
        return f.read(size) or "opened"


def write(path, data=b"x"):
    with open(path, "wb") as f:
        f.write(data)
    return "written"


# --- network ---------------------------------------------------------------


@attack("network namespace")
def tcp_to_the_machine():
    return connect(socket.AF_INET, ("127.0.0.1", WORLD["tcp"]))


@attack("network namespace")
def tcp_to_the_machine_v6():
    return (
        connect(socket.AF_INET6, ("::1", WORLD["tcp6"]))
        if WORLD["tcp6"]
        else connect(socket.AF_INET, ("127.0.0.1", WORLD["tcp"]))
    )


@attack("network namespace")
def tcp_to_any_address():
    return connect(socket.AF_INET, ("0.0.0.0", WORLD["tcp"]))


@attack("network namespace")
def tcp_to_mapped_address():
    return connect(socket.AF_INET6, ("::ffff:127.0.0.1", WORLD["tcp"]))


@attack("")
def metadata():
    return reached(socket.AF_INET, ("169.254.169.254", 80))


@attack("")
def metadata_v6():
    return reached(socket.AF_INET6, ("fd00:ec2::254", 80))


@attack("")
def metadata_of_containers():
    return reached(socket.AF_INET, ("169.254.170.2", 80))


@attack("")
def metadata_of_pods():
    return reached(socket.AF_INET, ("169.254.170.23", 80))


@attack("")
def the_internet():
    return reached(socket.AF_INET, ("8.8.8.8", 53))


@attack("")
def dns():
    return socket.getaddrinfo("example.com", 80)


@attack("")
def the_brokers_port():
    return connect(socket.AF_INET, ("127.0.0.1", 5432))


@attack("")
def the_network_interfaces():
    return [name for _, name in socket.if_nameindex() if name != "lo"]


@attack("")
def fast_open():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        return s.sendto(b"out", 0x20000000, ("127.0.0.1", WORLD["tcp"]))


@attack("")
def fast_open_by_message():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        return s.sendmsg([b"out"], [], 0x20000000, ("127.0.0.1", WORLD["tcp"]))


@attack("seccomp")
def fast_open_by_option():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        return s.setsockopt(socket.IPPROTO_TCP, 30, 1) or True


@attack("seccomp")
def multipath_tcp():
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262 if WORLD["mptcp"] else 0x84).close()
    return True


@attack("seccomp")
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return s.sendto(b"out", ("127.0.0.1", WORLD["udp"]))


@attack("seccomp")
def udp_v6():
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    return True


@attack("")
def raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return True


@attack("")
def ping_socket():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    return True


@attack("")
def packet_socket():
    socket.socket(17, socket.SOCK_RAW, 0x0300).close()
    return True


@attack("seccomp")
def netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
    return True


@attack("")
def vsock():
    socket.socket(40, socket.SOCK_STREAM).close()
    return True


@attack("")
def crypto_socket():
    socket.socket(38, socket.SOCK_SEQPACKET).close()
    return True


@attack("")
def abstract_socket():
    return connect(socket.AF_UNIX, "\0" + WORLD["abstract"])


@attack("")
def socket_of_the_machine():
    return connect(socket.AF_UNIX, WORLD["unix"])


@attack("")
def docker():
    return connect(socket.AF_UNIX, "/var/run/docker.sock")


# --- files -----------------------------------------------------------------


@attack("mount namespace")
def a_secret_file():
    return read(WORLD["secret"])


@attack("mount namespace")
def a_file_of_tmp():
    return read(WORLD["tmp"])


@attack("mount namespace")
def does_it_exist():
    return bool(os.stat(WORLD["secret"]))


@attack("mount namespace")
def make_it_public():
    os.chmod(WORLD["secret"], 0o644)
    return True


@attack("mount namespace")
def results_of_another_run():
    return read(os.path.join(WORLD["other"], "manifest.json"))


@attack("")
def falsify_results_of_another_run():
    return write(os.path.join(WORLD["other"], "manifest.json"))


@attack("")
def the_home():
    return [e for e in os.listdir(WORLD["home"]) if e not in WORLD["shown"]]


@attack("")
def shadow():
    return read("/etc/shadow")


@attack("")
def passwords_of_postgres():
    return read(os.path.expanduser("~/.pgpass"))


@attack("")
def credentials_of_aws():
    return read(os.path.join(WORLD["home"], ".aws/credentials"))


@attack("")
def keys_of_ssh():
    return os.listdir(os.path.join(WORLD["home"], ".ssh"))


@attack("")
def settings_of_sparkwright():
    return read(os.path.join(WORLD["home"], ".sparkwright/settings.json"))


@attack("")
def hosts_of_the_machine():
    return [line for line in open("/etc/hosts") if "127.0.0.1" not in line]


@attack("")
def out_by_the_root_of_a_process():
    return read(os.path.join("/proc/self", "root", "..") + WORLD["secret"])


@attack("")
def out_by_the_root_of_the_first_process():
    return read("/proc/1/root" + WORLD["secret"])


@attack("")
def out_by_its_working_directory():
    return os.listdir("/proc/1/cwd")


@attack("")
def out_by_dots():
    return read("../" * 40 + WORLD["secret"].lstrip("/"))


@attack("")
def out_by_chroot():
    os.chroot("/tmp")
    return True


@attack("seccomp")
def out_by_a_handle():
    handle = ctypes.create_string_buffer(struct.pack("II", 64, 0) + bytes(64))
    syscall("name_to_handle_at", -100, ctypes.c_char_p(b"/tmp"), handle, ctypes.byref(ctypes.c_int()), 0)
    return True


@attack("")
def mount_over():
    return syscall("mount", ctypes.c_char_p(b"none"), ctypes.c_char_p(b"/tmp"), ctypes.c_char_p(b"tmpfs"), 0, None)


@attack("")
def mount_anew():
    return syscall("fsopen", ctypes.c_char_p(b"tmpfs"), 0)


@attack("")
def unmount():
    return syscall("umount2", ctypes.c_char_p(b"/usr"), 2)


@attack("")
def memory_of_the_kernel():
    return read("/proc/kcore")


@attack("")
def memory_of_the_machine():
    return read("/dev/mem")


@attack("")
def disk():
    for name in ("/dev/vda", "/dev/sda", "/dev/nvme0n1"):
        if os.path.exists(name):
            return read(name)
    return None


@attack("")
def log_of_the_kernel():
    return read("/dev/kmsg")


@attack("")
def settings_of_the_kernel():
    return write("/proc/sys/kernel/core_pattern", b"|/tmp/x")


@attack("")
def modules_of_the_kernel():
    return write("/proc/sys/kernel/modprobe", b"/tmp/x")


@attack("")
def magic_keys():
    return write("/proc/sysrq-trigger", b"h")


@attack("")
def devices_of_the_machine():
    return os.listdir("/sys/class")


@attack("")
def control_groups():
    return os.listdir("/sys/fs/cgroup")


@attack("")
def write_the_runtime():
    return write(os.path.join(WORLD["runtime"], "evil.py"))


@attack("")
def write_python():
    return write(os.path.join(os.path.dirname(os.__file__), "evil.py"))


@attack("")
def write_usr():
    return write("/usr/evil")


@attack("")
def write_the_root():
    return write("/evil")


@attack("")
def write_names():
    return write("/etc/hosts")


@attack("")
def make_a_directory_in_the_root():
    os.mkdir("/evil")
    return True


@attack("Landlock")
def link_in_the_results():
    os.symlink("/etc/passwd", os.path.join(WORLD["results"], "link"))
    return True


@attack("Landlock")
def pipe_in_the_results():
    os.mkfifo(os.path.join(WORLD["results"], "pipe"))
    return True


@attack("")
def socket_in_the_results():
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(WORLD["results"], "socket"))
    return True


@attack("")
def device_in_the_results():
    os.mknod(os.path.join(WORLD["results"], "device"), stat.S_IFBLK | 0o600, os.makedev(254, 0))
    return True


@attack("")
def hard_link_in_the_results():
    os.link("/etc/passwd", os.path.join(WORLD["results"], "hard"))
    return True


@attack("Landlock")
def a_program_of_its_own():
    path = "/tmp/program"
    with open("/usr/bin/true", "rb") as f:
        write(path, f.read())
    os.chmod(path, 0o755)
    return would_start(path)


def would_start(path):
    """True when the kernel would start the program."""
    argv = (ctypes.c_char_p * 2)(path.encode(), None)
    # With a bad address for the environment it fails behind the check of rights, and only then.
    if LIBC.execve(ctypes.c_char_p(path.encode()), argv, ctypes.c_void_p(1)) < 0:
        code = ctypes.get_errno()
        if code in (errno.EFAULT,):
            return True
        raise OSError(code, os.strerror(code))
    return True


# --- processes -------------------------------------------------------------


@attack("pid namespace")
def see_a_process_of_the_machine():
    os.kill(WORLD["pid"], 0)
    return True


@attack("")
def environment_of_the_machine():
    return read(f"/proc/{WORLD['pid']}/environ")


@attack("")
def environment_of_the_first_process():
    return read("/proc/1/environ")


@attack("")
def memory_of_the_first_process():
    return read("/proc/1/mem")


@attack("")
def files_of_the_first_process():
    return os.listdir("/proc/1/fd")


@attack("")
def trace_the_first_process():
    return syscall("ptrace", 16, 1, 0, 0)


@attack("")
def read_the_first_process():
    return syscall("process_vm_readv", 1, None, 0, None, 0, 0)


@attack("seccomp")
def fork_bomb():
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return len(children)


@attack("seccomp")
def a_program():
    return subprocess.run(["/usr/bin/id"], capture_output=True, check=True).stdout


@attack("seccomp")
def a_shell():
    return os.system("true") == 0


@attack("process limit")
def thread_bomb():
    go = threading.Event()
    threading.stack_size(64 << 10)
    threads = []
    try:
        for _ in range(WORLD["tasks"] + 50):
            t = threading.Thread(target=go.wait, daemon=True)
            t.start()
            threads.append(t)
        return len(threads)
    finally:
        go.set()
        for t in threads:
            t.join()


@attack("memory limit")
def memory_bomb():
    block = mmap.mmap(-1, WORLD["memory"] + (64 << 20), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.close()
    return True


@attack("file size limit")
def file_bomb():
    with open("/tmp/big", "wb") as f:
        f.seek(WORLD["file_size"])
        f.write(b"x")
    os.unlink("/tmp/big")
    return True


@attack("")
def fill_tmp():
    fd = os.open("/tmp/full", os.O_CREAT | os.O_WRONLY)
    try:
        os.posix_fallocate(fd, 0, WORLD["scratch"] + (1 << 20))
        return True
    finally:
        os.close(fd)
        os.unlink("/tmp/full")


@attack("")
def raise_its_limits():
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


@attack("")
def core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    return True


@attack("ipc namespace")
def shared_memory_of_the_machine():
    got = LIBC.shmget(WORLD["shm"], 0, 0)
    if got < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    return True


@attack("environment allow-list")
def secrets_in_the_environment():
    return os.environ.get("REDTEAM_CANARY")


@attack("")
def credentials_in_the_environment():
    return [k for k in os.environ if k.startswith(("AWS_", "PG", "OPENAI", "SSH_"))]


@attack("")
def files_of_its_starter():
    found = []
    for fd in range(3, 256):
        try:
            found.append((fd, os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            continue
    return [f for f in found if not f[1].startswith(("/dev/", "/proc/"))]


# --- the kernel ------------------------------------------------------------


@attack("no capabilities")
def name_the_machine():
    socket.sethostname("evil")
    return True


@attack("no capabilities")
def capabilities():
    for line in open("/proc/self/status"):
        if line.startswith(("CapEff", "CapPrm", "CapBnd", "CapAmb")) and int(line.split()[1], 16):
            return line
    return None


@attack("no_new_privs")
def privileges_of_programs():
    return LIBC.prctl(39, 0, 0, 0, 0) == 0


@attack("")
def become_root():
    os.setuid(0)
    return True


@attack("")
def other_groups():
    os.setgroups([0])
    return True


@attack("seccomp")
def a_namespace_of_its_own():
    return syscall("unshare", 0x10000000)


@attack("")
def another_namespace():
    with open("/proc/1/ns/net") as f:
        return syscall("setns", f.fileno(), 0)


@attack("seccomp")
def keys_of_the_kernel():
    return syscall("keyctl", 0, -3, 1)


@attack("seccomp")
def make_a_key():
    return syscall("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"evil"), ctypes.c_char_p(b"x"), 1, -3)


@attack("seccomp")
def rings():
    return syscall("io_uring_setup", 1, ctypes.create_string_buffer(256))


@attack("")
def programs_in_the_kernel():
    return syscall("bpf", 0, ctypes.create_string_buffer(128), 128)


@attack("")
def faults_of_pages():
    return syscall("userfaultfd", 0)


@attack("")
def counters():
    return syscall("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0)


@attack("")
def a_module():
    return syscall("init_module", None, 0, ctypes.c_char_p(b""))


@attack("")
def restart_the_machine():
    return syscall("reboot", 0, 0, 0, None)


@attack("")
def swap():
    return syscall("swapon", ctypes.c_char_p(b"/tmp/x"), 0)


@attack("")
def set_the_clock():
    return syscall("settimeofday", ctypes.create_string_buffer(16), None)


@attack("seccomp")
def old_behaviour():
    got = LIBC.personality(ctypes.c_ulong(0x0040000))
    if got < 0:
        raise OSError(ctypes.get_errno(), "personality")
    return True


@attack("")
def type_into_the_terminal():
    return syscall("ioctl", 1, 0x5412, ctypes.c_char_p(b"x"))


def main():
    for name, wall, function in ATTACKS:
        if ONLY and wall not in ONLY:
            continue
        report = {"name": name, "wall": wall, "got": "", "stopped": ""}
        try:
            got = function()
            if got:
                report["got"] = repr(got)[:200]
            else:
                report["stopped"] = "found nothing"
        except BaseException as error:
            report["stopped"] = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(report), flush=True)
    print(json.dumps({"name": "", "wall": "", "got": "", "stopped": "end"}), flush=True)


main()
