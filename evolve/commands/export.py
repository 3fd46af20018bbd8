"""`evolve export`: a design as a plain Python module, or a package; or a run's history as a folder."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.files import write_text
from evolve.commands.show import say, say_json
from evolve.commands.tables import chosen_run, config_of, reading
from evolve.errors import InputError, UntrustedError

if TYPE_CHECKING:
    from archive.export import Exported
    from archive.store import Archive
    from archive.tables import Design, Run
    from evolve.prove import Proof
    from sandbox.backend import Backend
    from sandbox.guest import Trajectory


@dataclass(frozen=True, slots=True)
class Target:
    """Where an exported design goes, and what with it."""

    file: Path | None = None
    package: Path | None = None
    memory_of: int | None = None
    """Number of the run whose episodes the memory comes with."""
    proof: bool = True
    force: bool = False
    """Whether a file that holds something else is written over."""

    def place(self, design: str) -> Path:
        """The file or the folder."""
        return self.package or self.file or Path(f"memory_{design.partition('-')[2][:8]}.py")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What runs the design while it is exported."""

    name: str | None = None
    runtime: str | None = None
    allow_unsafe: bool = False


def export_tree(path: Path, number: int | None, folder: Path, *, as_json: bool) -> None:
    """Write a run's history as a folder."""
    from evolve.tree import write

    with reading(path) as archive:
        run = chosen_run(archive, number)
        written = write(archive, run, folder)
    if as_json:
        say_json({"run": run.id, "folder": str(folder), "files": written})
    else:
        say(f"Wrote {written} files of run {run.id} into {folder}")


def export_design(
    path: Path, prefix: str, number: int | None, target: Target, sandbox: Sandbox, *, as_json: bool
) -> None:
    """Write a design as a module that stands alone, once it tells there what it tells here."""
    from archive.packaging import is_free

    began = time.monotonic()
    if target.file is not None and target.package is not None:
        raise InputError("give --to FILE.py for a module or --package DIR for a package, not both")
    if target.file is not None and target.file.suffix != ".py":
        raise InputError(f"--to {target.file}: the name of a Python module ends in .py")
    if target.file is not None and not target.file.parent.is_dir():
        raise InputError(f"--to {target.file}: there is no folder {target.file.parent}")
    if target.file is not None and not is_free(target.file.stem):
        raise InputError(f"--to {target.file}: no module can have this name, or Python has one of it; take another")
    with reading(path) as archive:
        design, run = chosen(archive, prefix, number)
        _refuse_other(target, design.id)
        exported, proof, memory = _exported(archive, design, run, target, backend_for(design.origin, sandbox))
    place = target.place(design.id)
    wheel = _write(target, place, exported, memory)
    result = {
        "design": design.id,
        "run": run.id,
        "path": str(place),
        "wheel": str(wheel) if wheel is not None else None,
        "memory": memory is not None,
        "requires": list(exported.requires),
        "lines": exported.text.count("\n"),
        "proof": _proof_json(proof),
        "seconds": round(time.monotonic() - began, 2),
    }
    if as_json:
        say_json(result)
    else:
        _print(result, proof)


def chosen(archive: Archive, prefix: str, number: int | None) -> tuple[Design, Run]:
    """A design with the run that has it: the one of the number, else the newest search, else the newest of any kind."""
    design = archive.design(prefix)
    runs = [archive.run(each) for each in archive.runs_of(design.id)]
    if number is not None:
        found = [run for run in runs if run.id == number]
        if not found:
            raise InputError(f"run {number} has no design {design.id[:10]}; it is in run {runs[0].id}")
        return design, found[0]
    searches = [run for run in runs if config_of(run).strategy != "eval"]
    return design, (searches or runs)[-1]


def _refuse_other(target: Target, design: str) -> None:
    """Leave alone a module, and a memory beside it, that are not this design's."""
    if target.force:
        return
    if target.package is not None:
        _refuse_folder(target.package, design)
        return
    place = target.place(design)
    memory = place.with_suffix(".json")
    if not place.exists():
        other = memory if target.memory_of is not None and memory.exists() else None
    else:
        other = None if _holds(place, design) else place
    if other is not None:
        raise InputError(f"{other} is there already, and another; name a file with --to, or give --force")


def _refuse_folder(folder: Path, design: str) -> None:
    """Leave alone a folder that holds something else than a package of this design."""
    from archive.packaging import is_ours, module_in

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--package {folder}: there is a file of that name; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (is_ours(folder) and _holds(module_in(folder), design)):
        raise InputError(f"{folder} holds something else already; name another folder with --package, or give --force")


def _holds(place: Path, design: str) -> bool:
    from evolve.commands.import_ import restored_from

    try:
        return restored_from(place)[1].hash == design
    except InputError:
        return False


def backend_for(origin: str, sandbox: Sandbox) -> Backend:
    """The sandbox that is to run code of this origin; raises `UntrustedError` where it may not."""
    from sandbox.backend import FILESYSTEM
    from sandbox.backends import choose

    backend = choose(sandbox.name, runtime=sandbox.runtime)
    if origin != "composed" and FILESYSTEM not in backend.isolates and not sandbox.allow_unsafe:
        raise UntrustedError
    return backend


def _exported(
    archive: Archive, design: Design, run: Run, target: Target, backend: Backend
) -> tuple[Exported, Proof | None, str | None]:
    """The module, what proves it, and what it has learned."""
    from archive.export import export
    from archive.limited import TextError
    from evolve.prove import guests, prove, sample_of, taught
    from evolve.provenance import card, collected, questions, stand_ins
    from sandbox.backend import DesignFault
    from sandbox.source import SourceChecker

    with SourceChecker() as checker:
        checked = checker.check(design.source)
    own = collected(archive, run)
    episodes = own or stand_ins()
    lessons = _lessons(archive, run, own, target.memory_of)
    proof, state = None, None
    try:
        sample = sample_of(backend, design.source, episodes)

        def module() -> Exported:
            return export(design.source, checked.class_name, card(archive, run, design, proof), sample)

        if target.proof or lessons is not None:
            with guests(backend) as pool:
                if target.proof:
                    asked = questions(archive, run, design.id, episodes, as_recorded=bool(own))
                    proof, state = prove(pool, design.source, module(), episodes, asked)
                if lessons is not None and (lessons is not episodes or not target.proof):
                    state = taught(pool, module(), lessons)
    except DesignFault as fault:
        raise InputError(f"design {design.id[:10]} cannot be exported, for it fails: {fault}") from None
    except TextError as error:
        raise InputError(f"design {design.id[:10]} cannot be exported: {error}") from None
    if lessons is None:
        return module(), proof, None
    if state is None:
        raise InputError("what the design learned is larger than a sandbox gives out; export it without --with-memory")
    return module(), proof, json.dumps(state)


def _lessons(archive: Archive, run: Run, own: list[Trajectory], memory_of: int | None) -> list[Trajectory] | None:
    """The episodes that the memory is to come with, those of the design's `own` run or of another; none if none is."""
    from evolve.provenance import collected

    if memory_of is None:
        return None
    lessons = own if memory_of == run.id else collected(archive, archive.run(memory_of))
    if not lessons:
        raise InputError(
            f"--with-memory {memory_of}: there are no episodes that run {memory_of} learned from; its domain or its"
            " agent is not installed here, or the archive lost them"
        )
    return lessons


def _write(target: Target, place: Path, exported: Exported, memory: str | None) -> Path | None:
    from archive.packaging import write_package

    if target.package is not None:
        return write_package(place, exported, memory)
    if memory is not None:  # refused where there is another, which the module may have saved itself
        write_text(place.with_suffix(".json"), memory, force=target.force)
    place.write_text(exported.text, encoding="utf-8")
    return None


def _proof_json(proof: Proof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "episodes": proof.episodes,
        "queries": proof.queries,
        "items": proof.items,
        "as_recorded": proof.recorded,
        "seconds": round(proof.seconds, 2),
    }


def _print(result: dict[str, Any], proof: Proof | None) -> None:
    from archive.packaging import module_name

    needs = ", ".join(result["requires"]) or "the standard library only"
    say(f"Wrote design {result['design'][:10]} to {result['path']}: {result['lines']} lines, needs {needs}")
    if result["wheel"] is not None:
        say(f"wheel     {result['wheel']}")
    if proof is not None:
        same = f", {proof.recorded} of them also those of the archive" if proof.recorded else ""
        say(f"the same  {proof.items} items in answer to {proof.queries} queries after {proof.episodes} episodes{same}")
    else:
        say("the same  not proved, for --no-proof was given")
    if result["wheel"] is not None:
        module = module_name(Path(result["path"]).resolve().name)
        say(f"Try it:   pip install {shlex.quote(result['wheel'])} && python -m {module} --selftest")
    else:
        say(f"Try it:   python {shlex.quote(result['path'])} --selftest")
