"""What follows a search: finalists on tasks that did not select them, beside controls with nothing to remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from archive.tables import State
from domains.base import Role
from evolve import constant, finals
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.judging import Trial
from evolve.loop import Search
from evolve.plan import draw
from evolve.proposers.base import Proposal
from evolve.proposers.registry import make as make_proposer
from evolve.results import candidates
from evolve.scheduler import Activity
from evolve.session import Sitting, sit_down
from evolve.strategies.registry import make as make_strategy

SMALL: dict[str, Any] = {"collection": 8, "deployment": 8, "finalists": 3, "confirmation": 6}
QUICK: dict[str, Any] = {**SMALL, "domain": "recall", "sandbox": "process", "workers": 0}
Sit = Callable[..., Sitting]


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Sit]:
    """Sit down with a run, its baselines evaluated; untrusted code may run, for it is the tests' own."""
    with ExitStack() as stack:

        def now(**changes: Any) -> Sitting:
            config = RunConfig(**{**QUICK, **changes})
            watch: Callable[[object], None] = lambda progress: None  # noqa: E731
            sitting = stack.enter_context(sit_down(config, tmp_path / "a.db", watch, allow_unsafe=True))
            search = sitting.search
            specs = search.prepare(Role.DEPLOYMENT, config.deployment)
            search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
            return sitting

        yield now


def search_and_play(sitting: Sitting) -> list[finals.Finalist]:
    search, config = sitting.search, sitting.search.config
    specs = draw(search.domain, Role.DEPLOYMENT, config.deployment, config.seed)
    Conversation(search, make_strategy(config), make_proposer(config), specs).run()
    finals.play(search)
    return finals.ranking(sitting.archive, search.run_id)


def states(sitting: Sitting) -> dict[str, State]:
    return {design: state for design, (state, _) in sitting.archive.states(sitting.search.run_id).items()}


def test_the_finals_confirm_and_record_who_is_best(sit: Sit) -> None:
    sitting = sit(designs=8)
    ranked = search_and_play(sitting)
    assert len(ranked) == 3
    assert [each.dominance for each in ranked] == sorted((each.dominance for each in ranked), reverse=True)
    for each in ranked:
        assert (each.searched.n, each.confirmed.n) == (8, 6)
        assert each.optimism == each.searched.mean - each.confirmed.mean
        assert set(each.controls) == {"blank"}, "recall has one family, so that nothing can be shuffled"
        assert each.controls["blank"].mean == 0
    best, *others = (each.design for each in ranked)
    assert states(sitting)[best] is State.BEST
    assert {states(sitting)[design] for design in others} == {State.FINALIST}
    assert {row.design_id for row in candidates(sitting.archive, 1)} >= {best, *others}


def test_no_two_candidates_tell_the_same(sit: Sit) -> None:
    sitting = sit(designs=12)
    search_and_play(sitting)
    rows = candidates(sitting.archive, 1)
    assert len({row.signature for row in rows}) == len(rows) == 12
    rejected = [design for design, state in states(sitting).items() if state is State.REJECTED]
    assert rejected
    for design in rejected:
        reason = sitting.archive.life(1, design)[-1].reason
        assert reason.removeprefix("tells just what ").removesuffix(" tells") in {row.design_id[:10] for row in rows}
        assert sitting.archive.evaluation(1, design, "deployment") is None


def test_another_family_shuffles(sit: Sit) -> None:
    ranked = search_and_play(sit(domain="rewriting", designs=1, collection=10, deployment=5, confirmation=5))
    assert set(ranked[0].controls) == {"blank", "shuffled"}


HINT = constant.write([f"call the {cue} amber" for cue in ("anchor", "basket", "candle")])
LEARNS = Path(__file__).parents[2] / "archive" / "seeds" / "nearest_trajectory.py"


def test_controls_tell_a_hint_from_a_memory(sit: Sit) -> None:
    sitting = sit()
    search = sitting.search
    hint = search.judge.enter(Proposal(HINT, "hint", "untrusted"), 1, ())
    assert hint is not None
    memory = search.judge.checker.check(LEARNS.read_text(encoding="utf-8")).hash
    specs = search.prepare(Role.CONFIRMATION, 6)
    search.evaluate_baselines(Role.CONFIRMATION, specs, 1)
    whole, blank = Trial(Role.CONFIRMATION, specs, 1), Trial(Role.CONFIRMATION, specs, 1, "blank")
    assert search.evaluated(hint, whole) == search.evaluated(hint, blank)
    assert search.evaluated(memory, whole) != search.evaluated(memory, blank) == search.baselines["no_memory"]


def test_what_differs_in_instructions_that_are_not_read_is_one_finalist(sit: Sit) -> None:
    search = sit().search
    source = LEARNS.read_text(encoding="utf-8")
    init = "    def __init__("
    sources = [
        source.replace(init, f"    instructions = {text!r}\n\n{init}") for text in ("Do so.", "Or so.", "Or not.")
    ]
    entered = [search.judge.enter(Proposal(text, "", "untrusted"), at, ()) for at, text in enumerate(sources, 1)]
    first, second, third = filter(None, entered)
    trial = Trial(Role.DEPLOYMENT, search.prepare(Role.DEPLOYMENT, 8), 1)
    search.evaluate_all([first, second], trial)  # at one time, so that neither knows of the other
    rows = candidates(search.archive, 1)
    assert [row.design_id for row in rows] == [first, second]
    search.drain([_judged(search, third, trial, {rows[0].signature: first})])
    assert search.archive.states(1)[third] == (State.REJECTED, f"tells just what {first[:10]} tells")
    finals.play(search)
    assert [each.design for each in finals.ranking(search.archive, 1)] == [first]


def _judged(search: Search, design: str, trial: Trial, known: Mapping[bytes, str]) -> Activity:
    yield from search.judge.judge(design, trial, known)


IMPURE = """
from sandbox.guest import Memory, MemoryDesign

class Counts(MemoryDesign):
    def update(self, trajectory):
        pass

    def retrieve(self, query):
        with open("PLACE", "a") as file:
            file.write("x")
            return Memory([f"asked {file.tell()} times"])
"""


def test_a_finalist_whose_answers_depend_on_their_order_fails(sit: Sit, tmp_path: Path) -> None:
    search = sit().search
    source = IMPURE.replace("PLACE", str(tmp_path / "channel"))
    design = search.judge.enter(Proposal(source, "impure", "untrusted"), 1, ())
    assert design is not None
    specs = search.prepare(Role.CONFIRMATION, 6)
    assert search.evaluated(design, Trial(Role.CONFIRMATION, specs, 1)) == {}
    assert search.judge.failures[design].startswith("Impure in retrieve")


FIRST = "        if not self.episodes:"
MODEL = LEARNS.read_text(encoding="utf-8").replace(
    FIRST, f"        if self.toolkit.has_llm:\n            return Memory()\n{FIRST}"
)


def test_a_design_that_would_ask_a_model_is_marked_where_there_is_none(sit: Sit) -> None:
    sitting = sit()
    search = sitting.search
    design = search.judge.enter(Proposal(MODEL, "asks", "untrusted"), 1, ())
    assert design is not None
    specs = draw(search.domain, Role.DEPLOYMENT, 8, 0)
    search.evaluate_all([design], Trial(Role.DEPLOYMENT, specs, 1))
    variants = {row.design_id: row.variant for row in sitting.archive.evaluations(1, "deployment")}
    assert variants.pop(design) == "no-llm variant"
    assert set(variants.values()) == {""}
    assert "(no-llm variant)" in sitting.archive.life(1, design)[-1].reason
