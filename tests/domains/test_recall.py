"""Recall: memory of earlier episodes is worth the whole score."""

from __future__ import annotations

from time import perf_counter

from domains.base import Role, TaskSpec
from domains.recall import COLOURS, Recall


def score(domain: Recall, spec: TaskSpec, known: dict[str, str]) -> float:
    env = domain.environment(spec)
    _, info = env.reset(seed=1)
    while info["actions"]:
        cue = info["actions"][0].split()[2]
        action = next(a for a in info["actions"] if a.endswith(f" {known.get(cue, COLOURS[0])}"))
        text, *_, info = env.step(action)
        known[cue] = text.split(".")[0].split()[-1]
    return float(info["score"])


def test_memory_reaches_one_and_its_absence_stays_at_chance() -> None:
    domain = Recall()
    known: dict[str, str] = {}
    for spec in domain.tasks(Role.COLLECTION):
        score(domain, spec, known)
    test = domain.tasks(Role.TEST)
    assert all(score(domain, spec, known) == 1 for spec in test)
    without = sum(score(domain, spec, {}) for spec in test) / len(test)
    assert without < 0.35


def test_thousands_of_episodes_a_second() -> None:
    domain = Recall()
    started = perf_counter()
    for spec in [*domain.tasks(Role.TEST)] * 5:
        score(domain, spec, {})
    assert perf_counter() - started < 1
