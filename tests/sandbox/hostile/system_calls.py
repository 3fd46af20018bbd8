"""Calls by number what loads, mounts, traces, or leads into little-used parts of the kernel."""

import ctypes
import errno
import platform

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

REFUSALS = (errno.EPERM, errno.ENOSYS, errno.ENOSPC)
"""The last is what a limit of none on user namespaces gives."""
BUFFER = ctypes.create_string_buffer(256)
X86 = {
    "ptrace": (101, 0, 0, 0, 0), "personality": (135, 8), "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "keyctl": (250, 0, -3, 1), "unshare": (272, 0x10000000), "perf_event_open": (298, BUFFER, 0, -1, -1, 0),
    "setns": (308, 0, 0), "process_vm_readv": (310, 1, BUFFER, 1, BUFFER, 1, 0), "bpf": (321, 0, BUFFER, 72),
    "userfaultfd": (323, 1), "clone into a user namespace": (56, 0x10000011, 0, 0, 0, 0),
}  # fmt: skip
ARM = {
    "ptrace": (117, 0, 0, 0, 0), "personality": (92, 8), "mount": (40, b"none", b"/tmp", b"tmpfs", 0, 0),
    "keyctl": (219, 0, -3, 1), "unshare": (97, 0x10000000), "perf_event_open": (241, BUFFER, 0, -1, -1, 0),
    "setns": (268, 0, 0), "process_vm_readv": (270, 1, BUFFER, 1, BUFFER, 1, 0), "bpf": (280, 0, BUFFER, 72),
    "userfaultfd": (282, 1), "clone into a user namespace": (220, 0x10000011, 0, 0, 0, 0),
}  # fmt: skip
ANYWHERE = {"io_uring_setup": (425, 4, BUFFER), "pidfd_getfd": (438, 0, 0, 0), "mount_setattr": (442, -1, 0, 0, 0, 0)}


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        syscall = ctypes.CDLL(None, use_errno=True).syscall
        found = []
        for name, arguments in {**(X86 if platform.machine() == "x86_64" else ARM), **ANYWHERE}.items():
            if syscall(*arguments) >= 0 or ctypes.get_errno() not in REFUSALS:
                found.append(f"{name}: {errno.errorcode.get(ctypes.get_errno(), 'done')}")
        return Memory(found)
