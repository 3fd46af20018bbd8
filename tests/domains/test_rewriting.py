"""Memory rewriting: what is void is void, what is hidden is hidden, and a memory that overwrites is worth the score."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from domains.base import Role, TaskSpec
from domains.conformance import play as play_randomly
from domains.rewriting import FAMILIES, Rewriting
from domains.rewriting_cubes import COLOURS, LEVELS, ColorCubes
from domains.rewriting_tmaze import CORRIDORS, LONGEST, WALK, EndlessTMaze
from evolve.agents.lexical import LexicalAgent
from evolve.play import play
from evolve.statistics import estimate
from sandbox.backends import make
from sandbox.guest import Item
from sandbox.pool import Pool
from scripts.bench_rewriting import chance, measure

CUBES = [f"cubes-{name}" for name in LEVELS]
MAZES = ["tmaze-fixed", "tmaze-uniform"]


def specs(family: str, role: Role = Role.REFLECTION) -> list[TaskSpec]:
    return list(Rewriting([family]).tasks(role))


# --- Endless T-Maze


def follow(maze: EndlessTMaze, seed: int, signs_late: int = 0) -> tuple[float, list[str], list[int]]:
    """Walk the maze by the sign that was the last so many corridors ago: score, signs, lengths of corridors."""
    text, info = maze.reset(seed=seed)
    signs: list[str] = []
    lengths: list[int] = []
    while info["actions"]:
        if "Sign: " in text:
            signs.append(text.splitlines()[-1])
            lengths.append(0)
        if info["actions"] == [WALK]:
            action = WALK
            lengths[-1] += 1
        else:
            turn = signs[max(0, len(signs) - 1 - signs_late)][-1]
            action = next(action for action in info["actions"] if action.startswith(f"turn {turn} "))
        text, *_, info = maze.step(action)
    return info["score"], signs, lengths


@pytest.mark.parametrize("uniform", [False, True])
def test_a_sign_is_seen_once_and_makes_the_one_before_void(uniform: bool) -> None:
    seen: set[int] = set()
    late = []
    for seed in range(40):
        maze = EndlessTMaze(seed, uniform=uniform)
        score, signs, lengths = follow(maze, seed)
        assert score == 1
        assert len(signs) == len(set(signs)) == CORRIDORS
        seen.update(lengths)
        late.append(follow(maze, seed, signs_late=1)[0])
    assert seen == (set(range(1, LONGEST + 1)) if uniform else {LONGEST})
    assert estimate(late).mean == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("family", MAZES)
def test_only_the_start_of_a_corridor_shows_a_cue(family: str) -> None:
    for text, *_, info in play_randomly(Rewriting().environment(specs(family)[0]), 0):
        assert ("Sign: " in text) == ("A corridor begins." in text)
        assert "Sign: " not in text or info["actions"] == [WALK]


# --- Color-Cubes


def seek(cubes: ColorCubes, seed: int) -> tuple[list[str], float]:
    """Go to each target by the shortest way: all observations, and the score."""
    text, info = cubes.reset(seed=seed)
    seen = [text]
    while info["actions"]:
        column, row = cubes.truth()[0].split(": ")[1].split(", ")
        action = max(info["actions"], key=lambda listed: (column in listed) + (row in listed))
        text, *_, info = cubes.step(action)
        seen.append(text)
    return seen, info["score"]


def views(seen: list[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What happened and where the cubes then are, for each observation that shows them."""
    for text in seen:
        if "Target: " in text:
            cells = [line.split(": ") for line in text.splitlines() if "column" in line and "You" not in line]
            yield text.splitlines()[0], [(name, cell) for name, cell in cells]


@pytest.mark.parametrize("family", CUBES)
def test_cubes_are_seen_only_when_one_teleports(family: str) -> None:
    for spec in specs(family):
        _, *later = play_randomly(Rewriting().environment(spec), 1)
        for text, *_ in later:
            event = text.startswith(("You touch", "A cube moves"))
            assert event or re.fullmatch(r"You: column [a-f], row [1-6]", text)


@pytest.mark.parametrize("family", CUBES)
def test_two_moves_reach_a_target(family: str) -> None:
    for spec in specs(family):
        seen, score = seek(cubes_of(spec), 1)
        assert score == 1
        assert len(seen) - 1 <= 2 * LEVELS[family.removeprefix("cubes-")].targets
        assert sum(text.startswith("You touch") for text in seen) == LEVELS[family.removeprefix("cubes-")].targets


def test_exactly_one_cube_teleports_and_the_view_tells_which() -> None:
    happened = set()
    for spec in specs("cubes-medium"):
        known: dict[str, str] = {}
        for event, cells in views(seek(cubes_of(spec), 1)[0]):
            moved = {name for name, cell in cells if known.get(name) != cell}
            if known:
                assert len(moved) == 1
                assert event == "A cube moves." or event.startswith(f"You touch the {min(moved).lower()} cube")
                happened.add(event.split()[1])
            known = dict(cells)
    assert happened == {"touch", "cube"}


def test_extreme_views_leave_out_the_colours() -> None:
    for spec in specs("cubes-extreme"):
        (_, first), *later = views(seek(cubes_of(spec), 1)[0])
        assert {name.lower() for name, _ in first} <= set(COLOURS)
        before = {cell for _, cell in first}
        for _, cells in later:
            now = {cell for _, cell in cells}
            assert {name for name, _ in cells} == {"Some cube"}
            assert len(now - before) == len(before - now) == 1
            before = now


def cubes_of(spec: TaskSpec) -> ColorCubes:
    made = FAMILIES[spec.family](spec.seed)
    assert isinstance(made, ColorCubes)
    return made


# --- all families


@pytest.mark.parametrize("family", FAMILIES)
def test_the_task_fixes_the_start_and_the_seed_what_comes_later(family: str) -> None:
    first, second = specs(family)[:2]
    domain = Rewriting([family])
    starts = {domain.environment(first).reset(seed=seed)[0] for seed in range(5)}
    assert len(starts) == 1
    assert domain.environment(second).reset(seed=0)[0] not in starts
    if family != "cubes-trivial":
        assert play_randomly(domain.environment(first), 1)[-1] != play_randomly(domain.environment(first), 2)[-1]


HINTS = {
    "no memory": [],
    "a hint": [Item.of(text) for text in ("Sign: heron, turn L or R", "Target cube: column a, row 1", *COLOURS)],
}
"""Fixed texts: nothing in them can tell the agent what holds now, whatever it does with what it sees."""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("hint", HINTS)
def test_the_agent_cannot_carry_the_cue_itself(family: str, hint: str) -> None:
    domain = Rewriting([family])
    tasks = [spec for role in Role for spec in domain.tasks(role)][: None if family == "cubes-trivial" else 120]
    agent = LexicalAgent()
    gains = [
        play(domain, spec, agent, number, HINTS[hint]).score - chance(domain, spec, number)
        for number, spec in enumerate(tasks)
    ]
    gain = estimate(gains)
    assert gain.low <= 0
    assert hint == "a hint" or gain.high >= 0


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(make("process")) as made:
        yield made


@pytest.mark.parametrize("family", ["tmaze-uniform", "cubes-medium"])
def test_overwriting_beats_appending_and_an_oracle_is_right(family: str, pool: Pool) -> None:
    means = {name: estimate(list(scores.values())).mean for name, scores in measure(family, 4, 1, pool).items()}
    assert means["no memory"] < means["append_only"] < means["overwriting"] - 0.1
    assert means["overwriting"] > 0.95
    assert means["oracle"] > 0.95


def test_what_moved_without_its_name_is_found_by_elimination(pool: Pool) -> None:
    means = {name: estimate(list(s.values())).mean for name, s in measure("cubes-extreme", 6, 1, pool).items()}
    assert means["overwriting"] < 0.7
    assert means["elimination"] > 0.95
