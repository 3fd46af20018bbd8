"""TextWorld: the cache, the tasks, and that play on the graph shows what plain play shows."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from domains import textworld_graph
from domains.base import DomainError, Role, TaskSpec
from domains.conformance import play
from domains.textworld import COOKING, FAMILIES, TextWorld
from domains.textworld_games import Game, generate
from domains.textworld_play import TextWorldEnvironment
from domains.textworld_text import observation, tidy

pytestmark = pytest.mark.filterwarnings("ignore:Game .* is not fully supported")


class Plain:
    """TextWorld as its own library plays it: the reference for the graph."""

    def __init__(self, path: Path, max_steps: int) -> None:
        import textworld

        wanted = dict.fromkeys(
            ["description", "inventory", "admissible_commands", "won", "lost", "score", "max_score", "objective"], True
        )
        self.game = textworld.start(str(path), textworld.EnvInfos(**wanted, extras=["walkthrough"]))
        self._max_steps = max_steps
        self._steps = 0
        self._score = 0.0

    def reset(self, *, seed: int | None = None) -> tuple[str, dict[str, Any]]:
        state = self.game.reset()
        self._steps, self._score = 0, 0.0
        return observation("", state["description"], state["inventory"]), self._info(state, False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        state, _, over = self.game.step(action)
        self._steps += 1
        truncated = not over and self._steps >= self._max_steps
        info = self._info(state, over or truncated)
        reward, self._score = info["score"] - self._score, info["score"]
        room = () if over else (state["description"], state["inventory"])
        return observation(state["feedback"], *room), reward, over, truncated, info

    def _info(self, state: Any, over: bool) -> dict[str, Any]:
        return {
            "goal": tidy(state["objective"]),
            "actions": [] if over else list(state["admissible_commands"]),
            "score": 1.0 if state["won"] else state["score"] / state["max_score"],
            "won": bool(state["won"]),
        }


def tasks(domain: TextWorld, *numbers: int) -> list[TaskSpec]:
    return [domain.tasks(Role.COLLECTION)[number] for number in numbers]


@pytest.mark.parametrize(
    ("family", "number"), [("cooking", 0), ("cooking", 2), ("cooking", 3), ("treasure", 0), ("coin", 0)]
)
def test_graph_shows_what_plain_play_shows(family: str, number: int) -> None:
    domain = TextWorld([family])
    [spec] = tasks(domain, number)
    environment = domain.environment(spec)
    plain = Plain(domain.game(spec).path(), domain.max_steps)
    for seed in (0, 1, 2, 0, 3):
        assert play(environment, seed) == play(plain, seed)


def test_graph_that_starts_anew_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = TextWorld(["cooking"])
    [spec] = tasks(domain, 0)
    expected = [play(domain.environment(spec), seed) for seed in range(3)]
    monkeypatch.setattr(textworld_graph, "MOST_POSITIONS", 7)
    textworld_graph.graph.cache_clear()
    assert [play(domain.environment(spec), seed) for seed in range(3)] == expected
    textworld_graph.graph.cache_clear()


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_walkthrough_wins_cooking(number: int) -> None:
    domain = TextWorld(["cooking"], max_steps=200)
    [spec] = tasks(domain, number)
    environment = domain.environment(spec)
    walkthrough = list(Plain(domain.game(spec).path(), 200).game.reset()["extra.walkthrough"])
    _, info = environment.reset()
    over = False
    for command in walkthrough:
        if command in info["actions"]:
            _, _, over, _, info = environment.step(command)
    assert over
    assert info["won"]
    assert info["score"] == 1


def test_losing_keeps_the_points() -> None:
    domain = TextWorld(["cooking"])
    ends = [play(domain.environment(spec), seed)[-1] for spec in tasks(domain, 0, 2) for seed in range(12)]
    lost = [info for _, _, terminated, _, info in ends if terminated and not info["won"]]
    assert lost
    assert all(info["score"] < 1 and isfinite(info["score"]) for info in lost)


def test_every_role_has_the_same_mix() -> None:
    domain = TextWorld(["cooking"])
    mix = Counter(COOKING)
    for role in Role:
        games = [domain.game(spec) for spec in domain.tasks(role)]
        rows = [tuple(value for _, value in game.settings[:-2]) for game in games]
        for start in range(len(rows) - len(COOKING)):
            assert Counter(rows[start : start + len(COOKING)]) == mix
    columns = [set(column) for column in zip(*COOKING, strict=True)]
    assert columns == [{1, 2, 3}, {1, 2, 3}, {1, 6, 9, 12}, *[{True, False}] * 4]


def test_families_share_tasks_with_the_whole() -> None:
    whole = TextWorld()
    parts = [TextWorld([family]) for family in FAMILIES]
    assert [part.name for part in parts] == ["textworld:cooking", "textworld:treasure", "textworld:coin"]
    for role in Role:
        assert set(whole.tasks(role)) == {spec for part in parts for spec in part.tasks(role)}


def test_unknown_family_is_refused() -> None:
    with pytest.raises(DomainError, match="chess"):
        TextWorld(["chess"])


def test_two_processes_prepare_the_same_game_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    script = (
        "from domains.textworld import TextWorld; from domains.base import Role; d = TextWorld(['cooking']);"
        "s = d.tasks(Role.TEST)[0]; d.prepare([s]); d.environment(s).reset()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    [kept] = (tmp_path / "textworld").iterdir()
    assert sorted(file.name for file in kept.iterdir()) == ["game.json", "game.z8"]


def test_equal_games_have_equal_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = TextWorld(["cooking"])
    [spec] = tasks(domain, 0)
    domain.prepare([spec])
    first = {file.name: file.read_bytes() for file in domain.game(spec).directory().iterdir()}
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    domain.prepare([spec])
    assert {file.name: file.read_bytes() for file in domain.game(spec).directory().iterdir()} == first


def test_a_game_that_cannot_be_made_says_why() -> None:
    with pytest.raises(DomainError, match="1, 6, 9, 12"):
        generate([Game("cooking", (("go", 7), ("recipe", 1), ("recipe_seed", 1), ("split", None)), 1)])


def test_environment_is_the_text_environment_it_says() -> None:
    domain = TextWorld(["cooking"])
    assert isinstance(domain.environment(tasks(domain, 0)[0]), TextWorldEnvironment)
