"""The domains that exist, by name; nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from domains.base import Domain, DomainError, Role
from domains.factories import FORM, Made, offered, package_of

BUILT_IN = "Palimpsest"
"""The origin of our own."""
UNSTATED = "not stated"


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
    reward: str = UNSTATED
    """What the score of an episode is."""
    comparable: str = UNSTATED
    """Whether scores can stand beside published ones: `yes` or `no`, and why."""
    origin: str = BUILT_IN
    """Ours, or the package or file that brings it."""
    remedy: str = ""
    """Why it cannot be played here, and the command that mends that."""


@dataclass(frozen=True, slots=True)
class _Entry:
    make: Callable[[], Domain]
    licence: str
    summary: str
    reward: str = UNSTATED
    comparable: str = UNSTATED


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


def _baba(*families: str) -> Callable[[], Domain]:
    def make() -> Domain:
        from domains.baba import Baba
        from domains.baba_levels import FAMILIES

        return Baba(families or tuple(FAMILIES))

    return make


def _alfworld(*families: str) -> Callable[[], Domain]:
    def make() -> Domain:
        from domains.alfworld import AlfWorld
        from domains.alfworld_goal import FAMILIES

        return AlfWorld(families or tuple(FAMILIES))

    return make


def _minihack(*families: str) -> Callable[[], Domain]:
    def make() -> Domain:
        from domains.minihack import FAMILIES, MiniHack

        return MiniHack(families or tuple(FAMILIES))

    return make


_ENGINE_LICENCE = "MIT (engine), GPL-2.0-or-later (interpreter)"
_OWN_GAMES = "no: the engine's own generators, but other games and a list of actions"
_OWN_ACTIONS = "no: MiniHack's levels, but a list of actions and partial credit"
_OWN_RULES = "no: after the paper's rules, told in words"


def _textworld_entry(summary: str, *families: str) -> _Entry:
    return _Entry(_textworld(*families), _ENGINE_LICENCE, summary, "share of the game's points, 1 if won", _OWN_GAMES)


def _rewriting_entry(summary: str, *families: str) -> _Entry:
    return _Entry(_rewriting(*families), "Apache-2.0", summary, "share of turns or targets that are right", _OWN_RULES)


def _baba_entry(summary: str, *families: str) -> _Entry:
    stages = "share of the rule changes reached, 1 if won"
    return _Entry(_baba(*families), "Apache-2.0", summary, stages, "no: BALROG's kinds of level, drawn anew and easier")


def _alfworld_entry(summary: str, *families: str) -> _Entry:
    licence = "MIT (engine), GPL-3.0-or-later (planner)"
    reward = "share of ALFRED's goal conditions, 1 if won"
    comparable = "no: games made here; shares won are, on the benchmark's games, if $ALFWORLD_DATA has them"
    return _Entry(_alfworld(*families), licence, summary, reward, comparable)


def _minihack_entry(summary: str, *families: str) -> _Entry:
    licence = "Apache-2.0 (levels), NetHack General Public License (engine)"
    reward = "half of how far the goal was approached, 1 if won"
    return _Entry(_minihack(*families), licence, summary, reward, _OWN_ACTIONS)


_ENTRIES = {
    "recall": _Entry(
        _recall,
        "Apache-2.0",
        "cues whose colours are the same in every episode; fast, for tests",
        "share of answers that are right",
        "no: ours alone",
    ),
    "textworld": _textworld_entry("all TextWorld families, taking turns"),
    "textworld:cooking": _textworld_entry("find a recipe's ingredients and prepare it", "cooking"),
    "textworld:treasure": _textworld_entry("find the named thing in a maze", "treasure"),
    "textworld:coin": _textworld_entry("find the coin in a maze of dead ends", "coin"),
    "rewriting": _rewriting_entry("all memory rewriting families, taking turns"),
    "rewriting:tmaze-fixed": _rewriting_entry("each corridor's sign voids the last", "tmaze-fixed"),
    "rewriting:tmaze-uniform": _rewriting_entry("the same, corridors of any length", "tmaze-uniform"),
    "rewriting:cubes-trivial": _rewriting_entry("reach a cube that was seen once", "cubes-trivial"),
    "rewriting:cubes-medium": _rewriting_entry("cubes that move while one walks", "cubes-medium"),
    "rewriting:cubes-extreme": _rewriting_entry("the same, moves seen without colour", "cubes-extreme"),
    "baba": _baba_entry("all Baba Is AI families, taking turns"),
    "baba:goto_win": _baba_entry("reach what is WIN in one room or two", "goto_win"),
    "baba:make_win": _baba_entry("first make it so", "make_win"),
    "baba:break_stop-goto_win": _baba_entry("first take away what stops one at the wall", "break_stop-goto_win"),
    "baba:maybe_break_stop-goto_win": _baba_entry("the same, where it is needed", "maybe_break_stop-goto_win"),
    "baba:break_stop-make_win": _baba_entry("first do both", "break_stop-make_win"),
    "baba:make_you": _baba_entry("first become another thing", "make_you"),
    "baba:make_you-make_win": _baba_entry("the same, and make the target WIN", "make_you-make_win"),
    "baba:make_wall_win": _baba_entry("make the wall WIN", "make_wall_win"),
    "minihack": _minihack_entry("all MiniHack families, taking turns"),
    "minihack:room": _minihack_entry("cross a room, dark or with monsters or traps", "room"),
    "minihack:maze": _minihack_entry("find the way through a maze", "maze"),
    "minihack:corridor": _minihack_entry("find the way through rooms, doors and corridors", "corridor"),
    "minihack:battle": _minihack_entry("fight rats where only one can attack at a time", "battle"),
    "minihack:quest": _minihack_entry("freeze lava to cross it", "quest"),
    "minihack:key": _minihack_entry("fetch a key and unlock a door", "key"),
    "minihack:memento": _minihack_entry("choose the turning that a creature stands for", "memento"),
    "minihack:river": _minihack_entry("push boulders into a river to cross it", "river"),
    "minihack:explore": _minihack_entry("eat apples in a maze before leaving it", "explore"),
    "alfworld": _alfworld_entry("all ALFWorld families, taking turns; games made here, not the benchmark's"),
    "alfworld:pick": _alfworld_entry("find a thing and put it somewhere", "pick"),
    "alfworld:light": _alfworld_entry("find a thing and look at it under a lamp", "light"),
    "alfworld:clean": _alfworld_entry("the same as pick, cleaned in a sink before", "clean"),
    "alfworld:heat": _alfworld_entry("the same, heated in a microwave before", "heat"),
    "alfworld:cool": _alfworld_entry("the same, cooled in a fridge before", "cool"),
    "alfworld:two": _alfworld_entry("find two things of a kind and put them in one place", "two"),
}


def load(name: str) -> Domain:
    """Open a domain by its name: one of ours, an installed package's, or what `package.module:factory` returns."""
    if name in _ENTRIES:
        return _ENTRIES[name].make()
    made = _made(name)
    from domains.outside import OutsideDomain

    return OutsideDomain(name, made)


def load_bare(name: str) -> Domain:
    """The same, without what turns faults of a foreign domain into sentences: for its checks."""
    if name in _ENTRIES:
        return _ENTRIES[name].make()
    bare: Domain = _made(name).thing
    return bare


def describe(name: str) -> DomainInfo:
    """What is known of one domain; raises `DomainError` where there is none of that name."""
    if name in _ENTRIES:
        return _describe(name, _ENTRIES[name])
    return _describe_outside(name)


def available() -> list[DomainInfo]:
    """What `load` knows by name, and whether it can be played here."""
    from domains.outside import GROUP

    infos = [_describe(name, entry) for name, entry in _ENTRIES.items()]
    for name, points in sorted(offered(GROUP).items()):
        if name not in _ENTRIES:
            try:
                infos.append(_describe_outside(name))
            except DomainError as error:
                origin = _packages(points)
                infos.append(DomainInfo(name, "", False, {}, 0, UNSTATED, "", origin=origin, remedy=str(error)))
    return infos


def shadowed() -> dict[str, str]:
    """Entry points that have a name of ours, and so are left out, with the packages that bring them."""
    from domains.outside import GROUP

    return {name: _packages(points) for name, points in sorted(offered(GROUP).items()) if name in _ENTRIES}


def _packages(points: Sequence[EntryPoint]) -> str:
    return ", ".join(sorted(package_of(point) for point in points))


def _made(name: str) -> Made:
    """What is not ours; raises `DomainError` where there is nothing of that name either."""
    from domains import outside

    points = offered(outside.GROUP)
    families = {known.partition(":")[0] for known in _ENTRIES}
    made = outside.made(name) if name in points or name.partition(":")[0] not in families else None
    if made is None:
        known = ", ".join(dict.fromkeys([*_ENTRIES, *points]))
        raise DomainError(f"unknown domain {name!r}; known are {known}, and your own as {FORM}")
    return made


def _describe(name: str, entry: _Entry) -> DomainInfo:
    said = (entry.licence, entry.summary, entry.reward, entry.comparable)
    try:
        domain = entry.make()
    except DomainError as error:
        return DomainInfo(name, "", False, {}, 0, *said, remedy=str(error))
    return DomainInfo(name, domain.version, True, _sizes(domain), domain.max_steps, *said)


def _describe_outside(name: str) -> DomainInfo:
    """What a foreign domain says of itself: in the first line of its docstring, and in attributes, if it has them."""
    from domains.outside import OutsideDomain

    made = _made(name)
    domain = OutsideDomain(name, made)
    said = {field: str(getattr(made.thing, field, UNSTATED)) for field in ("licence", "reward", "comparable")}
    if said["licence"] == UNSTATED and made.licence:
        said["licence"] = made.licence
    summary = next(iter((type(made.thing).__doc__ or "").strip().splitlines()), "")
    return DomainInfo(
        name, domain.version, True, _sizes(domain), domain.max_steps, summary=summary, origin=made.origin, **said
    )


def _sizes(domain: Domain) -> dict[Role, int]:
    return {role: len(domain.tasks(role)) for role in Role}
