"""Domains and agents that are not ours: found by factory or entry point, and every fault of theirs in one sentence."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from domains import registry
from domains.base import DomainError, HasExpert, Role
from evolve.agents import registry as agents
from evolve.agents.lexical import LexicalAgent
from evolve.errors import InputError
from evolve.play import play

NUMBERS = count()
RECALL = """
from domains.recall import Recall, RecallEnvironment

class Mine(Recall):
    \"\"\"Colours of my own.\"\"\"
    reward = "right answers"

    def environment(self, spec):
        return Env(self.cues(spec), self._answers)

class Env(RecallEnvironment):
    def step(self, action):
        text, reward, terminated, truncated, info = super().step(action)
        {change}
        return text, reward, terminated, truncated, info
"""
AGENT = """
class Mine:
    name, version, reads_instructions = "mine", "1", False
    def begin(self, goal, instructions, seed, account=None):
        return self
    def act(self, observation, actions, items):
        {act}
"""

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module of a new name into the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def module(text: str) -> str:
        name = f"own_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return name

    return module


def offer(folder: Path, package: str, group: str, *points: str) -> None:
    """Install a package that brings entry points, as far as Python can tell."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 1.0\nLicense-Expression: MIT\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *points]))
    sys.path.insert(0, str(folder))


UNLOADABLE = {
    "nothing there": ("", "none", "has no 'none'"),
    "no function": ("make = 3", "make", "has no function or class 'make'"),
    "an argument": ("def make(x): ...", "make", "raised TypeError: make() missing 1 required positional argument"),
    "it raises": ("def make():\n    return {}['a']", "make", "raised KeyError: 'a' (own_0.py, line 2)"),
    "it leaves": ("def make():\n    raise SystemExit(3)", "make", "raised SystemExit: 3 (own_0.py, line 2)"),
    "its module raises": ("x = 1 / 0", "make", "cannot be imported: ZeroDivisionError: division by zero (own_0.py, l"),
    "its module is none": ("def make(:", "make", "cannot be imported: SyntaxError"),
    "it lacks a module": ("import nowhere_9", "make", "cannot be imported: ModuleNotFoundError: No module named 'now"),
    "something else": ("make = dict", "make", "dict lacks name, version, "),
}


@pytest.mark.parametrize("what", UNLOADABLE)
def test_what_makes_nothing_is_named_with_its_place(write: Write, what: str) -> None:
    text, factory, sentence = UNLOADABLE[what]
    module = write(text)
    for load, error in ((registry.load, DomainError), (agents.load, InputError)):
        with pytest.raises(error) as raised:
            load(f"{module}:{factory}")
        assert sentence.replace("own_0", module) in str(raised.value)
        assert str(raised.value).startswith(f"{module}:{factory}")


@pytest.mark.parametrize("load", [registry.load, agents.load])
def test_modules_that_are_not_there_or_pythons_own_are_refused(write: Write, load: Callable[[str], object]) -> None:
    with pytest.raises(
        (DomainError, InputError), match="there is no module 'nowhere_9', neither in the current folder"
    ):
        load("nowhere_9.games:make")
    with pytest.raises((DomainError, InputError), match="Python's own"):
        load("os:abort")


def test_a_family_of_ours_is_no_factory() -> None:
    with pytest.raises(DomainError, match=r"unknown domain 'textworld:chess'; known are recall, .* package\.module"):
        registry.load("textworld:chess")


def test_a_domain_is_known_by_its_factory_and_the_state_of_its_source(write: Write) -> None:
    one, same, other = (write(RECALL.format(change=change)) for change in ("pass", "pass", "text += '!'"))
    domains = [registry.load(f"{module}:Mine") for module in (one, same, other)]
    assert [domain.name for domain in domains] == [f"{module}:Mine" for module in (one, same, other)]
    versions = [domain.version for domain in domains]
    assert versions[0] == versions[1] != versions[2]
    assert all(version.startswith("1-") for version in versions)
    info = registry.describe(f"{one}:Mine")
    assert (info.summary, info.reward, info.comparable) == ("Colours of my own.", "right answers", "not stated")
    assert info.origin.endswith(f"{one}.py")
    assert info.roles == {role: len(domains[0].tasks(role)) for role in Role}


def test_a_foreign_domain_is_played_and_led_as_ours_is(write: Write) -> None:
    domain, ours = registry.load(f"{write(RECALL.format(change='pass'))}:Mine"), registry.load("recall")
    spec = domain.tasks(Role.REFLECTION)[0]
    one, other = (play(each, spec, LexicalAgent(), 3) for each in (domain, ours))
    assert one.steps == other.steps
    environment = domain.environment(spec)
    with pytest.raises(ValueError, match="listed"):
        environment.step("dance")
    assert isinstance(domain, HasExpert)
    observation, info = environment.reset(seed=0)
    expert = domain.expert(spec, environment)
    while info["actions"]:
        observation, *_, info = environment.step(expert.act(observation, info))
    assert info["won"]


@pytest.mark.parametrize(
    ("drawing", "shown"),
    [("return '+-+'", "+-+"), ("return [[0, 0, 0]]", None), ("raise NotImplementedError", None), ("pass", None)],
)
def test_what_a_foreign_domain_draws_is_shown_where_it_is_text(write: Write, drawing: str, shown: str | None) -> None:
    module = write(f"{RECALL.format(change='pass')}\n    def render(self):\n        {drawing}\n")
    domain = registry.load(f"{module}:Mine")
    environment = domain.environment(domain.tasks(Role.REFLECTION)[0])
    environment.reset(seed=0)
    assert environment.render() == shown


def test_a_drawing_that_fails_is_one_sentence(write: Write) -> None:
    domain = registry.load(f"{write(RECALL.format(change='pass') + '    def render(self): return 1 / 0')}:Mine")
    environment = domain.environment(domain.tasks(Role.REFLECTION)[0])
    with pytest.raises(DomainError, match=r"render\(\): ZeroDivisionError: division by zero"):
        environment.render()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("raise RuntimeError('lost\\nthe board')", "RuntimeError: lost the board (own_0.py, line 14); see `evolve dom"),
        ("del info['goal']", "the info lacks goal"),
        ("info['score'] = 7", "the score is 7, not a number between 0 and 1"),
        ("info['actions'] = []", "no action is listed, and the episode goes on"),
        ("text = b'bytes'", "the observation is bytes, not text"),
        ("reward = float('nan')", "the reward is nan"),
    ],
)
def test_what_a_domain_does_wrong_in_play_is_one_sentence(write: Write, change: str, sentence: str) -> None:
    module = write(RECALL.format(change=change))
    domain = registry.load(f"{module}:Mine")
    with pytest.raises(DomainError) as raised:
        play(domain, domain.tasks(Role.REFLECTION)[0], LexicalAgent(), 0)
    assert str(raised.value).startswith(f"the domain {module}:Mine is at fault: step(")
    assert sentence.replace("own_0", module) in str(raised.value)


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        ("return actions[99]", "act(): IndexError: list index out of range (own_0.py, line 7)"),
        ("return 'dance'", "act(): ValueError: 'dance' is not among the listed actions ['call the"),
    ],
)
def test_what_an_agent_does_wrong_is_one_sentence(write: Write, act: str, sentence: str) -> None:
    module = write(AGENT.format(act=act))
    agent, domain = agents.load(f"{module}:Mine"), registry.load("recall")
    with pytest.raises(InputError) as raised:
        play(domain, domain.tasks(Role.REFLECTION)[0], agent, 0)
    assert f"the agent {module}:Mine is at fault: {sentence.replace('own_0', module)}" in str(raised.value)


def test_an_agent_of_ones_own_plays(write: Write) -> None:
    module = write(AGENT.format(act="return actions[-1]"))
    agent, domain = agents.load(f"{module}:Mine"), registry.load("recall")
    trajectory = play(domain, domain.tasks(Role.REFLECTION)[0], agent, 0)
    assert all(step.action.endswith("white") for step in trajectory.steps)
    assert (agent.name, agent.version.partition("-")[0]) == (f"{module}:Mine", "1")


def test_packages_bring_domains_and_agents(write: Write, tmp_path: Path) -> None:
    module = write(RECALL.format(change="pass") + AGENT.replace("Mine", "Agent").format(act="return actions[0]"))
    offer(tmp_path, "shop", "palimpsest.domains", f"colours = {module}:Mine", "broken = nowhere_9:make")
    offer(tmp_path, "players", "palimpsest.agents", f"first = {module}:Agent")
    known = {info.name: info for info in registry.available()}
    assert (known["colours"].origin, known["colours"].licence) == ("shop 1.0", "MIT")
    assert known["colours"].installed
    assert registry.load("colours").name == "colours"
    assert not known["broken"].installed
    assert "no module 'nowhere_9'" in known["broken"].remedy
    assert agents.load("first").name == "first"
    with pytest.raises(InputError, match="choose lexical, first, one of your own"):
        agents.load("second")
    with pytest.raises(DomainError, match=r"'chess'; known are recall, .*colours"):
        registry.load("chess")


def test_ours_win_and_two_of_one_name_are_refused(write: Write, tmp_path: Path) -> None:
    module = write(RECALL.format(change="pass"))
    offer(tmp_path, "shop", "palimpsest.domains", f"recall = {module}:Mine", f"colours = {module}:Mine")
    offer(tmp_path, "stall", "palimpsest.domains", f"colours = {module}:Mine")
    assert registry.load("recall").version == "1"
    assert registry.shadowed() == {"recall": "shop 1.0"}
    with pytest.raises(DomainError, match=r"'colours' is offered by shop 1\.0 and stall 1\.0; name the one"):
        registry.load("colours")
    assert registry.load(f"{module}:Mine").name == f"{module}:Mine"
