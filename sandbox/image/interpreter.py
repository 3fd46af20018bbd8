"""Copies the running interpreter, its standard library, wheels, and the shared libraries that they need into a root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

_LEFT_OUT = (
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
)
_LEFT_OUT_PATTERNS = ("config-*", "pydoc_data", "*.opt-1.pyc", "*.opt-2.pyc", "*.exe")
_EXTENSIONS_LEFT_OUT = (
    "_tkinter*",
    "nis.*",
    "readline*",
    "_curses*",
    "_dbm*",
    "_gdbm*",
    "ossaudiodev*",
    "_test*",
    "*xx*",
)
_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")


def copy(root: Path, python: str) -> None:
    """Put the interpreter at `python` inside `root`, with its standard library where it will look for it."""
    binary = Path(os.path.realpath(sys.executable))
    target = root / python.lstrip("/")
    target.parent.mkdir(parents=True)
    shutil.copy2(binary, target)
    library = root / "usr" / sys.platlibdir / f"python{sys.version_info.major}.{sys.version_info.minor}"
    ignore = shutil.ignore_patterns(*_LEFT_OUT, *_LEFT_OUT_PATTERNS, *_EXTENSIONS_LEFT_OUT)
    for kind in dict.fromkeys(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")):
        source = _base_path(kind)
        shutil.copytree(source, library, ignore=ignore, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    copy_libraries(root, [binary, *library.rglob("*.so")])


def _base_path(path: str) -> Path:
    """A standard library's folder as the base interpreter knows it, also from inside a virtual environment."""
    return Path(sys.base_prefix) / Path(path).relative_to(sys.prefix) if path.startswith(sys.prefix) else Path(path)


def copy_wheel(name: str, target: Path) -> None:
    """Copy an installed distribution's files, without its tests and scripts."""
    installed = distribution(name)
    for file in installed.files or ():
        if file.parts[0] == ".." or "tests" in file.parts or "__pycache__" in file.parts:
            continue
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(str(installed.locate_file(file))), destination)


def copy_libraries(root: Path, binaries: Iterable[Path]) -> None:
    """Copy what `ldd` finds for these files.

    The loader goes to its own path, the rest beside the C library, where the loader looks without being told.
    """
    found = _shared_libraries(binaries)
    if not found:
        return
    libc = next(path for path in found if path.name.startswith("libc."))
    for path in found:
        inside = path if path.name.startswith("ld-") else libc.parent / path.name
        target = root / str(inside).lstrip("/")
        if not target.exists() and not path.is_relative_to(root):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _shared_libraries(binaries: Iterable[Path]) -> list[Path]:
    listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    return sorted({Path(path) for path in _LIBRARY.findall(listed)})
