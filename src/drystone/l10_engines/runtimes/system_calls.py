"""The system calls that a sandbox refuses, as a program for the kernel's filter (seccomp(2)).

A sandbox shares the kernel with everybody. What a service never needs and what has often been a way out, or
reaches what is not divided by namespaces (the keys of its user, the events of the whole machine), is refused:
the same families as in the default profile of containers. All else is allowed, as new calls must not break programs.

The program is classic BPF (bpf(4), kernel Documentation/networking/filter.rst): eight bytes an instruction. It is
made here because a library for it would be more than these few instructions.
"""

from __future__ import annotations

import enum
import errno
import platform
import struct
from collections.abc import Iterator
from typing import Any

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
"""Where things stand in ``struct seccomp_data``; of an argument the lower half, on little-endian machines."""

_X32 = 0x40000000
"""Bit in the numbers of a second set of calls on x86_64, which few kernels have and no service uses."""

_NEW_NAMESPACE = 0x7E020000
"""Flags of clone(2) that ask for a namespace of any kind."""

_SOCKETS = {"unix": 1, "internet": 2, "internet 6": 10, "netlink": 16}
_TERMINAL_INPUT, _TERMINAL_LINUX = 0x5412, 0x541C
"""ioctl(2) requests by which a process types into the terminal of another (TIOCSTI, TIOCLINUX)."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Names of the machines in ``struct seccomp_data`` (linux/audit.h)."""


class Call(enum.Enum):
    """A refused call: its number on x86_64 and on aarch64 (None where there is none), and the error."""

    def __init__(self, x86_64: int, aarch64: int | None, error: int = errno.EPERM) -> None:
        self.x86_64 = x86_64
        self.aarch64 = aarch64
        self.error = error

    # Namespaces and mounts.
    UNSHARE = 272, 97
    SETNS = 308, 268
    MOUNT = 165, 40
    UMOUNT2 = 166, 39
    PIVOT_ROOT = 155, 41
    OPEN_TREE = 428, 428
    MOVE_MOUNT = 429, 429
    FSOPEN = 430, 430
    FSCONFIG = 431, 431
    FSMOUNT = 432, 432
    FSPICK = 433, 433
    MOUNT_SETATTR = 442, 442
    # Other processes.
    PTRACE = 101, 117
    PROCESS_VM_READV = 310, 270
    PROCESS_VM_WRITEV = 311, 271
    KCMP = 312, 272
    PIDFD_GETFD = 438, 438
    # Keys, which belong to a user and not to a namespace.
    ADD_KEY = 248, 217
    REQUEST_KEY = 249, 218
    KEYCTL = 250, 219
    # Programs and events inside the kernel. A missing io_uring is what programs are used to.
    BPF = 321, 280
    PERF_EVENT_OPEN = 298, 241
    USERFAULTFD = 323, 282
    FANOTIFY_INIT = 300, 262
    IO_URING_SETUP = 425, 425, errno.ENOSYS
    IO_URING_ENTER = 426, 426, errno.ENOSYS
    IO_URING_REGISTER = 427, 427, errno.ENOSYS
    # Files by number instead of by a path that the sandbox has.
    NAME_TO_HANDLE_AT = 303, 264
    OPEN_BY_HANDLE_AT = 304, 265
    # The machine itself.
    INIT_MODULE = 175, 105
    DELETE_MODULE = 176, 106
    FINIT_MODULE = 313, 273
    KEXEC_LOAD = 246, 104
    KEXEC_FILE_LOAD = 320, 294
    REBOOT = 169, 142
    SWAPON = 167, 224
    SWAPOFF = 168, 225
    ACCT = 163, 89
    QUOTACTL = 179, 60
    SYSLOG = 103, 116
    SETTIMEOFDAY = 164, 170
    CLOCK_SETTIME = 227, 112
    IOPL = 172, None
    IOPERM = 173, None
    MODIFY_LDT = 154, None


_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_SOCKET = {"x86_64": 41, "aarch64": 198}
_IOCTL = {"x86_64": 16, "aarch64": 29}


def filter_program(machine: str | None = None) -> bytes | None:
    """Return the program for a kind of machine, this one's when omitted; None for one that is not known here."""
    name = machine or platform.machine()
    if name not in _AUDIT:
        return None
    return b"".join(_instructions(name))


def _instructions(machine: str) -> Iterator[bytes]:
    yield _load(_ARCHITECTURE)
    yield from _unless_equal(_AUDIT[machine], _refuse(errno.ENOSYS))
    yield _load(_NUMBER)
    if machine == "x86_64":
        yield from _if(_JUMP_IF_AT_LEAST, _X32, _refuse(errno.ENOSYS))
    for call in Call:
        number = call.x86_64 if machine == "x86_64" else call.aarch64
        if number is not None:
            yield from _if(_JUMP_IF_EQUAL, number, _refuse(call.error))
    # Its flags lie in memory, where no filter sees them; C libraries then take clone (clone(2)).
    yield from _if(_JUMP_IF_EQUAL, _CLONE3, _refuse(errno.ENOSYS))
    yield from _for_argument(
        _CLONE[machine], _FIRST_ARGUMENT, [*_if(_JUMP_IF_SET, _NEW_NAMESPACE, _refuse(errno.EPERM))]
    )
    families = [b for family in _SOCKETS.values() for b in _if(_JUMP_IF_EQUAL, family, _allow())]
    yield from _for_argument(
        _SOCKET[machine], _FIRST_ARGUMENT, [*families, _refuse(errno.EAFNOSUPPORT)]
    )
    requests = (_TERMINAL_INPUT, _TERMINAL_LINUX)
    typing = [b for r in requests for b in _if(_JUMP_IF_EQUAL, r, _refuse(errno.EPERM))]
    yield from _for_argument(_IOCTL[machine], _SECOND_ARGUMENT, typing)
    yield _allow()


def _for_argument(number: int, argument: int, body: list[bytes]) -> Iterator[bytes]:
    """Apply instructions to an argument of one call; what they leave undecided is allowed."""
    inside = [_load(argument), *body, _allow()]
    yield _instruction(_JUMP_IF_EQUAL, number, 0, len(inside))
    yield from inside


def _if(jump: int, value: int, then: bytes) -> Iterator[bytes]:
    yield _instruction(jump, value, 0, 1)
    yield then


def _unless_equal(value: int, then: bytes) -> Iterator[bytes]:
    yield _instruction(_JUMP_IF_EQUAL, value, 1, 0)
    yield then


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _allow() -> bytes:
    return _instruction(_RETURN, _ALLOW)


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, _ERROR | number)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Write a ``struct sock_filter``."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def narrowed(profile: dict[str, Any]) -> dict[str, Any]:
    """Return a container's profile (OCI runtime specification, "seccomp") that refuses these calls as well.

    Args:
        profile: The default one of containers: a list of what is allowed, which holds many of these calls,
            since they do little without capabilities.
    """
    refused = {call.name.lower() for call in Call} | {"clone", "clone3"}
    kept = [
        {**rule, "names": [n for n in rule["names"] if n not in refused]}
        for rule in profile["syscalls"]
    ]
    by_error: dict[int, list[str]] = {errno.ENOSYS: ["clone3"]}
    for call in Call:
        by_error.setdefault(call.error, []).append(call.name.lower())
    ours: list[dict[str, Any]] = [
        {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error}
        for error, names in by_error.items()
    ]
    no_namespace = {"index": 0, "value": _NEW_NAMESPACE, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    ours.append({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [no_namespace]})
    return {**profile, "syscalls": [*(rule for rule in kept if rule["names"]), *ours]}
