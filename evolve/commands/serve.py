"""`evolve serve`: a design's memory behind a protocol that agents speak."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evolve.commands.export import Sandbox, backend_for
from evolve.commands.files import read_design
from evolve.commands.import_ import restored_from
from evolve.commands.show import complain
from evolve.commands.tables import reading
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.export import Exported
    from sandbox.source import Checked


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be served."""

    source: str
    checked: Checked
    design: str
    """The id that its memory carries: of an edited module that of the design which it was exported as."""
    origin: str
    name: str


def serve_design(design: str, path: Path, memory: Path | None, sandbox: Sandbox) -> None:
    """Serve a design of the archive, or of a file, over stdin and stdout, until stdin is closed."""
    from evolve.prove import guests
    from evolve.serve_mcp import require_mcp, serve
    from evolve.served import LIMITS, MemoryFile, ServedMemory
    from evolve.session import describe
    from sandbox.backend import DesignFault

    require_mcp()
    subject = _subject(design, path)
    backend = backend_for(subject.origin, sandbox)
    exported = _exported(subject)
    file = MemoryFile(memory, subject.design) if memory is not None else None
    with ExitStack() as stack:
        if file is not None:
            file.read()  # refuses what cannot be, before anything is written or started
            stack.enter_context(file.held())
        pool = stack.enter_context(guests(backend, limits=LIMITS))
        try:
            served = ServedMemory(pool, exported, file)
        except DesignFault as fault:
            raise InputError(f"{subject.name} cannot be served: {fault}") from None
        stack.callback(served.close)
        kept = f"its memory is in {memory}" if memory is not None else "its memory ends with this server"
        complain(f"serving {subject.name} over stdin and stdout, sandbox {describe(backend)}; {kept}")
        serve(served, f"palimpsest {subject.name}")


def _subject(design: str, path: Path) -> Subject:
    """A file where there is one of that name, or its name ends in .py; else a design of the archive."""
    from sandbox.source import SourceChecker, SourceRejected

    file = Path(design)
    if file.suffix == ".py" or file.exists():
        return _of_file(file)
    with reading(path) as archive, SourceChecker() as checker:
        found = archive.design(design)
        try:
            checked = checker.check(found.source)
        except SourceRejected as error:
            raise InputError(f"design {found.id[:10]} cannot be served: {error.reason}") from None
        origin: Literal["composed", "untrusted"] = "composed" if found.origin == "composed" else "untrusted"
        return Subject(found.source, checked, found.id, origin, f"design {found.id[:10]}")


def _of_file(file: Path) -> Subject:
    """A module that `evolve export` wrote, or a design's source."""
    from archive.export import BEGIN
    from archive.reimport import MAX_BYTES
    from sandbox.source import SourceChecker, SourceRejected

    try:
        with file.open("rb") as opened:
            begins = f"\n{BEGIN}\n".encode() in opened.read(MAX_BYTES)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; name a design of the archive or a file") from None
    if begins:
        restored, checked = restored_from(file)
        return Subject(restored.source, checked, restored.design or checked.hash, "untrusted", file.name)
    try:
        source, _ = read_design(file)
        with SourceChecker() as checker:
            checked = checker.check(source)
    except SourceRejected as error:
        raise InputError(f"{file} is neither a module of `evolve export` nor a design: {error.reason}") from None
    return Subject(source, checked, checked.hash, "untrusted", file.name)


def _exported(subject: Subject) -> Exported:
    from archive.export import Card, export
    from archive.limited import TextError

    card = Card(subject.design, subject.checked.summary or subject.name, [])
    try:
        return export(subject.source, subject.checked.class_name, card, {"learned": [], "asked": []})
    except TextError as error:
        raise InputError(f"{subject.name} cannot be served: {error}") from None
