"""`evolve domains`: what can be played here, and the conformance suite on a domain."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from evolve.commands.show import complain, safe_text, say, say_json, say_table

if TYPE_CHECKING:
    from domains.conformance import Finding
    from domains.registry import DomainInfo


def list_domains(*, as_json: bool) -> None:
    """All domains that are known by name, and what is said of each."""
    from domains import registry
    from domains.base import Role

    infos = registry.available()
    for name, packages in registry.shadowed().items():
        complain(f"warning: the domain {name!r} of {packages} is left out, because one of Palimpsest's has that name")
    if as_json:
        say_json([_json(info) for info in infos])
        return
    counts = [
        (
            info.name,
            *(str(info.roles.get(role, "-")) for role in Role),
            str(info.max_steps or "-"),
            info.summary if info.installed else f"(not installed) {info.summary}",
        )
        for info in infos
    ]
    say_table(("domain", "#collect", "#deploy", "#reflect", "#confirm", "#test", "#steps", "~about"), counts)
    say()
    say_table((">domain", ">score", ">comparable with published ones", ">licence", ">from"), _kinds(infos))
    for remedy, names in _together((info.remedy, info.name) for info in infos if not info.installed).items():
        say(f"\n{', '.join(names)}: {remedy}")


def check_domain(name: str, *, as_json: bool) -> None:
    """Run every check and print what each came to; exit code 1 where one is not passed."""
    from domains import registry
    from domains.conformance import conform

    began = time.monotonic()
    info = registry.describe(name)
    findings = conform(name)
    passed = all(finding.passed for finding in findings)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        checks: list[dict[str, Any]] = [asdict(finding) | {"detail": safe_text(finding.detail)} for finding in findings]
        say_json({"domain": name, "version": info.version, "passed": passed, "checks": checks, "seconds": seconds})
    else:
        say(f"Domain {name}, version {info.version}\n")
        say_table(
            ("", "check", ">found"),
            [("✓" if finding.passed else "✗", finding.name, finding.detail) for finding in findings],
        )
        say(f"\n{_verdict(findings)} ({seconds} s)")
    if not passed:
        raise typer.Exit(1)


def _verdict(findings: list[Finding]) -> str:
    failed = [finding.name for finding in findings if not finding.passed]
    if not failed:
        return f"All {len(findings)} checks passed: this domain does what every domain has to do."
    if len(findings) == 1:
        return "Its tasks are not in order, so nothing was played."
    return f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}."


def _json(info: DomainInfo) -> dict[str, Any]:
    return {
        "domain": info.name,
        "version": info.version,
        "installed": info.installed,
        "roles": {role.value: count for role, count in info.roles.items()},
        "max_steps": info.max_steps,
        "licence": info.licence,
        "summary": info.summary,
        "reward": info.reward,
        "comparable": info.comparable,
        "origin": info.origin,
        "remedy": info.remedy,
    }


def _kinds(infos: list[DomainInfo]) -> list[tuple[str, ...]]:
    """What is said of each domain, once for all of whom it is said."""
    said = _together(((info.reward, info.comparable, info.licence, info.origin), info.name) for info in infos)
    return [(", ".join(names), *facts) for facts, names in said.items()]


def _together(pairs: Any) -> dict[Any, list[str]]:
    """Names by what is the same of them."""
    found: dict[Any, list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return found
