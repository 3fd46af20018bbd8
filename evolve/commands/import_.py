"""`evolve import`: an exported module, as it was or edited, becomes a design again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.cli import program
from evolve.commands.run import archive_flag
from evolve.commands.show import say, say_json
from evolve.commands.tables import config_of, reading
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.reimport import Restored
    from sandbox.source import Checked


def import_file(
    file: Path,
    to: Path | None,
    path: Path,
    number: int | None,
    flags: dict[str, Any],
    *,
    force: bool,
    submit: bool,
    allow_unsafe: bool,
    as_json: bool,
) -> None:
    """Restore a module's design into a file, and submit it to a run if that is asked for."""
    restored, checked = restored_from(file)
    to = to if to is not None else file.with_name(f"{file.stem}_design.py")
    if not force:
        _refuse_other(to, restored.source)
    edited = checked.hash != restored.design
    made_from = (restored.design,) if edited and restored.design else restored.parents
    home = _home(path, made_from[:1], number)
    to.write_text(restored.source, encoding="utf-8")
    change = f"imported from {file.name}"
    change += f", which was exported as {restored.design[:10]}" if restored.design else ""
    change += f"; edited blocks: {', '.join(restored.edited)}" if restored.edited else ""
    if submit:
        from evolve.commands.submit import submit_file

        parent = made_from[0] if home is not None else None
        submit_file(to, parent, change, path, home or number, flags, allow_unsafe=allow_unsafe, as_json=as_json)
        return
    result = {
        "design": checked.hash,
        "exported_as": restored.design or None,
        "edited": edited,
        "blocks": list(restored.edited),
        "parents": list(made_from),
        "run": home,
        "file": str(to),
    }
    if as_json:
        say_json(result)
    else:
        _print(result, archive_flag(path), may_enter=_takes_designs(path, home))


def restored_from(file: Path) -> tuple[Restored, Checked]:
    """The design of an exported module, and what the checker says of it; raises `InputError`."""
    from archive.reimport import MAX_BYTES, NotExportedError, restore
    from sandbox.source import SourceChecker, SourceRejected

    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)  # what a file says of its size need not be so
        if len(text) > MAX_BYTES:
            raise NotExportedError(f"it has more than {MAX_BYTES} bytes")
        restored = restore(text.decode("utf-8").replace("\r\n", "\n"))
        with SourceChecker() as checker:
            return restored, checker.check(restored.source)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; name a module that `evolve export` wrote") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not valid UTF-8: {error.reason} at byte {error.start}") from None
    except NotExportedError as error:
        raise InputError(f"{file} is no module of `evolve export`: {error}") from None
    except SourceRejected as error:
        raise InputError(f"{file} holds no design any more: {error.reason}") from None


def _refuse_other(place: Path, source: str) -> None:
    """Leave alone a file that holds something else."""
    if place.exists() and place.read_text(encoding="utf-8", errors="replace") != source:
        raise InputError(f"{place} is there already, and another; name a file with --to, or give --force")


def _home(path: Path, parents: tuple[str, ...], number: int | None) -> int | None:
    """The newest run, or the one that was named, that has the first of the parents."""
    if not parents or not path.exists():
        return None
    with reading(path) as archive:
        runs = archive.runs_of(parents[0])
    return next((run for run in reversed(runs) if number in (None, run)), None)


def _takes_designs(path: Path, run: int | None) -> bool:
    """Whether there is such a run, and a design from outside may enter it."""
    if run is None:
        return False
    with reading(path) as archive:
        return not config_of(archive.run(run)).reproducible


def _print(result: dict[str, Any], flag: str, *, may_enter: bool) -> None:
    origin = (result["exported_as"] or "")[:10] or "a design that it does not name"
    say(f"Wrote design {result['design'][:10]} to {result['file']}: {origin}{', edited' if result['edited'] else ''}")
    if result["blocks"]:
        say(f"edited blocks, now part of the design: {', '.join(result['blocks'])}")
    if result["parents"]:
        say(f"made from {', '.join(parent[:10] for parent in result['parents'])}")
    if may_enter:
        family = f"--parent {result['parents'][0][:10]} --run {result['run']}"
        say(f"Enter it:     {program()} submit {result['file']} {family}{flag}")
    else:
        say(f"Evaluate it:  {program()} eval {result['file']}")
