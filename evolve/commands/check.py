"""`evolve check`: the conformance suite on a design of the user's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolve.commands.files import read_design
from evolve.commands.show import safe_text, say, say_json, say_table
from evolve.errors import InputError, UntrustedError

if TYPE_CHECKING:
    from evolve.conformance import Finding
    from sandbox.backend import Backend


def check_file(
    file: Path, sandbox: str | None, runtime: str | None, episodes: int, *, allow_unsafe: bool, as_json: bool
) -> None:
    """Run every check and print what each came to; exit code 1 where one is not passed."""
    from sandbox.source import SourceRejected

    began = time.monotonic()
    try:
        source, design = read_design(file)
    except SourceRejected as error:
        if as_json:
            say_json({"design": None, "sandbox": None, "passed": False, "checks": [], "seconds": 0.0})
        raise InputError(f"{file} is no design: {error.reason}") from None
    backend = _backend(sandbox, runtime, allow_unsafe=allow_unsafe)
    findings = _findings(source, backend, episodes)
    passed = all(finding.passed for finding in findings)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        checks: list[dict[str, Any]] = [asdict(finding) | {"detail": safe_text(finding.detail)} for finding in findings]
        say_json({"design": design, "sandbox": backend.name, "passed": passed, "checks": checks, "seconds": seconds})
    else:
        say(f"Design {design[:10]} of {file}, sandbox {backend.name}\n")
        say_table(("", "check", ">found"), _rows(findings))
        say(f"\n{_verdict(findings)} ({seconds} s)")
    if not passed:
        raise typer.Exit(1)


def _backend(name: str | None, runtime: str | None, *, allow_unsafe: bool) -> Backend:
    """The backend of that name, or the best here; never one that leaves the user's files open, unless told to."""
    from sandbox.backend import FILESYSTEM
    from sandbox.backends import choose

    backend = choose(name, runtime=runtime)
    if FILESYSTEM not in backend.isolates and not allow_unsafe:
        raise UntrustedError
    return backend


def _findings(source: str, backend: Backend, episodes: int) -> list[Finding]:
    from evolve.bench import TOOLKIT_TEXTS
    from evolve.conformance import conform
    from sandbox.embedding import Embedder
    from sandbox.pool import Pool

    with Pool(backend, size=2, embed=Embedder(), embed_allowance=TOOLKIT_TEXTS) as pool:
        return conform(source, pool, episodes)


def _rows(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """Lines of the table; a fault that several checks met is told once."""
    first: dict[str, str] = {}
    for finding in findings:
        name = first.setdefault(finding.detail, finding.name)
        again = not finding.passed and name != finding.name
        yield "✓" if finding.passed else "✗", finding.name, f"the same as: {name}" if again else finding.detail


def _verdict(findings: list[Finding]) -> str:
    failed = [finding.name for finding in findings if not finding.passed]
    if not failed:
        return f"All {len(findings)} checks passed: this design does what every design has to do."
    if failed == ["loads"]:
        return "It does not load, so nothing else was checked."
    return f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}."
