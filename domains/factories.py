"""What others bring: made by a factory, `package.module:factory`, or by an entry point of an installed package.

This code is the user's own, or that of a package which the user installed, and runs with the user's rights.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

FORM = "package.module:factory"


class FactoryError(RuntimeError):
    """Nothing could be made; the message says why, and where that is."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a factory made, and where it came from."""

    thing: Any
    digest: str
    """A short hash of the source that made it: all of its package, or its file where that is in none."""
    origin: str
    """A file, or an installed package with its version."""
    licence: str = ""
    """Of the installed package, where it says so."""


def is_factory(name: str) -> bool:
    """Whether a name has the form of a factory.

    >>> [is_factory(name) for name in ("shop.games:small", "shop", "a:b:c", "rewriting:tmaze-fixed")]
    [True, False, False, False]
    """
    module, _, attribute = name.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), *attribute.split(".")))


def offered(group: str) -> dict[str, list[metadata.EntryPoint]]:
    """The entry points of a group by name; several of one name are of several packages."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    return found


def package_of(point: metadata.EntryPoint) -> str:
    """The package that offers an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module


def make(name: str, group: str) -> Made | None:
    """What the entry point or the factory of this name makes, if it is one; raises `FactoryError`."""
    points = offered(group).get(name, [])
    if len(points) > 1:
        packages = " and ".join(sorted(package_of(point) for point in points))
        raise FactoryError(f"{name!r} is offered by {packages}; name the one that is meant as {FORM}")
    if points:
        thing, module = _call(name, points[0].value)
        return Made(thing, _digest(module), package_of(points[0]), _licence(points[0].dist))
    if not is_factory(name):
        return None
    thing, module = _call(name, name)
    return Made(thing, _digest(module), str(module.__file__ or module.__name__))


def expect(thing: object, name: str, kind: str, fields: Iterable[str], methods: Iterable[str], contract: str) -> None:
    """Raise `FactoryError` where what was made lacks something of its contract."""
    lacking = [field for field in fields if not hasattr(thing, field)]
    lacking += [f"{method}()" for method in methods if not callable(getattr(thing, method, None))]
    if lacking:
        raise FactoryError(
            f"{name} made no {kind}: {type(thing).__name__} lacks {', '.join(lacking)}; {contract} says what is owed"
        )


@contextmanager
def blamed(fault: Callable[[str], Exception], *understood: type[Exception]) -> Iterator[None]:
    """Make a fault of whatever foreign code raises, from what is told of it; what is `understood` passes."""
    try:
        yield
    except understood:
        raise
    except Exception as error:  # foreign code may raise anything
        raise fault(told(error)) from error


def told(error: BaseException) -> str:
    """An error in a line, with the place in foreign code that raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not _is_in(frame.filename, _OURS)
    ]
    foreign = [frame for frame in frames if not _is_in(frame.filename, _LIBRARIES)] or frames
    place = f" ({Path(foreign[-1].filename).name}, line {foreign[-1].lineno})" if foreign else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


_OURS = tuple(Path(__file__).parent.parent / package for package in ("evolve", "sandbox", "domains", "archive"))
_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


def _is_in(file: str, folders: Iterable[Path]) -> bool:
    return any(Path(file).is_relative_to(folder) for folder in folders)


def _call(name: str, target: str) -> tuple[Any, ModuleType]:
    """What `package.module:factory` returns, and its module."""
    path, _, attribute = target.partition(":")
    module = _module(name, path)
    factory: Any = module
    for part in attribute.split("."):
        factory = getattr(factory, part, None)
    if not callable(factory):
        problem = "has no" if factory is None else "has no function or class"
        raise FactoryError(f"{name}: {module.__file__ or path} {problem} {attribute!r}")
    try:
        return factory(), module
    except (Exception, SystemExit) as error:
        raise FactoryError(f"{name} raised {told(error)}") from error


def _module(name: str, path: str) -> ModuleType:
    if path.partition(".")[0] in sys.stdlib_module_names:  # an archive may name anything
        raise FactoryError(f"{name}: {path} is one of Python's own modules, and brings nothing")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that no file of the current folder hides an installed module
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            raise FactoryError(
                f"{name}: there is no module {error.name!r}, neither in the current folder ({here}) nor installed"
            ) from None
        raise FactoryError(f"{name}: {path} cannot be imported: {told(error)}") from error
    except (Exception, SystemExit) as error:
        raise FactoryError(f"{name}: {path} cannot be imported: {told(error)}") from error


def _digest(module: ModuleType) -> str:
    """A hash of the source files of a module's package, or of its own."""
    top = sys.modules[module.__name__.partition(".")[0]]
    files = [Path(module.__file__)] if module.__file__ else []
    if top.__file__ and Path(top.__file__).name == "__init__.py":
        files = sorted(Path(top.__file__).parent.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _licence(distribution: metadata.Distribution | None) -> str:
    """What an installed package says its licence is, if that is a name and not a text."""
    if distribution is None:
        return ""
    said = distribution.metadata
    name = str(said["License-Expression"] or said["License"] or "")
    return name if "\n" not in name else ""
