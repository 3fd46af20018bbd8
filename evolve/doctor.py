"""What this machine has and lacks for evolving designs, each lack with the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from evolve.errors import InputError
from evolve.llm import keys, local
from evolve.llm.base import ModelAwayError
from sandbox import backends
from sandbox.backend import HAZARDS
from sandbox.cache import cache_folder

GIB = 1024**3
MIN_PYTHON = (3, 11)
MIN_MEMORY = 2 * GIB
MIN_DISK = 2 * GIB
PACKAGES = ("textworld", "ray", "wordllama")
REINSTALL = "make clean setup"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `detail` says what is there, or what is wrong; `remedy` is empty where all is well.

    Without what is `needed` nothing runs; a lack of the rest makes runs slower, or less safe.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def diagnose() -> list[Finding]:
    """Look at everything, cheapest first. Takes some seconds, because engines and compilers are really started."""
    return [check() for check in _CHECKS]


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(finding.ok for finding in findings if finding.needed)


def check_python() -> Finding:
    """The version of the running interpreter."""
    wanted = ".".join(map(str, MIN_PYTHON))
    ok = sys.version_info >= MIN_PYTHON
    version = ".".join(map(str, sys.version_info[:3]))
    return _finding(
        "python", ok, version, f"install Python {wanted} or newer, then: make clean setup PYTHON=python{wanted}"
    )


def check_compiler() -> Finding:
    """A C compiler with the C library's headers: set-up builds one dependency from source."""
    command = ["cc", "-x", "c", "-E", "-include", "stdio.h", os.devnull]
    reason = _failure_of(command)
    detail = reason or shutil.which("cc") or "cc"
    return _finding("compiler", reason is None, detail, "apt-get install gcc libc6-dev", needed=False)


def check_processors() -> Finding:
    """The processors that this process may use."""
    count = len(os.sched_getaffinity(0))
    remedy = "give this machine a second processor: with one, games and search take turns"
    return _finding("processors", count > 1, str(count), remedy, needed=False)


def check_memory() -> Finding:
    """Memory that is free for this process, also within a container's limit."""
    free = min(_free_memory(), _free_in_control_group())
    remedy = f"free memory up to {_gib(MIN_MEMORY)}, or run with fewer workers"
    return _finding("memory", free >= MIN_MEMORY, f"{_gib(free)} free", remedy, needed=False)


def check_cache() -> Finding:
    """The folder of games and sandbox roots: it can be written, and there is space."""
    remedy = "name a folder with space that you may write: export PALIMPSEST_CACHE=FOLDER"
    try:
        folder = cache_folder()
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("cache", False, str(error), remedy)
    return _finding("cache", free >= MIN_DISK, f"{folder}, {_gib(free)} free", remedy)


def check_sandbox(name: str) -> Finding:
    """Whether a backend can start guests, as the backend itself finds out, and what it leaves open."""
    backend = backends.make(name)
    try:
        reason = backend.available()
    except OSError as error:  # the guest's root could not be made
        reason = str(error)
    if reason is None:
        open_hazards = ", ".join(sorted(HAZARDS - backend.isolates))
        detail = f"runs; does not isolate: {open_hazards}" if open_hazards else "runs; isolates everything"
        return Finding(f"sandbox {name}", True, detail, needed=False)
    detail, _, remedy = reason.replace("on Debian: ", "").partition("; ")
    if name == "docker" and shutil.which("dockerd") is None:
        remedy = "apt-get install docker.io"
    return Finding(f"sandbox {name}", False, detail, remedy, needed=False)


def check_runsc() -> Finding:
    """gVisor's runtime, which `--runtime runsc` takes; one of the engine's own does without."""
    reason = backends.make("docker", runtime="runsc").available()
    if reason is None:
        return Finding("runtime runsc", True, "the Docker engine has it", needed=False)
    remedy = "apt-get install runsc, and name it under `runtimes` in the engine's daemon.json"
    return Finding("runtime runsc", False, reason.partition(";")[0], remedy, needed=False)


def check_package(name: str) -> Finding:
    """An installed package that also loads: wheels may be built for another machine."""
    try:
        import_module(name)
    except (ImportError, OSError) as error:
        return Finding(name, False, f"can not be imported: {error}", REINSTALL)
    return Finding(name, True, metadata.version(name))


def check_game_compilers() -> Finding:
    """The two compilers that TextWorld brings along, as programs for this processor."""
    try:
        folder = Path(str(files("textworld"))) / "thirdparty/inform7-6M62/share/inform7/Compilers"
    except ModuleNotFoundError as error:
        return Finding("game compilers", False, str(error), REINSTALL)
    reasons = [f"{name}: {reason}" for name in ("ni", "inform6") if (reason := _failure_of([str(folder / name)]))]
    remedy = f"they are programs for x86-64 Linux; on such a machine: {REINSTALL}"
    return _finding("game compilers", not reasons, "; ".join(reasons) or "ni and inform6 run", remedy)


def check_model_keys() -> Finding:
    """Keys of language models' providers; only their names are told."""
    found = [name for name in keys.NAMES if keys.find(name)]
    remedy = f"for models of OpenAI or Anthropic set {keys.OPENAI} or {keys.ANTHROPIC} in the environment or in .env"
    return _finding("model keys", bool(found), ", ".join(found) or "none", remedy, needed=False)


def check_local_model() -> Finding:
    """Whether a language model runs on this machine: its server is really started."""
    try:
        weights = local.shipped()
        if find_spec(local.RUNTIME) is None:
            return Finding("local model", False, "llama.cpp is not installed", local.INSTALL, needed=False)
        local.Server(weights).close()
    except InputError as error:
        return Finding("local model", False, str(error).partition(":")[0], local.INSTALL, needed=False)
    except (ModelAwayError, OSError) as error:
        return Finding(
            "local model", False, str(error), f"{local.INSTALL}, or a machine with more memory", needed=False
        )
    return Finding("local model", True, f"{weights.stem} runs", needed=False)


_CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_compiler,
    check_processors,
    check_memory,
    check_cache,
    *(partial(check_sandbox, name) for name in backends.BACKENDS),
    check_runsc,
    *(partial(check_package, name) for name in PACKAGES),
    check_game_compilers,
    check_model_keys,
    check_local_model,
)


def _finding(name: str, ok: bool, detail: str, remedy: str, *, needed: bool = True) -> Finding:
    return Finding(name, ok, detail, "" if ok else remedy, needed)


def _failure_of(command: Sequence[str]) -> str | None:
    """None where the command runs and ends well, else why not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _free_in_control_group() -> int:
    """What a container's limit leaves, where there is one (version 2 of control groups, then version 1)."""
    root = Path("/sys/fs/cgroup")
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return int((root / limit).read_text()) - int((root / usage).read_text())
        except (OSError, ValueError):  # no such version here, or "max"
            continue
    return sys.maxsize


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
