"""Two folders, each kept under a key of what it is made from: the interpreter with its wheels, and the guest package.

The first takes seconds and changes with the Python version or a wheel; the second takes milliseconds and changes with
the guest's sources. Both are written under a temporary name and renamed, so that two processes may make them at once.
Who uses one holds a shared lock on it as long as it lives, so that `prune` removes only what nobody uses.
"""

from __future__ import annotations

import compileall
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
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

_DIGEST = ".sha256"


@cache
def interpreter_root() -> Path:
    """The root folder: Python, its libraries and the wheels, everything that design code can import but our own."""
    return _held("root", root_key(), _fill_root)


@cache
def guest_layer() -> Path:
    """The folder that holds `sandbox/guest` and nothing else of ours; it lies at `GUEST_PATH` inside."""
    return _held("guest", guest_key(), _fill_guest)


@cache
def root_key() -> str:
    """What names the root: the interpreter and the wheels that it is made from."""
    parts = [BUILDER_VERSION, sys.version, platform.machine(), sys.platlibdir, os.path.realpath(sys.executable)]
    parts += [f"{name}=={version(name)}" for name in WHEELS]
    return _key(part.encode() for part in parts)


@cache
def guest_key() -> str:
    """What names the guest package: its sources."""
    sources = [each.name.encode() + b"\0" + each.read_bytes() for each in _guest_sources()]
    return _key([BUILDER_VERSION.encode(), sys.version.encode(), *sources])


@cache
def layers_digest() -> str:
    """The digest of both folders' contents: what guests start from where there is no image."""
    digests = "".join(_digest(folder) for folder in (interpreter_root(), guest_layer()))
    return f"sha256:{hashlib.sha256(digests.encode()).hexdigest()}"


def prune() -> list[Path]:
    """Remove the folders of ours, drafts too, that this version does not use and no living process holds."""
    kept = {cache_folder() / f"root-{root_key()}", cache_folder() / f"guest-{guest_key()}"}
    names = ("root-*", "guest-*", ".root-*", ".guest-*", ".pruned-*")
    found = [path for name in names for path in sorted(cache_folder().glob(name)) if path.is_dir()]
    return [path for path in found if path not in kept and _remove(path)]


def _key(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _held(kind: str, key: str, fill: Callable[[Path], None]) -> Path:
    """The folder of this key, with a shared lock on it for as long as this process lives."""
    while True:
        folder = _made(kind, key, fill)
        held = _lock(folder, fcntl.LOCK_SH)
        if folder.exists() and os.path.samestat(os.fstat(held), folder.stat()):
            return folder
        os.close(held)  # it was pruned between the two


def _lock(folder: Path, kind: int) -> int:
    """A descriptor that holds a lock on a folder until it is closed, or the process ends."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, kind)
    except BlockingIOError:
        os.close(held)
        raise
    return held


def _remove(folder: Path) -> bool:
    """Remove a folder, if nobody holds it; it goes under another name first, so that nobody finds half of it."""
    try:
        held = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        doomed = folder.rename(folder.with_name(f".pruned-{folder.name}"))
        shutil.rmtree(doomed)
        folder.with_suffix(_DIGEST).unlink(missing_ok=True)
    finally:
        os.close(held)
    return True


def _made(kind: str, key: str, fill: Callable[[Path], None]) -> Path:
    """The folder of this key, made if it is not there yet."""
    folder = cache_folder() / f"{kind}-{key}"
    if folder.exists():
        return folder
    draft = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=folder.parent))
    held = _lock(draft, fcntl.LOCK_SH)
    try:
        fill(draft)
        _open_to_all(draft)
        draft.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(held)
    return folder


def _digest(folder: Path) -> str:
    """The hash of a folder's files with their names, taken once; compiled files, which hold times, are left out."""
    noted = folder.with_suffix(_DIGEST)
    if noted.exists():
        return noted.read_text("ascii")
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    draft = Path(tempfile.mkdtemp(prefix=".digest-", dir=folder.parent))
    try:
        (draft / noted.name).write_text(digest.hexdigest(), "ascii")
        (draft / noted.name).rename(noted)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return digest.hexdigest()


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


def _guest_sources() -> list[Path]:
    return sorted(Path(guest.__file__).parent.glob("*.py"))


def _fill_guest(folder: Path) -> None:
    package = folder / "sandbox"
    (package / "guest").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for source in _guest_sources():
        shutil.copy2(source, package / "guest")
    compileall.compile_dir(package, quiet=2)


def _open_to_all(folder: Path) -> None:
    """Let an unprivileged user read what root may have made for itself alone."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
