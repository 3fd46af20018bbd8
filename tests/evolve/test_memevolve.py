"""MemEvolve's selection: fitness from the archive's rows, the front, generations without a barrier."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from archive.fronts import front
from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Design, Evaluation, Member, Run
from evolve.front import Front, KeptFront
from evolve.pareto import pareto_ranks
from evolve.population import Population
from evolve.strategies.base import Propose
from evolve.strategies.evidence import Evidence
from evolve.strategies.memevolve import MemEvolve
from tests.evolve.test_strategies import population

FITNESS = {"d0": (0.5, 10.0, 3.0), "d1": (0.9, 50.0, 2.0), "d2": (0.9, 40.0, 2.0), "d3": (0.2, 5.0, 9.0)}
"""Performance, cost, delay. Of these d2 beats d1; d0, d2 and d3 are beaten by none."""

PLAYED = (b"a", b"b")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Two episodes of each design, of 4 and 6 steps; 30 tokens of its own model's and 2 calls in both together."""
    with closing(open_archive(tmp_path / "a.db", write=True)) as made:
        made.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
        made.add_episodes(
            [
                {"key": key, "task_id": "t", "seed": 0, "score": 0.5, "success": False, "steps": steps}
                for key, steps in ((b"a", 4), (b"b", 6))
            ]
        )
        for number, (name, fitness) in enumerate(FITNESS.items(), 1):
            enter(made, name, number, fitness)
        yield made


def enter(
    archive: Archive, name: str, number: int, fitness: tuple[float, float, float], played: Sequence[bytes] = PLAYED
) -> None:
    performance, cost, delay = fitness
    design = Design(id=name, source="", summary="", origin="composed", created=0.0)
    archive.add_design(design, Member(run_id=1, design_id=name, number=number, role="candidate", change=""), ())
    row = Evaluation(
        run_id=1,
        design_id=name,
        role="deployment",
        score=performance,
        low=0.0,
        high=1.0,
        n=len(played),
        tokens=cost - 15,
        cut=0,
        calls=2,
        llm_tokens=30,
        seconds=delay,
        created=0.0,
    )
    outcomes = [
        {"task_id": key.decode(), "repeat": 0, "score": performance, "episode": key, "told": b"", "tokens": 9}
        for key in played
    ]
    archive.add_evaluation(row, outcomes, {})


def test_fitness_is_read_from_the_evaluation(archive: Archive) -> None:
    evidence = Evidence(archive, 1, counted=False)
    for name, expected in FITNESS.items():
        assert evidence.fitness(name) == pytest.approx(expected)
    with pytest.raises(KeyError):
        evidence.fitness("d9")


def test_where_no_clock_may_decide_delay_is_counted(archive: Archive) -> None:
    """Of d1 an episode has (4 + 6) / 2 steps, 2 / 2 calls, and 35 + 15 tokens."""
    assert Evidence(archive, 1, counted=True).fitness("d1").delay == pytest.approx(5 + 1 + 0.050)


def test_a_design_that_comes_later_is_found(archive: Archive) -> None:
    evidence = Evidence(archive, 1, counted=False)
    evidence.fitness("d0")
    enter(archive, "d4", 5, (0.7, 20.0, 1.0))
    assert evidence.fitness("d4").performance == 0.7


def test_the_front_is_rank_zero_of_the_sorting() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = rng.integers(0, 6, size=(40, 3)).astype(float)
        kept = Front()
        for place, point in enumerate(points):
            kept.add(str(place), tuple(point))
        assert set(kept.members) == {str(place) for place in np.flatnonzero(pareto_ranks(points) == 0)}
        best = [points[int(design)][0] for design in kept.ranked()]
        assert best == sorted(best, reverse=True)


def test_the_archive_keeps_who_was_on_the_front_and_telling_it_again_changes_nothing(archive: Archive) -> None:
    for _ in range(2):
        kept = KeptFront(archive, 1, Evidence(archive, 1, counted=False))
        for told, name in enumerate(FITNESS, 1):
            kept.tell(name, told)
        rows = {row.design_id: (row.entered, row.beaten) for row in front(archive, 1)}
        assert rows == {"d0": (1, None), "d1": (2, 3), "d2": (3, None), "d3": (4, None)}
        assert set(kept.front.members) == {"d0", "d2", "d3"}


def state(archive: Archive) -> tuple[Population, Evidence]:
    made = population(*(performance for performance, _, _ in FITNESS.values()))
    return made, Evidence(archive, 1, counted=False)


def play(strategy: MemEvolve, known: Population, count: int) -> list[tuple[str, int]]:
    """First parent and number of descendant of the next requests, none of which is answered."""
    found = []
    for seed in range(count):
        ask = strategy.ask(known, np.random.default_rng(seed))
        assert isinstance(ask, Propose)
        found.append((ask.parents[0], ask.brief.descendant))
        known.ask(ask.parents)
    return found


def test_each_survivor_has_its_descendants_and_then_it_is_the_next_ones_turn(archive: Archive) -> None:
    known, evidence = state(archive)
    found = play(MemEvolve(2, 3, evidence), known, 8)
    assert found == [*(("d2", n) for n in range(3)), *(("d0", n) for n in range(3)), ("d2", 3), ("d2", 4)]


def test_rank_comes_before_performance(archive: Archive) -> None:
    """The fourth survivor is d1, which d2 beats, though only d2 performs as well."""
    known, evidence = state(archive)
    assert [parent for parent, _ in play(MemEvolve(4, 1, evidence), known, 4)] == ["d2", "d0", "d3", "d1"]
    alone = play(MemEvolve(4, 1), population(0.5, 0.9, 0.9, 0.2), 4)
    assert [parent for parent, _ in alone] == ["d1", "d2", "d0", "d3"]


def test_what_comes_late_competes_in_the_next_generation(archive: Archive) -> None:
    known, evidence = state(archive)
    strategy = MemEvolve(1, 2, evidence)
    assert play(strategy, known, 1) == [("d2", 0)]
    enter(archive, "d4", 5, (0.95, 50.0, 9.0))
    known.tell("d4", 0.95)
    assert play(strategy, known, 3) == [("d2", 1), ("d4", 0), ("d4", 1)]


def test_what_was_dropped_survives_only_where_all_were(archive: Archive) -> None:
    known, evidence = state(archive)
    enter(archive, "d4", 5, (0.99, 20.0, 0.5), PLAYED[:1])
    known.tell("d4", 0.99)
    assert [parent for parent, _ in play(MemEvolve(5, 1, evidence), known, 5)] == ["d2", "d0", "d3", "d1", "d2"]
    alone = Population()
    alone.tell("d4", 0.99)
    assert play(MemEvolve(1, 1, evidence), alone, 1) == [("d4", 0)]


def test_it_keeps_nothing_that_the_archive_does_not_say(archive: Archive) -> None:
    known, evidence = state(archive)
    grown = MemEvolve(2, 3, evidence)
    for seed in range(12):
        fresh = MemEvolve(2, 3, Evidence(archive, 1, counted=False))
        asks = [strategy.ask(known, np.random.default_rng(seed)) for strategy in (grown, fresh)]
        assert asks[0] == asks[1]
        assert isinstance(asks[0], Propose)
        known.ask(asks[0].parents)


def test_more_survivors_than_designs_are_those_that_there_are() -> None:
    assert [parent for parent, _ in play(MemEvolve(3, 1), population(0.5), 4)] == ["d0"] * 4


def test_a_large_run_is_read_at_once(archive: Archive) -> None:
    for number in range(300):
        enter(archive, f"e{number}", 10 + number, (number / 300, 20.0, 1.0))
    evidence = Evidence(archive, 1, counted=True)
    began = time.process_time()
    assert all(evidence.fitness(f"e{number}").performance == number / 300 for number in range(300))
    assert time.process_time() - began < 0.5
