"""The domains that exist, by name; nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domains.base import Domain, DomainError, Role


@dataclass(frozen=True, slots=True)
class DomainInfo:
    """What is known of a domain. `version`, `roles` and `max_steps` are empty where it is not installed."""

    name: str
    version: str
    installed: bool
    roles: Mapping[Role, int]
    max_steps: int
    licence: str
    summary: str


@dataclass(frozen=True, slots=True)
class _Entry:
    make: Callable[[], Domain]
    licence: str
    summary: str


def _recall() -> Domain:
    from domains.recall import Recall

    return Recall()


def _textworld(*families: str) -> Callable[[], Domain]:
    def make() -> Domain:
        from domains.textworld import FAMILIES, TextWorld

        return TextWorld(families or tuple(FAMILIES))

    return make


def _rewriting(*families: str) -> Callable[[], Domain]:
    def make() -> Domain:
        from domains.rewriting import FAMILIES, Rewriting

        return Rewriting(families or tuple(FAMILIES))

    return make


_ENGINE_LICENCE = "MIT (engine), GPL-2.0-or-later (interpreter)"

_ENTRIES = {
    "recall": _Entry(_recall, "Apache-2.0", "cues whose colours are the same in every episode; fast, for tests"),
    "textworld": _Entry(_textworld(), _ENGINE_LICENCE, "all TextWorld families, taking turns"),
    "textworld:cooking": _Entry(_textworld("cooking"), _ENGINE_LICENCE, "find a recipe's ingredients and prepare it"),
    "textworld:treasure": _Entry(_textworld("treasure"), _ENGINE_LICENCE, "find the named thing in a maze"),
    "textworld:coin": _Entry(_textworld("coin"), _ENGINE_LICENCE, "find the coin in a maze of dead ends"),
    "rewriting": _Entry(_rewriting(), "Apache-2.0", "all memory rewriting families, taking turns"),
    "rewriting:tmaze-fixed": _Entry(_rewriting("tmaze-fixed"), "Apache-2.0", "each corridor's sign voids the last"),
    "rewriting:tmaze-uniform": _Entry(_rewriting("tmaze-uniform"), "Apache-2.0", "the same, corridors of any length"),
    "rewriting:cubes-trivial": _Entry(_rewriting("cubes-trivial"), "Apache-2.0", "reach a cube that was seen once"),
    "rewriting:cubes-medium": _Entry(_rewriting("cubes-medium"), "Apache-2.0", "cubes that move while one walks"),
    "rewriting:cubes-extreme": _Entry(_rewriting("cubes-extreme"), "Apache-2.0", "the same, moves seen without colour"),
}


def load(name: str) -> Domain:
    """Open a domain by its name."""
    entry = _ENTRIES.get(name)
    if entry is None:
        raise DomainError(f"unknown domain {name!r}; known are {', '.join(_ENTRIES)}")
    return entry.make()


def describe(name: str) -> DomainInfo:
    """What is known of one domain that `load` knows."""
    return _describe(name, _ENTRIES[name])


def available() -> list[DomainInfo]:
    """What `load` knows, and whether it can be played here."""
    return [_describe(name, entry) for name, entry in _ENTRIES.items()]


def _describe(name: str, entry: _Entry) -> DomainInfo:
    try:
        domain = entry.make()
    except DomainError:
        return DomainInfo(name, "", False, {}, 0, entry.licence, entry.summary)
    roles = {role: len(domain.tasks(role)) for role in Role}
    return DomainInfo(name, domain.version, True, roles, domain.max_steps, entry.licence, entry.summary)
