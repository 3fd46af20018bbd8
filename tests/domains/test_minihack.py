"""MiniHack: the text is the language wrapper's, the game is MiniHack's own, and what is listed makes sense."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from domains import registry
from domains.base import DomainError, Role, TaskSpec
from domains.minihack import FAMILIES, MiniHack

try:
    MiniHack()
except DomainError as missing:
    pytest.skip(str(missing), allow_module_level=True)

from domains.minihack_actions import SEARCH
from domains.minihack_engine import Engine, View, compiled
from domains.minihack_level import SQUEAKY_BOARD, read
from domains.minihack_play import MiniHackEnvironment
from domains.minihack_text import plural, seen

MOST_ACTIONS = 25


def spec(family: str, number: int = 0, role: Role = Role.REFLECTION) -> TaskSpec:
    return MiniHack([family]).tasks(role)[number]


def opened(family: str, number: int = 0, seed: int = 0) -> tuple[MiniHackEnvironment, str, dict[str, Any]]:
    environment = MiniHack([family]).environment(spec(family, number))
    return environment, *environment.reset(seed=seed)


def expertly(family: str, number: int, seed: int = 0) -> Iterator[tuple[MiniHackEnvironment, str, dict[str, Any]]]:
    """The expert's episode, step by step: the environment, the action and what it led to."""
    environment, text, info = opened(family, number, seed)
    expert = MiniHack([family]).expert(spec(family, number), environment)
    while info["actions"]:
        action = expert.act(text, info)
        text, *_, info = environment.step(action)
        yield environment, action, info
    environment.close()


FLOOR, STAIRS, LAVA, WALL, DOORWAY = 19, 24, 34, 2, 12
SCREENS = {
    ((1, 0, STAIRS),): ["stairs down adjacent east"],
    ((2, -1, LAVA), (3, -1, LAVA), (4, 1, LAVA)): [
        "lava near eastnortheast and eastsoutheast",
        "lava very near eastnortheast",
    ],
    ((0, -3, WALL), (0, -4, STAIRS), (5, 5, DOORWAY)): [
        "stairs down near north",
        "horizontal wall near north",
        "doorway near southeast",
    ],
    ((1, 2, LAVA), (1, 3, LAVA), (2, 3, LAVA), (-25, 1, LAVA), (-26, 1, LAVA)): [
        "area of lava very far westsouthwest",
        "area of lava near southsoutheast",
        "lava very near southsoutheast",
    ],
}
"""Map symbols by their offset from the player, and what the NLE language wrapper says of them."""


@pytest.mark.parametrize("things", SCREENS)
def test_text_is_that_of_the_language_wrapper(things: tuple[tuple[int, int, int], ...]) -> None:
    import numpy as np
    from nle import nethack

    screen = np.full((21, 79), nethack.GLYPH_CMAP_OFF + FLOOR, dtype=np.int16)
    for dx, dy, symbol in things:
        screen[10 + dy, 40 + dx] = nethack.GLYPH_CMAP_OFF + symbol
    assert seen(screen, 40, 10) == SCREENS[things]


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("giant rat", "giant rats"),
        ("jelly", "jellies"),
        ("grey stone", "grey stones"),
        ("combat boots", "combat boots"),
        ("lynx", "lynxes"),
        ("dwarf", "dwarves"),
        ("scroll labeled KIRJE", "scrolls labeled KIRJE"),
    ],
)
def test_plural(one: str, several: str) -> None:
    assert plural(one) == several


@pytest.mark.parametrize("family", FAMILIES)
def test_the_task_fixes_the_start_and_the_seed_what_comes_later(family: str) -> None:
    first = {opened(family, 0, seed)[1] for seed in range(3)}
    assert len(first) == 1
    assert {opened(family, number)[1] for number in range(1, 9)} - first


def test_equal_seeds_give_equal_fights_and_other_seeds_do_not() -> None:
    fights = [[environment.view.message for environment, *_ in expertly("battle", 0, seed)] for seed in (1, 1, 2)]
    assert fights[0] == fights[1] != fights[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_listed_actions_are_few_and_sensible(family: str) -> None:
    rng = Random(family)
    for number in range(3):
        environment, _, info = opened(family, number)
        while info["actions"]:
            assert SEARCH in info["actions"]
            assert len(info["actions"]) == len(set(info["actions"])) <= MOST_ACTIONS
            *_, info = environment.step(rng.choice(info["actions"]))
            assert "You fall into" not in environment.view.message
            assert "burn to a crisp" not in environment.view.message
        environment.close()


WALKS = [("room", 0), ("maze", 1), ("corridor", 1), ("memento", 1), ("river", 0)]
"""Tasks that take no answers, which MiniHack's own step declines."""


@pytest.mark.parametrize(("family", "number"), WALKS)
def test_the_same_keys_win_the_same_in_minihack_itself(
    family: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, seeds = recorded(monkeypatch)
    *_, (_, _, info) = expertly(family, number)
    assert info["won"]
    theirs = Genuine(MiniHack([family]).level(spec(family, number)), *seeds[-1])
    outcomes = [theirs.press(letter) for letter in typed if letter not in (27, 32)]  # its step answers by itself
    assert [over for _, over in outcomes] == [False] * (len(outcomes) - 1) + [True]
    assert outcomes[-1][0] == 1


def recorded(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[tuple[int, int]]]:
    """What will be typed since the last reset, and the seeds of all resets."""
    typed: list[int] = []
    seeds: list[tuple[int, int]] = []
    key, reset = Engine._key, Engine.reset

    def type_key(self: Engine, letter: int, said: list[str]) -> None:
        typed.append(letter)
        key(self, letter, said)

    def begin(self: Engine, level_seed: int, play_seed: int) -> View:
        view = reset(self, level_seed, play_seed)
        seeds.append((level_seed, play_seed))
        typed.clear()
        return view

    monkeypatch.setattr(Engine, "_key", type_key)
    monkeypatch.setattr(Engine, "reset", begin)
    return typed, seeds


class Genuine:
    """MiniHack's own environment of a level, with every key that we use among its actions."""

    def __init__(self, level: str, level_seed: int, play_seed: int) -> None:
        import gymnasium
        import minihack.envs  # noqa: F401
        from nle import nethack

        self.actions = tuple(nethack.ACTIONS)
        made: Any = gymnasium.make(
            f"MiniHack-{level}-v0",
            actions=self.actions,
            penalty_step=0,
            fix_moon_phase=True,
            max_episode_steps=10_000,
            disable_env_checker=True,
        )
        self.environment = made.unwrapped
        first = Random(f"level {level_seed}")
        core, display, lgen = (first.getrandbits(31) for _ in range(3))
        self.environment.seed(core=core, disp=display, reseed=False, lgen=lgen)
        self.environment.reset()
        later = Random(f"play {level_seed} {play_seed}")
        self.environment.nethack.set_current_seeds(later.getrandbits(31), later.getrandbits(31), False)

    def press(self, letter: int) -> tuple[float, bool]:
        """Its reward, and whether it says that the episode is over."""
        index = next(number for number, action in enumerate(self.actions) if action == letter)
        _, reward, over, _, _ = self.environment.step(index)
        return reward, over


def test_harder_levels_are_half_of_the_test_and_nowhere_else() -> None:
    domain = MiniHack()
    for role in Role:
        for task in domain.tasks(role):
            harder = task.id.endswith("-harder")
            assert (domain.level(task) in FAMILIES[task.family].harder) == harder
            assert not harder or role is Role.TEST
    test = domain.tasks(Role.TEST)
    assert sum(task.id.endswith("-harder") for task in test) == len(test) / 2
    assert {domain.level(task) for task in test} == {
        level for family in FAMILIES.values() for level in (*family.levels, *family.harder)
    }


def test_a_squeaky_board_ends_the_episode_with_less_than_half() -> None:
    environment, text, info = opened("memento")
    expert: Any = MiniHack(["memento"]).expert(spec("memento"), environment)
    boards = {cell for cell, what in environment.level().traps.items() if what == SQUEAKY_BOARD}
    assert boards
    expert.goals, expert.avoided = lambda: boards, lambda: ()
    while info["actions"]:
        text, _, terminated, _, info = environment.step(expert.act(text, info))
    assert terminated
    assert not info["won"]
    assert "squeak" in text
    assert info["score"] <= 0.5


def test_a_door_is_unlocked_only_with_the_key() -> None:
    listed = []
    for environment, action, _ in expertly("key", 1):
        carries = any("key" in text for text in environment.view.inventory.values())
        listed.append((action.partition(" ")[0], carries))
    assert ("unlock", False) not in listed
    assert ("unlock", True) in listed
    assert listed.count(("pick", True)) == 1


def test_reading_the_level_does_not_outlive_a_reset() -> None:
    engine = Engine(compiled("Corridor-R3"))
    views = []
    for _ in range(3):
        view = engine.reset(5, 6)
        level = read(engine, view)
        views.append((view.glyphs.tobytes(), level, engine.press(b"l").glyphs.tobytes()))
    engine.close()
    assert views[0] == views[1] == views[2]
    assert level.stairs is not None
    assert view.cell in level.distances([level.stairs])


def test_families_played_in_threads_are_as_alone() -> None:
    def scores(family: str) -> list[tuple[str, float]]:
        return [(action, info["score"]) for _, action, info in expertly(family, 1)]

    families = [family for family in FAMILIES if family != "river"] * 2
    with ThreadPoolExecutor(len(families)) as threads:
        together = list(threads.map(scores, families))
    assert together == [scores(family) for family in families]


def test_a_missing_package_is_a_sentence_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("domains.minihack.version", missing)
    with pytest.raises(DomainError, match=r"nle is not installed.*pip install 'palimpsest\[minihack\]'"):
        registry.load("minihack")
    info = registry.describe("minihack:room")
    assert not info.installed


def test_unknown_family_is_refused() -> None:
    with pytest.raises(DomainError, match="room, maze"):
        MiniHack(["volcano"])
