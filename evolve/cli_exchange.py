"""The commands by which designs leave an archive and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.errors import InputError
from evolve.options import (
    ARCHIVE,
    ArchiveOption,
    JsonOption,
    RunOption,
    RuntimeOption,
    SandboxOption,
    UnsafeOption,
    WorkersOption,
)


def export(
    design: Annotated[str | None, typer.Argument(help="The leading characters of a design's id.")] = None,
    to: Annotated[Path | None, typer.Option(help="The module, FILE.py; by default memory_ID.py.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that holds something else.")] = False,
    package: Annotated[Path | None, typer.Option(help="A folder for a package with a wheel instead.")] = None,
    with_memory: Annotated[int | None, typer.Option(help="Bring what it learns from this run's episodes.")] = None,
    tree: Annotated[Path | None, typer.Option(help="Write a run's whole history into a folder instead.")] = None,
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    proof: Annotated[bool, typer.Option("--proof/--no-proof", help="Whether it has to tell the same first.")] = True,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a design as one plain Python module that needs nothing of Palimpsest, and prove that it tells the same.

    The module learns, is asked, saves and loads itself, takes functions of yours for `llm` and `embed`, and tests
    itself: python -m MODULE --selftest. `evolve import` brings it back.

    Example: evolve export 1-84f2 --to memory.py
    """
    from evolve.commands import export as commands

    if tree is not None:
        commands.export_tree(archive, run_number, tree, as_json=as_json)
        return
    if design is None:
        raise InputError("name a design, or give --tree DIR for the history of a run; `evolve top` lists ids")
    target = commands.Target(to, package, with_memory, proof, force)
    commands.export_design(
        archive, design, run_number, target, commands.Sandbox(sandbox, runtime, allow_unsafe), as_json=as_json
    )


def import_(
    file: Annotated[Path, typer.Argument(metavar="MODULE", help="A module that `evolve export` wrote.")],
    to: Annotated[Path | None, typer.Option(help="The design's file; by default MODULE_design.py.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that holds something else.")] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Enter it into a run, as `evolve submit` does.")] = False,
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an exported module back as a design, edited or not, with its lineage.

    A building block that was edited becomes part of the design. What is imported is untrusted, whatever it was.

    Example: evolve import memory.py --submit
    """
    from evolve.commands.import_ import import_file

    flags = {"sandbox": sandbox, "runtime": runtime, "workers": workers}
    import_file(
        file, to, archive, run_number, flags, force=force, submit=submit, allow_unsafe=allow_unsafe, as_json=as_json
    )
