"""ALFWorld: games that are made, the benchmark's where they are, and play that is the stock engine's to the letter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from random import Random

import pytest

from domains import alfworld_data, alfworld_engine, alfworld_games
from domains.alfworld import AlfWorld
from domains.alfworld_data import RELEASE, SPLITS, VARIABLE
from domains.alfworld_engine import Engine, EngineError, Engines
from domains.alfworld_goal import FAMILIES, Goal, World, met
from domains.alfworld_play import AlfWorldEnvironment
from domains.base import DomainError, Role, TaskSpec
from tests import THOROUGH

pytestmark = pytest.mark.skipif(util.find_spec("alfworld") is None, reason="the extra `alfworld` is not installed")

GAMES, STEPS = (54, 40) if THOROUGH else (4, 8)
"""Games on which play is compared with the stock engine, and the steps in each; the stock engine takes its time."""


@pytest.fixture(autouse=True)
def no_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[Engine, Engine]]:
    """A fast one and a stock one."""
    pair = Engine("fast"), Engine("stock")
    yield pair
    for engine in pair:
        engine.close()


def mixed(domain: AlfWorld, count: int) -> list[TaskSpec]:
    """Tasks of all families and roles, test rooms among them."""
    specs = [domain.tasks(role)[number] for number in range(count) for role in (Role.DEPLOYMENT, Role.TEST)]
    return sorted(specs, key=lambda spec: spec.seed % 10_000)[:count]


def some_command(commands: list[str], rng: Random) -> str:
    """Each verb is as likely as any other: else one would mostly walk."""
    verb = rng.choice(sorted({command.partition(" ")[0] for command in commands}))
    return rng.choice([command for command in commands if command.partition(" ")[0] == verb])


def test_play_is_the_stock_engine_s_letter_by_letter(engines: tuple[Engine, Engine]) -> None:
    domain, rng = AlfWorld(), Random(1)
    fast, stock = engines
    specs = mixed(domain, GAMES)
    domain.prepare(specs)
    shown = ("text", "commands", "won")
    games = [domain.environment(spec).game for spec in specs]
    for game in (*games, games[0]):  # the last is met again
        way: list[str] = json.loads(game.read_text())["walkthrough"]
        for told in ([""] * STEPS, way) if THOROUGH or game == games[0] else ([""] * STEPS,):
            ours, theirs = fast.reset(game), stock.reset(game)
            for command in (*told, ""):
                assert {key: ours[key] for key in shown} == {key: theirs[key] for key in shown}
                if not ours["won"]:
                    command = command or some_command(ours["commands"], rng)
                    ours, theirs = fast.step(command), stock.step(command)
            assert ours["won"] or told is not way


@pytest.mark.parametrize("role", [Role.COLLECTION, Role.TEST])
@pytest.mark.parametrize("family", FAMILIES)
def test_walkthrough_that_was_stored_wins(family: str, role: Role) -> None:
    domain = AlfWorld([family])
    for spec in domain.tasks(role)[: 20 if THOROUGH else 1]:
        environment = domain.environment(spec)
        _, info = environment.reset()
        assert info["score"] == 0
        for command in json.loads(environment.game.read_text())["walkthrough"]:
            assert not info["won"]
            _, _, over, _, info = environment.step(command)
        assert over
        assert (info["won"], info["score"]) == (True, 1.0)
        environment.close()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wandered", [0, 25])
def test_expert_wins_from_wherever_it_is(family: str, wandered: int) -> None:
    domain, rng = AlfWorld([family], max_steps=100), Random(wandered)
    for spec in domain.tasks(Role.DEPLOYMENT)[: 20 if THOROUGH else 2]:
        environment = domain.environment(spec)
        observation, info = environment.reset()
        expert = domain.expert(spec, environment)
        last = 0.0
        for step in range(100):
            early = step < wandered
            command = some_command(info["actions"], rng) if early else expert.act(observation, info)
            observation, reward, over, _, info = environment.step(command)
            assert reward >= 0
            assert info["score"] >= last
            holds = met(environment.goal, World.of(environment.facts)) == environment.goal.conditions
            assert holds == info["won"] == (info["score"] == 1)
            last = info["score"]
            if over:
                break
        assert info["won"]
        assert early or step - wandered <= 16
        environment.close()


def test_score_grows_with_the_conditions_that_are_met() -> None:
    domain = AlfWorld(["heat"])
    spec = domain.tasks(Role.COLLECTION)[0]
    environment = domain.environment(spec)
    observation, info = environment.reset()
    expert, scores = domain.expert(spec, environment), [0.0]
    while info["actions"]:
        observation, _, _, _, info = environment.step(expert.act(observation, info))
        scores.append(info["score"])
    assert sorted(set(scores)) == pytest.approx([0, 1 / 3, 1])
    assert len(info["goal"].splitlines()) == 1


def test_rooms_of_the_test_role_are_in_no_other() -> None:
    domain = AlfWorld()
    rooms: dict[Role, set[int]] = {}
    for role in Role:
        specs = domain.tasks(role)[: None if THOROUGH else 48]
        domain.prepare(specs)
        tasks = [json.loads(domain.environment(spec).game.with_name("traj_data.json").read_text()) for spec in specs]
        rooms[role] = {task["scene"]["scene_num"] for task in tasks}
        assert [task["task_type"] for task in tasks] == [FAMILIES[spec.family] for spec in specs]
    seen = set().union(*(rooms[role] for role in Role if role is not Role.TEST))
    assert len(seen) > 40
    assert len(rooms[Role.TEST]) > 12
    assert seen.isdisjoint(rooms[Role.TEST])
    assert "generated" in domain.version


def test_families_share_tasks_with_the_whole() -> None:
    parts = [AlfWorld([family]) for family in FAMILIES]
    assert [part.name for part in parts] == [f"alfworld:{family}" for family in FAMILIES]
    for role in Role:
        assert set(AlfWorld().tasks(role)) == {spec for part in parts for spec in part.tasks(role)}
    with pytest.raises(DomainError, match="chess"):
        AlfWorld(["chess"])


def test_equal_games_have_equal_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = AlfWorld()
    specs = domain.tasks(Role.COLLECTION)[:6]
    domain.prepare(specs)
    games = [domain.environment(spec).game for spec in specs]
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    domain.prepare(specs[::-1])
    again = [domain.environment(spec).game for spec in specs]
    for one, other in zip(games, again, strict=True):
        assert one != other
        files = sorted(file.name for file in one.parent.iterdir())
        assert files == sorted(file.name for file in other.parent.iterdir()) == ["game.tw-pddl", "traj_data.json"]
        assert [(one.parent / name).read_bytes() for name in files] == [
            (other.parent / name).read_bytes() for name in files
        ]


def test_two_processes_prepare_the_same_game_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    script = (
        "from domains.alfworld import AlfWorld; from domains.base import Role; d = AlfWorld();"
        "d.prepare(d.tasks(Role.TEST)[:3])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(list((tmp_path / "alfworld").iterdir())) == 3


def benchmark(root: Path, games: list[Path]) -> None:
    """A small download in the published layout, made of our games, with what the benchmark leaves out."""
    for split in SPLITS:
        for number, game in enumerate(games):
            task = json.loads(game.with_name("traj_data.json").read_text())
            parts = task["pddl_params"]
            kind = f"{task['task_type']}-{parts['object_target']}-None-{parts['parent_target']}-{number}"
            for trial, folder in enumerate((kind, kind, kind, f"{kind}-Sliced", f"movable-{kind}", kind)):
                target = root / RELEASE / split / folder / f"trial_T2019_{trial}"
                shutil.copytree(game.parent, target)
                if trial == 5:
                    content = json.loads(game.read_text())
                    (target / game.name).write_text(json.dumps({**content, "solvable": False}))
    shutil.rmtree(target)


def test_games_of_the_benchmark_are_played_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = AlfWorld()
    specs = [spec for spec in ours.tasks(Role.TEST)[:12] if spec.family != "two" or spec.seed % 10_000 == 0]
    ours.prepare(specs)
    benchmark(tmp_path, [ours.environment(spec).game for spec in specs])
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    domain = AlfWorld()
    assert "-data-" in domain.version
    sizes = {role: len(domain.tasks(role)) for role in Role}
    assert sizes == dict(zip(Role, (6, 6, 6, 18, 18), strict=True))  # as many of each as there are of `two`
    assert len(AlfWorld(["heat"]).tasks(Role.TEST)) == 6
    played = {role: [domain.environment(spec).game for spec in domain.tasks(role)] for role in Role}
    every = [game for games in played.values() for game in games]
    assert len(set(every)) == len(every)
    assert not [game for game in every if "Sliced" in str(game) or "movable" in str(game) or "T2019_5" in str(game)]
    for role in Role:
        split = next(split for split, roles in SPLITS.items() if role in roles)
        assert {game.relative_to(tmp_path / RELEASE).parts[0] for game in played[role]} == {split}
    spec = domain.tasks(Role.TEST)[1]
    environment = domain.environment(spec)
    observation, info = environment.reset()
    expert = domain.expert(spec, environment)
    while info["actions"]:
        observation, _, _, _, info = environment.step(expert.act(observation, info))
    assert info["won"]


def test_missing_data_and_packages_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DomainError, match=r"lacks train, valid_seen, valid_unseen; .*alfworld-download"):
        AlfWorld()
    for split in SPLITS:
        (tmp_path / RELEASE / split).mkdir(parents=True)
    with pytest.raises(DomainError, match=r"train has 0 solvable games of pick_and_place_simple.*alfworld-download -f"):
        AlfWorld()
    alfworld_data.found.cache_clear()
    monkeypatch.delenv(VARIABLE)
    for broken, sentence in (("ENGINE", "not installed"), ("LIBRARY", "without its planner")):
        with monkeypatch.context() as patch:
            patch.setattr(alfworld_games, broken, "no-such-thing")
            alfworld_games.engine_version.cache_clear()
            with pytest.raises(DomainError, match=rf"{sentence}.*pip install \"palimpsest\[alfworld\]\""):
                AlfWorld()
    alfworld_games.engine_version.cache_clear()


def game() -> Path:
    domain = AlfWorld()
    return domain.environment(domain.tasks(Role.COLLECTION)[0]).game


def test_engine_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alfworld_engine, "RESET_SECONDS", 0.0)
    engine = Engine()
    with pytest.raises(EngineError, match="took more than 0 s"):
        engine.reset(game())
    assert not engine.alive
    engine.close()


def test_games_that_are_never_made_end_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    for name in ("START_SECONDS", "GAME_SECONDS"):
        monkeypatch.setattr(alfworld_games, name, 0)
    domain = AlfWorld()
    with pytest.raises(DomainError, match="took longer than 0 s for 1"):
        domain.prepare(domain.tasks(Role.COLLECTION)[:1])


def test_engine_that_breaks_says_why(tmp_path: Path) -> None:
    engine = Engine()
    with pytest.raises(EngineError, match="FileNotFoundError"):
        engine.reset(tmp_path / "no.tw-pddl")
    with pytest.raises(EngineError):
        engine.reset(game())
    engine.close()


def test_engine_ends_with_its_parent() -> None:
    script = (
        "import os, time; from domains.alfworld_engine import Engine;"
        "e = Engine(); print(e._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while Path(f"/proc/{said.stdout.strip()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_engine_is_kept_for_the_next_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = Engines()
    monkeypatch.setattr("domains.alfworld_play.engines", lambda: idle)
    one, other = AlfWorldEnvironment(game(), 50), AlfWorldEnvironment(game(), 50)
    one.reset()
    engine = one._engine
    other.reset()
    assert other._engine is not engine
    del one  # nobody closed it
    third = AlfWorldEnvironment(game(), 50)
    third.reset()
    assert third._engine is engine
    third.close()
    other.close()
    assert engine is not None
    os.kill(engine._process.pid, signal.SIGKILL)
    engine._process.wait()
    fourth = AlfWorldEnvironment(game(), 50)
    fourth.reset()
    assert fourth._engine is not engine
    fourth.close()
    idle.close()


def test_goal_is_read_from_beside_the_game() -> None:
    goal = Goal.read(game())
    assert (goal.family, goal.conditions) == ("pick", 1)
    assert goal.thing == goal.thing.lower() != ""
