"""What a guest does to itself before any design code runs: limits, undumpable memory, a bare environment, seeds."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

from sandbox.guest import seccomp

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""The variables that a design can see; the same on every backend."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_CAPABILITY_VERSION = 0x20080522
_CAP_DAC_READ_SEARCH = 1 << 2
_DESCRIPTORS = 256

_KINDS = {
    "memory": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "cpu": resource.RLIMIT_CPU,
    "file": resource.RLIMIT_FSIZE,
}


def confine(limits: dict[str, int]) -> None:
    """Apply the limits that the backend leaves to the process itself, and close the way to its memory.

    `limits` may hold `memory` and `file` in bytes, `cpu` in seconds, `processes`, and `parent`: the id of the process
    that this one must not outlive.
    """
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123  pathlib is slow to import
        file.write("1000")  # a machine that runs out of memory takes it from guests first
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # daemons become its children, which `end_strays` ends
    if "parent" in limits:
        die_with_parent()
        if os.getppid() != limits["parent"]:  # it died before the signal was asked for
            os._exit(1)
    for name, kind in _KINDS.items():
        if name in limits:
            spare = int(kind == resource.RLIMIT_CPU)  # so that it ends by SIGXCPU, which says why, before SIGKILL
            resource.setrlimit(kind, (limits[name], limits[name] + spare))
    signal.signal(signal.SIGXCPU, _used_up)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # else an episode could interrupt the supervisor
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    _drop_capabilities()
    seccomp.apply()
    for name in os.environ.keys() - ENVIRONMENT.keys():
        del os.environ[name]


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _used_up(*_: object) -> None:
    """End as the signal would: the kernel spares process 1 of a namespace its default."""
    os._exit(128 + signal.SIGXCPU)


def end_strays(living: Collection[int]) -> None:
    """Kill and collect what a design left running, daemons too: every child of this process but the living ones."""
    while strays := _children() - set(living):
        for pid in strays:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children() -> set[int]:
    found: set[int] = set()
    with suppress(OSError), os.scandir("/proc/self/task") as threads:
        for thread in threads:
            with open(f"{thread.path}/children", "rb") as file:  # noqa: PTH123  pathlib is slow to import
                found.update(map(int, file.read().split()))
    return found


def _drop_capabilities() -> None:
    """Keep of root's rights only that to read files; with the rest a design would lift its limits again."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the lower halves, then the upper ones
    kept = (ctypes.c_uint32 * 6)()
    if libc.capget(header, held) == 0:
        kept[0] = kept[1] = held[1] & _CAP_DAC_READ_SEARCH
        if libc.capset(header, kept) == 0:
            return
    raise OSError(ctypes.get_errno(), "capset failed")


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def seed_everything(seed: int) -> None:
    """Seed the global generators: `random` now, `numpy.random` now or whenever a design first imports it."""
    random.seed(seed)
    loaded = sys.modules.get("numpy.random")
    if loaded is not None:
        _seed_numpy(loaded, seed)
    else:
        sys.meta_path.insert(0, _SeedNumpyOnImport(seed))


def _seed_numpy(module: Any, seed: int) -> None:
    module.seed(seed % 2**32)


class _SeedNumpyOnImport:
    """Lets the ordinary import find `numpy.random` and seeds it right after.

    A finder and a loader by what it can do: importing their base classes would take a tenth of a guest's start.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.real: Any = None

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "numpy.random":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None:
            self.real, spec.loader = spec.loader, cast(Any, self)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self.real.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self.real.exec_module(module)
        _seed_numpy(module, self.seed)
