"""What a guest does to itself before any design code runs: limits, undumpable memory, a bare environment, seeds."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import signal
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

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


def confine(limits: dict[str, int]) -> None:
    """Apply the limits that the backend leaves to the process itself, and close the way to its memory.

    `limits` may hold `memory` and `file` in bytes, `cpu` in seconds, `processes`, and `parent`: the id of the process
    that this one must not outlive.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) failed")
    if "parent" in limits:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != limits["parent"]:  # it died before the signal was asked for
            os._exit(1)
    kinds = {
        "memory": resource.RLIMIT_AS,
        "processes": resource.RLIMIT_NPROC,
        "cpu": resource.RLIMIT_CPU,
        "file": resource.RLIMIT_FSIZE,
    }
    for name, kind in kinds.items():
        if name in limits:
            spare = (
                1 if kind == resource.RLIMIT_CPU else 0
            )  # so that it ends by SIGXCPU, which says why, before SIGKILL
            resource.setrlimit(kind, (limits[name], limits[name] + spare))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in os.environ.keys() - ENVIRONMENT.keys():
        del os.environ[name]


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


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


class _SeedNumpyOnImport(MetaPathFinder, Loader):
    """Lets the ordinary import find `numpy.random` and seeds it right after."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.real: Any = None

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "numpy.random":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None:
            self.real, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self.real.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self.real.exec_module(module)
        _seed_numpy(module, self.seed)
