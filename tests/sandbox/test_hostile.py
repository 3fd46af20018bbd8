"""Designs that attack, each a file under `hostile/`, are charged with it, and leave nothing behind."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from sandbox.backend import PROCESSES, Backend, DesignFault
from sandbox.embedding import Embedder
from sandbox.guest.tokens import count_tokens
from sandbox.metering import Completion
from sandbox.pool import Pool
from sandbox.session import DesignSession
from sandbox.source import SourceChecker, SourceRejected
from tests.sandbox import verdicts
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import STEPS, TRAJECTORY, query
from tests.sandbox.verdicts import FAULTS, HOSTILE, Verdict, skip_unless_claimed, source_of, sources_of

TIGHT = replace(
    LIMITS,
    memory_bytes=128 * 1024 * 1024,
    tmpfs_bytes=LIMITS.tmpfs_bytes - 4096 * (1 + os.getpid() % 1000),  # by which this test knows its own guests
    load_seconds=1.0,
    update_seconds=1.0,
    manage_seconds=0.6,
    retrieve_seconds=0.4,
    observe_seconds=0.4,
)
LLM_ALLOWANCE = 5000
ATTACK = replace(STEPS[0], action="attack")


def a_story(prompt: str, schema: dict[str, Any] | None, most: int) -> Completion:
    """What stands where a model would be asked."""
    return Completion("Once upon a time", count_tokens(prompt), most)


@pytest.fixture(scope="module")
def arena(backend: Backend) -> Iterator[Pool]:
    """A pool with little patience; when it is closed nothing of all the attacks may be left."""
    with Pool(backend, TIGHT, embed=Embedder(), embed_allowance=50, llm=a_story, llm_allowance=LLM_ALLOWANCE) as made:
        yield made
    assert eventually(0)


@pytest.fixture
def victim(arena: Pool) -> Iterator[DesignSession]:
    with arena.lease() as leased:
        yield leased


def attack(session: DesignSession, name: str) -> None:
    session.load(source_of(name), seed=1)
    session.update(TRAJECTORY)
    session.manage()
    with session.episode() as episode:
        episode.observe(ATTACK)
        episode.retrieve(query("attack"))


def ask(session: DesignSession, observation: str) -> list[str]:
    with session.episode() as episode:
        return [item.text for item in episode.retrieve(query(observation))]


def guests() -> int:
    """Processes of this machine that run a guest of this test's."""
    mark, count = f'"file": {TIGHT.tmpfs_bytes}'.encode(), 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += mark in file.read_bytes()
        except OSError:
            continue
    return count


def eventually(most: int) -> bool:
    deadline = time.monotonic() + 5
    while guests() > most and time.monotonic() < deadline:
        time.sleep(0.05)
    return guests() <= most


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.file)
def test_an_attack_is_charged_to_the_design(arena: Pool, victim: DesignSession, case: Verdict) -> None:
    skip_unless_claimed(arena.backend, case.file, case.hazard)
    began = time.monotonic()
    with pytest.raises(DesignFault) as caught:
        attack(victim, case.file)
    assert caught.value.at == case.at
    assert caught.value.kind in case.kinds
    assert time.monotonic() - began < TIGHT.load_seconds + TIGHT.update_seconds + 4
    if case.survives:
        assert ask(victim, "calm") == ["calm"]


def test_a_drained_model_costs_no_more_than_its_allowance(arena: Pool, victim: DesignSession) -> None:
    victim.load(source_of("llm_drain"), seed=1)
    with pytest.raises(DesignFault, match="of the design's 5000 are left"):
        victim.update(TRAJECTORY)
    assert LLM_ALLOWANCE / 2 < victim.tokens_llm <= LLM_ALLOWANCE


def test_children_end_with_the_call_that_forked_them(arena: Pool, victim: DesignSession) -> None:
    skip_unless_claimed(arena.backend, "fork_count", PROCESSES)
    victim.load(source_of("fork_count"), seed=1)
    counts = []
    for _ in range(2):
        with pytest.raises(DesignFault, match="refused after") as caught:
            victim.update(TRAJECTORY)
        counts.append(int(caught.value.message.split()[-1]))
    assert TIGHT.processes // 2 < counts[1] < TIGHT.processes
    assert counts[0] == counts[1]


def test_cpu_seconds_that_are_used_up_are_named(backend: Backend) -> None:
    limits = replace(LIMITS, cpu_seconds=1, update_seconds=20)
    with Pool(backend, limits) as pool, pool.lease() as session:
        session.load(source_of("loop_in_update"), seed=1)
        with pytest.raises(DesignFault, match="used up its 1 seconds of CPU") as caught:
            session.update(TRAJECTORY)
    assert caught.value.kind == "Timeout"


def test_what_would_run_at_the_end_does_not(arena: Pool, victim: DesignSession) -> None:
    attack(victim, "loop_in_atexit")
    assert ask(victim, "calm") == ["calm"]
    began = time.monotonic()
    victim.close()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("name", "source"),
    [
        pytest.param(name, text, id=f"{name}: {what}")
        for name in verdicts.SOURCES
        for what, text in sources_of(name).items()
    ],
)
def test_a_source_that_attacks_its_reader_is_rejected(checker: SourceChecker, name: str, source: str) -> None:
    began = time.monotonic()
    with pytest.raises(SourceRejected) as caught:
        checker.check(source)
    assert len(caught.value.reason) < 300
    assert time.monotonic() - began < 4


@pytest.fixture(scope="module")
def checker() -> Iterator[SourceChecker]:
    with SourceChecker() as made:
        yield made


def test_every_hostile_design_has_its_verdict() -> None:
    named = [case.file for case in FAULTS]
    named += [name for name, _ in chain(verdicts.FINDINGS, verdicts.TRACES, verdicts.CHANNELS)]
    named += [*verdicts.TEXTS, *verdicts.SOURCES, *verdicts.OTHERS]
    assert sorted(named) == sorted(path.stem for path in HOSTILE.glob("*.py"))
    assert all(ast.get_docstring(ast.parse(source_of(name))) for name in named)
    assert set(named) > verdicts.NEVER_WITHOUT_WALLS
