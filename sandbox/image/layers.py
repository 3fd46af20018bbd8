"""Two folders, each kept under the hash of its contents: the interpreter with its wheels, and the guest package.

The first takes seconds and changes with the Python version or a wheel; the second takes milliseconds and changes with
the guest's sources. Both are written under a temporary name and renamed, so that two processes may make them at once.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from sandbox import guest
from sandbox.cache import cache_folder
from sandbox.image import interpreter

BUILDER_VERSION = "1"
WHEELS = ("numpy", "networkx")
GUEST_PATH = "/opt/palimpsest"
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"


@cache
def interpreter_root() -> Path:
    """The root folder: Python, its libraries and the wheels, everything that design code can import but our own."""
    parts = [BUILDER_VERSION, sys.version, platform.machine(), sys.platlibdir, os.path.realpath(sys.executable)]
    parts += [f"{name}=={version(name)}" for name in WHEELS]
    return _made("root", _key(part.encode() for part in parts), _fill_root)


@cache
def guest_layer() -> Path:
    """The folder that holds `sandbox/guest` and nothing else of ours; it lies at `GUEST_PATH` inside."""
    sources = sorted(Path(guest.__file__).parent.glob("*.py"))
    parts = [BUILDER_VERSION.encode(), sys.version.encode()]
    parts += [each.name.encode() + b"\0" + each.read_bytes() for each in sources]
    return _made("guest", _key(parts), lambda folder: _fill_guest(folder, sources))


def _key(parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:  # type: ignore[attr-defined]
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _made(kind: str, key: str, fill: Callable[[Path], None]) -> Path:
    """The folder of this key, made if it is not there yet."""
    folder = cache_folder() / f"{kind}-{key}"
    if folder.exists():
        return folder
    draft = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=folder.parent))
    try:
        fill(draft)
        _open_to_all(draft)
        draft.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _fill_root(root: Path) -> None:
    interpreter.copy(root, PYTHON)
    wheels = root / GUEST_PATH.lstrip("/")
    (wheels / "sandbox").mkdir(parents=True)
    for name in WHEELS:
        interpreter.copy_wheel(name, wheels)
    compileall.compile_dir(root, quiet=2, maxlevels=20)
    interpreter.copy_libraries(root, [*wheels.rglob("*.so"), *wheels.rglob("*.so.*")])
    for mount_point in ("proc", "dev", "tmp", "etc", "sys"):
        (root / mount_point).mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("nobody:x:65534:65534:nobody:/tmp:/bin/false\n")
    (root / "etc/group").write_text("nogroup:x:65534:\n")


def _fill_guest(folder: Path, sources: list[Path]) -> None:
    package = folder / "sandbox"
    (package / "guest").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for source in sources:
        shutil.copy2(source, package / "guest")
    compileall.compile_dir(package, quiet=2)


def _open_to_all(folder: Path) -> None:
    """Let an unprivileged user read what root may have made for itself alone."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
