"""The commands by which designs leave an archive and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.errors import InputError
from evolve.options import (
    ARCHIVE,
    AddressOption,
    ArchiveOption,
    DollarsOption,
    ForceOption,
    JsonOption,
    RunOption,
    RuntimeOption,
    SandboxOption,
    TokensOption,
    UnsafeOption,
    WorkersOption,
)


def export(
    design: Annotated[str | None, typer.Argument(help="The leading characters of a design's id.")] = None,
    to: Annotated[Path | None, typer.Option(help="The module, FILE.py; by default memory_ID.py.")] = None,
    force: ForceOption = False,
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
    force: ForceOption = False,
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


def serve(
    design: Annotated[str, typer.Argument(help="The leading characters of a design's id, or a module or design file.")],
    over_mcp: Annotated[
        bool, typer.Option("--mcp", help="Over the Model Context Protocol, on stdin and stdout.")
    ] = False,
    memory: Annotated[Path | None, typer.Option(help="Keep what it learns in this JSON file.")] = None,
    archive: ArchiveOption = ARCHIVE,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    allow_unsafe: UnsafeOption = False,
) -> None:
    """Serve a design's memory to any agent: tools retrieve, update, manage and save. The design runs in the sandbox.

    The file is what `save` of the exported module writes, and what `export --with-memory` brings along; it is written
    after each change.

    Example: evolve serve 1-84f2 --mcp --memory memory.json
    """
    from evolve.commands.export import Sandbox
    from evolve.commands.serve import serve_design

    if not over_mcp:
        raise InputError("say over which protocol the memory is to be served; there is --mcp")
    serve_design(design, archive, memory, Sandbox(sandbox, runtime, allow_unsafe))


def minimise(
    design: Annotated[str, typer.Argument(help="The leading characters of a design's id.")],
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    margin: Annotated[float, typer.Option(min=0, max=1, help="How much worse on average it may become.")] = 0.0,
    trials: Annotated[int, typer.Option(min=0, help="Smaller designs to try; 0: only what its parts are worth.")] = 400,
    to: Annotated[Path | None, typer.Option(help="Also write what is left to this file.")] = None,
    force: ForceOption = False,
    budget_usd: DollarsOption = None,
    budget_tokens: TokensOption = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take out of a design whatever its score does not need, and show what each part of the rest is worth.

    The deployment tasks of its run decide, each trial paired with the whole design; the confirmation tasks confirm what
    is left, once. What is left is a design whose parent is the whole one. Exit code 1 where it is not confirmed. Given
    again after an interruption it goes on.

    Example: evolve minimise 1-84f2 --to smaller.py
    """
    from evolve.commands.minimise import Wanted, minimise_design

    flags = {
        "sandbox": sandbox,
        "runtime": runtime,
        "workers": workers,
        "ray_address": ray_address,
        "budget_usd": budget_usd,
        "budget_tokens": budget_tokens,
    }
    wanted = Wanted(margin, trials, to, force)
    minimise_design(design, archive, run_number, wanted, flags, allow_unsafe=allow_unsafe, as_json=as_json)
