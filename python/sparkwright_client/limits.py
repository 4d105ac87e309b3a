"""Memory limits of the client process."""

import resource
import sys
from pathlib import Path

# Address space is reserved far beyond what is used (thread stacks, allocator
# arenas), so that limit is a coarse second line behind the one on data.
_RESERVED_BYTES = 2 << 30


def limit_memory(extra_bytes: int) -> None:
    """Let this process grow by extra_bytes more than it uses now.

    A later allocation beyond it raises MemoryError. Linux only; elsewhere the
    kernel does not keep these limits and nothing is done.
    """
    if extra_bytes <= 0 or not sys.platform.startswith("linux"):
        return
    size, data = _in_use()
    _lower(resource.RLIMIT_DATA, data + extra_bytes)
    _lower(resource.RLIMIT_AS, size + extra_bytes + _RESERVED_BYTES)


def _in_use() -> tuple[int, int]:
    kilobytes = {"VmSize": 0, "VmData": 0}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        key, _, rest = line.partition(":")
        if key in kilobytes:
            kilobytes[key] = int(rest.split()[0])
    return kilobytes["VmSize"] << 10, kilobytes["VmData"] << 10


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
