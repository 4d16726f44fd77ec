"""The few system calls that Python 3.11 has no function for, by way of the C library."""

import ctypes
import os
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise OSError with errno when a call returned non-zero."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this thread into new namespaces (a new PID namespace begins with the next child)."""
    checked(libc().unshare(ctypes.c_int(flags)), f"unshare {flags:#x}")


def setns(descriptor: int, kind: int) -> None:
    """Move this thread into the namespace that an open file names."""
    checked(libc().setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str | Path, target: str | Path, kind: str = "none", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    arguments = [os.fsencode(str(each)) for each in (source, target, kind)]
    checked(
        libc().mount(*arguments, ctypes.c_ulong(flags), os.fsencode(options)),
        f"mount {source} on {target} ({kind})",
    )


def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    raw = name.encode()
    checked(libc().sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")
