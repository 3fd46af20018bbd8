"""The conformance suite of domains: what every domain owes its users, whatever is played.

Each check is a function of a `Subject`: it answers with what it found, or raises `ShortfallError` with the example that
fails and what to change. Run as a script it prints one episode, so that processes can be compared:
`python -m domains.conformance DOMAIN TASK_NUMBER SEED`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from math import isclose
from random import Random
from typing import Any, Protocol, cast

import gymnasium

from domains import registry
from domains.base import Domain, DomainError, HasExpert, Role, TaskSpec, TextEnvironment
from domains.factories import blamed
from domains.outside import misshapen

UNLISTED = ("", "\\x", "dance on the ceiling", "look\nlook")
"""Actions that no game lists."""
EXPERT = 0.9
"""The mean score that an expert owes."""
EXPERT_TASKS = 5
LONGEST_EXAMPLE = 200

Seen = tuple[str, float, bool, bool, dict[str, Any]]
"""What a step returns."""


class Playable(Protocol):
    """What can be played at random."""

    def reset(self, *, seed: int | None = None) -> tuple[str, dict[str, Any]]:
        """Begin."""

    def step(self, action: str) -> Seen:
        """Act."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to; `detail` says what was found, or what is wrong and what to change."""

    name: str
    passed: bool
    detail: str


class ShortfallError(Exception):
    """A check that is not passed; the message says what to change."""


class Subject:
    """A domain under test, by the name that the registry knows it by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.domain = self.again()

    def again(self) -> Domain:
        """The domain, made anew."""
        return registry.load_bare(self.name)

    def spec(self, number: int = 0) -> TaskSpec:
        """A collection task, counted round and round."""
        tasks = self.domain.tasks(Role.COLLECTION)
        return tasks[number % len(tasks)]

    def environment(self, number: int = 0) -> TextEnvironment:
        """That task, opened."""
        return self.domain.environment(self.spec(number))

    @cached_property
    def samples(self) -> list[list[Seen]]:
        """Episodes of random actions, of each family, and three at least."""
        families = {spec.family for spec in self.domain.tasks(Role.COLLECTION)}
        numbers = range(max(3, len(families)))
        self.domain.prepare([self.spec(number) for number in numbers])
        return [self.played(number, number) for number in numbers]

    def played(self, number: int, seed: int) -> list[Seen]:
        """An episode of random actions of that task."""
        with closing(self.environment(number)) as environment:
            return play(environment, seed, self.domain.max_steps)


def play(environment: Playable, seed: int, most: int | None = None) -> list[Seen]:
    """All that an episode of random listed actions shows, its first observation as a step without reward.

    A `ShortfallError` ends one that goes on beyond the step limit, or does not show what an episode shows.
    """
    rng = Random(seed)
    observation, info = environment.reset(seed=seed)
    seen: list[Seen] = [(observation, 0.0, False, False, info)]
    while True:
        observation, _, terminated, truncated, info = seen[-1]
        over = terminated or truncated
        if wrong := misshapen(observation, info, over=over):
            raise ShortfallError(f"after {len(seen) - 1} steps {wrong}")
        if over:
            return seen
        if most is not None and len(seen) > most:
            raise ShortfallError(
                f"an episode goes on after {most} steps; the step that reaches max_steps returns truncated, unless the"
                " game ends with it"
            )
        seen.append(environment.step(rng.choice(info["actions"])))


def conform(name: str) -> list[Finding]:
    """Run every check on a domain; raises `DomainError` where there is none of that name."""
    subject = Subject(name)
    findings = []
    for check in CHECKS:
        findings.append(examine(subject, check))
        if check is next(iter(CHECKS)) and not findings[-1].passed:
            break  # without tasks there is nothing to play
    return findings


def examine(subject: Subject, check: str) -> Finding:
    """Run one check."""
    try:
        with blamed(lambda raised: ShortfallError(f"it raised {raised}"), ShortfallError, DomainError):
            return Finding(check, True, CHECKS[check](subject))
    except ShortfallError as shortfall:
        return Finding(check, False, str(shortfall))


# Checks, in the order in which they run


def has_disjoint_roles(subject: Subject) -> str:
    """Five roles with tasks of their own, no task in two of them, the same whenever they are asked for."""
    domain, again = subject.domain, subject.again()
    seen: dict[object, TaskSpec] = {}
    for role in Role:
        tasks = domain.tasks(role)
        _require(len(tasks) > 0, f"tasks({role}) is empty; every role needs tasks, dozens of them for a search")
        for spec in tasks:
            _require(spec.role == role, f"tasks({role}) holds {_shown(spec)}, whose role is another")
            for key, what in ((spec.id, "id"), ((spec.family, spec.seed), "family and seed")):
                other = seen.setdefault(key, spec)
                _require(other is spec, f"{_shown(spec)} and {_shown(other)} have the same {what}; roles are disjoint")
        differing = [(a, b) for a, b in zip(tasks, again.tasks(role), strict=False) if a != b]
        _require(
            not differing and len(tasks) == len(again.tasks(role)),
            f"tasks({role}) of a domain made anew differ{_pair(differing)}; they are fixed by the version",
        )
    _require(domain.version == again.version, f"version is {domain.version!r}, and {again.version!r} when made anew")
    _require(domain.max_steps >= 1, f"max_steps is {domain.max_steps}")
    return ", ".join(f"{len(domain.tasks(role))} {role}" for role in Role)


def families_take_turns(subject: Subject) -> str:
    """A part of a role's tasks has all families alike."""
    for role in Role:
        families = [spec.family for spec in subject.domain.tasks(role)]
        kinds = list(dict.fromkeys(families))
        wrong = [at for at, family in enumerate(families) if family != kinds[at % len(kinds)]]
        _require(
            not wrong,
            f"task {wrong[:1]} of {role} is of family {[families[at] for at in wrong[:1]]}; interleave the families:"
            f" {', '.join(kinds)}, and again from the first",
        )
    return f"{len(kinds)} {'families' if len(kinds) > 1 else 'family'}: {', '.join(kinds)}"


def keeps_the_contract(subject: Subject) -> str:
    """What `reset` and `step` return is what `TextEnvironment` says."""
    for seen in subject.samples:
        _check_episode(seen, subject.domain.max_steps)
    return f"{len(subject.samples)} episodes of random actions, {sum(map(len, subject.samples))} observations"


def _check_episode(seen: Sequence[Seen], most: int) -> None:
    goal, total = seen[0][4]["goal"], 0.0
    for at, (_, reward, *_, info) in enumerate(seen):
        where, listed = f"after {at} steps", info["actions"]
        total += reward
        _require(
            isclose(total, info["score"], abs_tol=1e-6),
            f"{where} the rewards sum to {total:.6g} and the score is {info['score']:.6g}; a reward is a gain in score",
        )
        _require(isinstance(info["won"], bool), f"{where} `won` is {info['won']!r}, not True or False")
        _require(info["goal"] == goal, f"{where} the goal is {_shown(info['goal'])}, and it began as {_shown(goal)}")
        _require(isinstance(listed, list), f"{where} `actions` is no list: {_shown(listed)}")
        _require(len(set(listed)) == len(listed), f"{where} an action is listed twice: {_shown(listed)}")
    _, _, terminated, truncated, info = seen[-1]
    _require(info["actions"] == [], f"at its end an episode lists actions: {_shown(info['actions'])}")
    _require(terminated != truncated, f"at its end terminated and truncated are both {terminated}")
    _require(
        not truncated or len(seen) - 1 == most,
        f"an episode was truncated after {len(seen) - 1} steps, and max_steps is {most}",
    )


def shows_clean_text(subject: Subject) -> str:
    """No empty text, no control characters but line ends, nothing that cannot be encoded."""
    steps = [step for seen in subject.samples for step in seen]
    texts = {part for text, *_, info in steps for part in (text, info["goal"], *info["actions"])}
    for part in texts:
        _require(bool(part), "an observation, goal or action is empty")
        odd = [char for char in part if char != "\n" and unicodedata.category(char) in ("Cc", "Cs")]
        _require(not odd, f"{_shown(part)} holds {odd[:1]!r}; leave control characters and surrogates out")
    return f"{len(texts)} texts"


def refuses_unlisted_actions(subject: Subject) -> str:
    """Such an action raises `ValueError`, and changes nothing."""
    for action in UNLISTED:
        with closing(subject.environment()) as environment, closing(subject.environment()) as undisturbed:
            _, info = environment.reset(seed=0)
            undisturbed.reset(seed=0)
            _expect_refusal(environment, action)
            first = info["actions"][0]
            _expect_equal(
                [undisturbed.step(first)], [environment.step(first)], f"after {action!r} was refused, {first!r} shows"
            )
    return f"{len(UNLISTED)} refused, nothing changed"


def refuses_steps_after_the_end(subject: Subject) -> str:
    """An episode that is over stays over."""
    with closing(subject.environment()) as environment:
        last = play(environment, 0, subject.domain.max_steps)[-2]
        _expect_refusal(environment, last[4]["actions"][0])
    return "refused"


def _expect_refusal(environment: TextEnvironment, action: str) -> None:
    try:
        environment.step(action)
    except ValueError as error:
        _require(
            "listed" in str(error), f"step({action!r}) raised {error}; say that the action is not among the listed ones"
        )
    else:
        raise ShortfallError(f"step({action!r}) is taken, and it is not listed; raise ValueError")


def repeats_in_fresh_processes(subject: Subject) -> str:
    """Equal seeds and actions give equal episodes, whatever the hash seed of the process."""
    subject.domain.prepare([subject.spec()])
    command = [sys.executable, "-P", "-m", "domains.conformance", subject.name, "0", "7"]
    processes = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        )
        for hash_seed in (1, 2)
    ]
    outputs = [process.communicate() for process in processes]
    here = json.loads(json.dumps(subject.played(0, 7)))
    for process, (output, errors) in zip(processes, outputs, strict=True):
        _require(not process.returncode, f"an episode in a fresh process ended with: {errors.strip()[-500:]}")
        _expect_equal(here, json.loads(output), "in a process with another hash seed")
    return f"3 processes, {len(here) - 1} equal steps"


def keeps_environments_apart(subject: Subject) -> str:
    """Two environments of one task do not disturb each other, and one can be played again."""
    expected = subject.played(0, 3)
    with closing(subject.environment()) as one, closing(subject.environment()) as other:
        observation, info = one.reset(seed=3)
        play(other, 4, subject.domain.max_steps)
        _expect_equal(expected[:1], [(observation, 0.0, False, False, info)], "while another environment is played")
        _expect_equal(expected, play(one, 3, subject.domain.max_steps), "played beside another")
        _expect_equal(expected, play(one, 3, subject.domain.max_steps), "played a second time")
    return "two environments, three equal episodes"


def plays_in_threads(subject: Subject) -> str:
    """Episodes in threads are as alone."""
    numbers = (0, 1, 2, 0)
    with ThreadPoolExecutor(len(numbers)) as threads:
        together = list(threads.map(lambda number: subject.played(number, 3), numbers))
    for number, seen in zip(numbers, together, strict=True):
        _expect_equal(subject.played(number, 3), seen, "in a thread beside others")
    return f"{len(numbers)} episodes at once"


class _ListedActions(gymnasium.Space[str]):
    """Samples what the environment lists; other text must not reach a game."""

    def __init__(self, environment: TextEnvironment) -> None:
        super().__init__()
        self._environment = environment

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        _, info = self._environment.reset(seed=123)  # the seed from which check_env then takes the step
        return str(info["actions"][0])

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


class _AnyText(gymnasium.Space[str]):
    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


def is_accepted_by_gymnasium(subject: Subject) -> str:
    """gymnasium's own checker finds nothing."""
    from gymnasium.utils.env_checker import check_env

    with closing(subject.environment()) as environment, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        environment.action_space = _ListedActions(environment)
        environment.observation_space = _AnyText()
        check_env(cast("gymnasium.Env[Any, Any]", environment), skip_render_check=True)
    return "check_env finds nothing"


def has_an_expert(subject: Subject) -> str:
    """An expert is optional; one that is there plays well."""
    domain = subject.domain
    if not isinstance(domain, HasExpert):
        return "none, and none is needed"
    scores, specs = [], domain.tasks(Role.DEPLOYMENT)[:EXPERT_TASKS]
    domain.prepare(specs)
    for spec in specs:
        with closing(domain.environment(spec)) as environment:
            observation, info = environment.reset(seed=0)
            expert, left = domain.expert(spec, environment), domain.max_steps
            while info["actions"] and (left := left - 1) >= 0:
                observation, *_, info = environment.step(expert.act(observation, info))
            scores.append(info["score"])
    mean = sum(scores) / len(scores)
    _require(mean >= EXPERT, f"its expert scores {mean:.2f} on {len(scores)} deployment tasks, less than {EXPERT}")
    return f"scores {mean:.2f} on {len(scores)} deployment tasks"


CHECKS: dict[str, Callable[[Subject], str]] = {
    "five disjoint roles": has_disjoint_roles,
    "families take turns": families_take_turns,
    "keeps the contract": keeps_the_contract,
    "clean text": shows_clean_text,
    "refuses unlisted actions": refuses_unlisted_actions,
    "refuses steps after the end": refuses_steps_after_the_end,
    "repeats in fresh processes": repeats_in_fresh_processes,
    "environments apart": keeps_environments_apart,
    "plays in threads": plays_in_threads,
    "gymnasium accepts it": is_accepted_by_gymnasium,
    "expert": has_an_expert,
}


def _require(condition: bool, shortfall: str) -> None:
    if not condition:
        raise ShortfallError(shortfall)


def _expect_equal(expected: Sequence[Any], found: Sequence[Any], where: str) -> None:
    for at, (first, second) in enumerate(zip(expected, found, strict=False)):
        _require(first == second, f"{where} step {at} is {_shown(second)}, and alone it is {_shown(first)}")
    _require(len(expected) == len(found), f"{where} an episode has {len(found) - 1} steps, alone {len(expected) - 1}")


def _pair(differing: Sequence[tuple[object, object]]) -> str:
    return f": {_shown(differing[0][0])} and {_shown(differing[0][1])}" if differing else " in number"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]}..."


def main(name: str, number: str, seed: str) -> None:
    """Print one episode as JSON."""
    json.dump(Subject(name).played(int(number), int(seed)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
