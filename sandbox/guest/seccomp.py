"""The system calls that a design has no use for, as a filter that the kernel runs before each call of a guest.

What is named is refused: it would load, mount, trace, keep memory outside of any process, or reach another process or
a part of the kernel that has little to do with Python. Of sockets, those pass that a network namespace holds. The guest
puts the filter on itself, so that it is the same on every backend: what an engine brings differs with its version.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP = 22
_BY_FILTER = 2
_PR_SET_NO_NEW_PRIVS = 38

_INSTRUCTION = struct.Struct("=HBBI")
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_LOAD = 0x20
_EQUAL = 0x15
_AT_LEAST = 0x35
_RETURN = 0x06

_NUMBER = 0
_ARCHITECTURE = 4
_FIRST_ARGUMENT = 16
_SOCKET_FAMILIES = (1, 2, 10)  # local, IPv4, IPv6
_X32 = 0x40000000

_NEW = (*range(425, 434), 438, 440, 442, 447)
"""io_uring, the mount calls, pidfd_getfd, process_madvise, mount_setattr, memfd_secret: numbered alike everywhere."""

_MACHINES: dict[str, tuple[int, int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        41,
        {
            "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "memfd_create": 319,
            "ptrace": 101, "personality": 135, "sysfs": 139, "pivot_root": 155, "chroot": 161, "acct": 163,
            "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
            "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
            "lookup_dcookie": 212, "clock_settime": 227, "mbind": 237, "set_mempolicy": 238, "get_mempolicy": 239,
            "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "migrate_pages": 256,
            "unshare": 272, "move_pages": 279, "perf_event_open": 298, "name_to_handle_at": 303,
            "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": (
        0xC00000B7,
        198,
        {
            "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60,
            "acct": 89, "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105,
            "delete_module": 106, "clock_settime": 112, "ptrace": 117, "reboot": 142, "settimeofday": 170,
            "mq_open": 180, "msgget": 186, "semget": 190, "shmget": 194, "memfd_create": 279,
            "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "mbind": 235,
            "get_mempolicy": 236, "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239,
            "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266,
            "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
            "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
        },
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def apply() -> None:
    """Put the filter on this process and all that it will start, for good; nothing on a machine that has none."""
    instructions = program(os.uname().machine)
    if instructions is None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    filtered = _Program(len(instructions) // _INSTRUCTION.size, instructions)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _BY_FILTER, ctypes.byref(filtered), 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({arguments[0]}) failed: the kernel has no seccomp filters")


def program(machine: str) -> bytes | None:
    """The filter's instructions for a machine, or None where its calls are not listed."""
    if machine not in _MACHINES:
        return None
    architecture, socket_call, refused = _MACHINES[machine]
    numbers = [*refused.values(), *_NEW]
    lines = [
        *_unless_equal(_ARCHITECTURE, architecture),
        _line(_LOAD, _NUMBER),
        _line(_AT_LEAST, _X32, 0, 1),
        _line(_RETURN, _REFUSE),
    ]
    for number in numbers:
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _REFUSE)]
    lines += [_line(_EQUAL, socket_call, 1, 0), _line(_RETURN, _ALLOW), _line(_LOAD, _FIRST_ARGUMENT)]
    for family in _SOCKET_FAMILIES:
        lines += [_line(_EQUAL, family, 0, 1), _line(_RETURN, _ALLOW)]
    return b"".join([*lines, _line(_RETURN, _REFUSE)])


def _unless_equal(offset: int, value: int) -> list[bytes]:
    """Refuse every call where the field at `offset` is not `value`."""
    return [_line(_LOAD, offset), _line(_EQUAL, value, 1, 0), _line(_RETURN, _REFUSE)]


def _line(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction of the kernel's packet filter; the jumps count the instructions to skip."""
    return _INSTRUCTION.pack(code, if_true, if_false, operand)
