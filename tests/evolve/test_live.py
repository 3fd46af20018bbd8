"""Live episodes in a real sandbox on `recall`: the step phase, dynamic mode, and what goes wrong in the middle."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from archive.told import pack_told, unpack_told
from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.building import Memories
from evolve.evaluation import Episodes, Verdict, examine, score
from evolve.evaluator import Evaluator
from evolve.jobs import Built, Lived, LivedEpisode, LiveJob, MachineTrouble, PlayJob, Recipe
from evolve.live import LivePlay
from evolve.plan import Plan, facts_of
from evolve.play import play
from sandbox.backend import Backend, Limits
from sandbox.backends import make
from sandbox.guest import Item, Retrieved, Trajectory
from sandbox.pool import Pool

DOMAIN, AGENT = domains.load("recall"), agents.load("lexical")
SPECS = tuple(DOMAIN.tasks(Role.DEPLOYMENT)[:10])
COLLECTION = tuple(play(DOMAIN, spec, AGENT, 50) for spec in DOMAIN.tasks(Role.COLLECTION)[:24])
ONE_LINE = 6
"""A budget that one answer fits into and two do not."""

HEAD = "import os, re, time\nfrom sandbox.guest import Item, Memory, MemoryDesign\n\n"
ANSWERS = (
    HEAD
    + '''class Answers(MemoryDesign):
    """Tells the answer to the question in sight, then whatever else it knows."""

    phases = frozenset({"begin"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.known = {}
        self.seen = []

    def update(self, trajectory):
        for step in trajectory.steps:
            self.known.update(re.findall(r"the (\\w+) is (\\w+)[.]", step.observation))

    def observe(self, step):
        self.seen.append(step.action)

    def retrieve(self, query):
        HOOK
        cue = query.observation.rpartition(" ")[2].strip("?")
        cues = sorted(self.known, key=lambda other: (other != cue, other))
        return Memory(Item(f"about-{each}", f"call the {each} {self.known[each]}") for each in cues)
'''
)


def answers(hook: str = "pass", phases: str = '"begin", "step"') -> str:
    return ANSWERS.replace("HOOK", hook).replace('frozenset({"begin"})', f"frozenset({{{phases}}})")


def job(source: str, *, dynamic: bool = False, **changes: Any) -> LiveJob:
    settings = {"specs": SPECS, "repeats": 1, "first_seed": 0, "smoke": 3, "budget": ONE_LINE}
    return LiveJob(Recipe(source, 0), dynamic=dynamic, **{**settings, **changes})


@pytest.fixture(scope="module")
def backend() -> Backend:
    bubblewrap = make("bubblewrap")
    return bubblewrap if bubblewrap.available() is None else make("process")


@pytest.fixture(scope="module")
def pool(backend: Backend) -> Iterator[Pool]:
    with Pool(backend) as made:
        yield made


Live = Callable[..., Lived]


@pytest.fixture
def live(pool: Pool) -> Live:
    """Play a job in the sandbox."""

    def run(source: str, collection: Sequence[Trajectory] = COLLECTION, **changes: Any) -> Lived:
        return LivePlay(DOMAIN, AGENT, pool.lease, job(source, **changes), collection, Memories()).run()

    return run


@pytest.fixture(scope="module")
def evaluator(backend: Backend) -> Iterator[Evaluator]:
    made = Evaluator("recall", "lexical", backend.name)
    yield made
    made.close()


def converse(evaluator: Evaluator, wanted: LiveJob) -> Verdict:
    """A whole evaluation, without an archive."""
    plan = Plan(facts_of(DOMAIN, AGENT), AGENT.reads_instructions, wanted.first_seed, (), 1)
    talk = _talk(plan, wanted)
    need = next(talk)
    while True:
        todo = PlayJob(tuple(need.orders)) if isinstance(need, Episodes) else need
        result = evaluator.run(todo, COLLECTION)
        try:
            need = talk.send({each.key: each.score for each in result} if isinstance(result, list) else result)
        except StopIteration as ended:
            verdict: Verdict = ended.value
            return verdict


def _talk(plan: Plan, wanted: LiveJob) -> Any:
    told = yield from examine(wanted)
    assert not told.failure
    return (yield from score(told, plan, wanted))


def mean(lived: Lived) -> float:
    assert not lived.failure
    return sum(each.played.score for each in lived.episodes if each.played) / len(lived.episodes)


def texts(episode: LivedEpisode) -> list[tuple[int, list[str]]]:
    return [(change.step, [item.text for item in change.items]) for change in episode.told]


# The step phase


def test_asked_at_each_step_it_beats_itself_asked_only_at_the_start(evaluator: Evaluator) -> None:
    stepwise = converse(evaluator, job(answers()))
    at_start = converse(evaluator, job(answers(phases='"begin"')))
    assert sum(stepwise.by_task().values()) / 10 > 0.9 > 0.6 > sum(at_start.by_task().values()) / 10
    again = converse(evaluator, job(answers()))
    assert (again.episodes, again.told) == (stepwise.episodes, stepwise.told)
    assert stepwise.cut == at_start.cut == len(SPECS)
    assert stepwise.tokens == pytest.approx(4 * at_start.tokens, rel=0.2)


def test_each_change_of_what_is_told_is_kept_with_its_step(live: Live) -> None:
    episode = live(answers()).episodes[0]
    assert [step for step, _ in texts(episode)] == [0, 1, 2, 3]
    assert len({item.id for change in episode.told for item in change.items}) == 4
    assert all(len(items) == 1 for _, items in texts(episode))
    assert episode.was_cut
    assert episode.tokens == sum(len(text.split()) for _, items in texts(episode) for text in items)
    same = live(answers("query = type(query)(query.task, query.task.observation, budget=query.budget)")).episodes[0]
    assert [step for step, _ in texts(same)] == [0]
    nothing = live(answers("if query.step != 2: return []"), budget=100).episodes[0]
    assert [(step, bool(items)) for step, items in texts(nothing)] == [(2, True), (3, False)]


def test_a_query_carries_what_happened_and_observe_came_before(live: Live) -> None:
    hook = "return [repr((query.step, [s.action for s in query.history] == self.seen, len(self.seen)))]"
    lived = live(answers(hook), budget=100)
    for episode in lived.episodes:
        assert texts(episode) == [(step, [repr((step, True, step))]) for step in range(4)]


def test_the_address_of_an_episode_holds_the_whole_sequence(live: Live, evaluator: Evaluator) -> None:
    stepwise = {each.played.key for each in live(answers()).episodes if each.played}
    begin = live(answers(phases='"begin"')).episodes
    assert not stepwise & {each.played.key for each in begin if each.played}
    static = converse(evaluator, job(answers(phases='"begin"')))
    assert [each.key for each in static.episodes][:1] == [begin[0].played.key if begin[0].played else None]


def test_a_design_that_is_never_asked_for_steps_goes_the_old_way(evaluator: Evaluator) -> None:
    wanted = job(answers(phases='"begin"'))
    talk = examine(wanted)
    built = evaluator.run(next(talk), COLLECTION)
    assert isinstance(built, Built)
    assert len(built.deliveries) == len(SPECS)
    with pytest.raises(StopIteration):
        talk.send(built)


# Dynamic mode


def test_a_dynamic_design_learns_from_the_episodes_that_score_it(live: Live) -> None:
    first = COLLECTION[:1]
    static, dynamic = (live(answers(), first, dynamic=mode, budget=100) for mode in (False, True))
    assert mean(dynamic) > mean(static) + 0.2
    assert static.episodes[0] == dynamic.episodes[0]


ECHO = (
    HEAD
    + '''class Echo(MemoryDesign):
    """Tells what came back to it of what it told."""

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.episodes = 0
        self.back = []

    def update(self, trajectory):
        self.episodes += 1
        self.back = [[r.step, [[item.id, item.text] for item in r.items]] for r in trajectory.retrieved]

    def retrieve(self, query):
        import json
        return [Item(f"{self.episodes}.{query.step // 2}", json.dumps(self.back)), Item("long", "x " * 2000)]
'''
)


def test_what_was_told_comes_back_with_its_ids_as_it_was_delivered(live: Live) -> None:
    episodes = live(ECHO, dynamic=True, budget=1000, specs=SPECS[:4]).episodes
    for number, (before, after) in enumerate(itertools.pairwise(episodes), len(COLLECTION) + 1):
        (start, first), (_, second) = ((change.step, change.items) for change in after.told)
        assert (start, first[0].id, second[0].id) == (0, f"{number}.0", f"{number}.1")
        assert json.loads(first[0].text) == [[r.step, [[i.id, i.text] for i in r.items]] for r in before.told]
        assert len(first) == 1  # what was cut was not delivered


WORTH = (
    HEAD
    + '''class Worth(MemoryDesign):
    """Two kinds of advice, one of them bad; it finds out which from the scores of what it told."""

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.known = {}
        self.worth = {"bad": 0.0, "good": 0.0}

    def update(self, trajectory):
        for step in trajectory.steps:
            self.known.update(re.findall(r"the (\\w+) is (\\w+)[.]", step.observation))
        for kind in {item.id.split("-")[0] for each in trajectory.retrieved for item in each.items}:
            self.worth[kind] += trajectory.score - 0.5

    def retrieve(self, query):
        cue = query.observation.rpartition(" ")[2].strip("?")
        kind = max(self.worth, key=self.worth.get)
        colour = self.known[cue] if kind == "good" else "white" if self.known[cue] != "white" else "black"
        return [Item(f"{kind}-{cue}", f"call the {cue} {colour}")]
'''
)


def test_a_design_learns_what_its_items_are_worth(live: Live) -> None:
    kinds = [
        {item.id.split("-")[0] for each in episode.told for item in each.items} for episode in live(WORTH).episodes
    ]
    assert kinds == [{"bad"}] * len(SPECS)
    lived = live(WORTH, dynamic=True)
    kinds = [{item.id.split("-")[0] for each in episode.told for item in each.items} for episode in lived.episodes]
    assert kinds == [{"bad"}] + [{"good"}] * (len(SPECS) - 1)
    assert [each.played.score for each in lived.episodes if each.played] == [0.0] + [1.0] * (len(SPECS) - 1)


@pytest.mark.parametrize("dynamic", [False, True])
def test_only_update_changes_the_memory(live: Live, dynamic: bool) -> None:
    hook = (
        "self.seen.append(query.step); type(self).count = 1 + getattr(self, 'count', 0);"
        "return [repr((len(self.seen), self.count))]"
    )
    source = answers(hook).replace("self.seen.append(step.action)", "pass")
    lived = live(source, dynamic=dynamic, repeats=2, specs=SPECS[:4], budget=100)
    expected = [(step, [repr((step + 1, step + 1))]) for step in range(4)]
    assert [texts(each) for each in lived.episodes] == [expected] * 8


def test_passes_are_alike_but_for_the_agents_seed(live: Live) -> None:
    both, alone = (live(answers(), COLLECTION[:1], dynamic=True, repeats=n, budget=100) for n in (2, 1))
    assert both.episodes[:10] == alone.episodes
    second = live(answers(), COLLECTION[:1], dynamic=True, repeats=1, first_seed=1, budget=100)
    assert [each.told for each in both.episodes[10:]] == [each.told for each in second.episodes]
    assert {each.repeat for each in both.episodes[10:]} == {1}
    assert alone.episodes == live(answers(), COLLECTION[:1], dynamic=True, budget=100).episodes


# Faults


def at(step: int, specs: Sequence[Any], what: str = "raise ValueError('what now?')") -> str:
    return f"if query.step == {step} and query.task.id in {[spec.id for spec in specs]}: {what}"


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("what", ["raise ValueError('what now?')", "os._exit(3)"])
def test_a_fault_in_the_middle_scores_its_episode_0(live: Live, evaluator: Evaluator, dynamic: bool, what: str) -> None:
    lived = live(answers(at(2, SPECS[3:5], what)), dynamic=dynamic)
    assert [bool(each.fault) for each in lived.episodes] == [False] * 3 + [True] * 2 + [False] * 5
    broken = lived.episodes[3]
    assert [step for step, _ in texts(broken)] == [0, 1]
    assert broken.played is None
    assert "in retrieve" in broken.fault
    assert mean(lived) > 0.7
    if not dynamic and "ValueError" in what:
        verdict = converse(evaluator, job(answers(at(2, SPECS[3:5], what))))
        assert [(each.score, each.key) for each in verdict.episodes[3:5]] == [(0.0, None)] * 2
        assert unpack_told(verdict.told[verdict.episodes[3].told]) == broken.told


@pytest.mark.parametrize("specs", [SPECS[2:3], SPECS[3:6]], ids=["in smoke", "the third"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_fault_in_smoke_or_one_too_many_fails_the_design(live: Live, dynamic: bool, specs: Sequence[Any]) -> None:
    lived = live(answers(at(1, specs)), dynamic=dynamic)
    assert lived.episodes == ()
    assert lived.failure.startswith("ValueError in retrieve: what now?")
    assert "design.py" in lived.failure


def test_a_fault_in_every_repeat_of_a_task_is_one(live: Live) -> None:
    lived = live(answers(at(1, SPECS[4:6])), repeats=3)
    assert [each.task_id for each in lived.episodes if each.fault] == [spec.id for spec in SPECS[4:6]] * 3


def test_a_fault_of_learning_fails_a_dynamic_design(live: Live) -> None:
    source = answers().replace(
        "for step in", "self.known['drum'] = 1 / (not trajectory.retrieved)\n        for step in"
    )
    assert live(source, dynamic=True).failure.startswith("ZeroDivisionError in update")
    assert not live(source).failure


def test_a_first_overrun_is_tried_once_more(live: Live, backend: Backend, tmp_path: Path) -> None:
    def hasty(source: str) -> Lived:
        with Pool(backend, Limits(retrieve_seconds=0.5)) as pool:
            return LivePlay(DOMAIN, AGENT, pool.lease, job(source), COLLECTION, Memories()).run()

    marker = tmp_path / "hung" if backend.name == "process" else Path("/tmp/hung")
    hang = f"open({str(marker)!r}, 'a').write('x') and os.path.getsize({str(marker)!r}) < {{}} and time.sleep(9)"
    once = hasty(answers(at(2, SPECS[4:5], hang.format(2))))
    assert not any(each.fault for each in once.episodes)
    assert once.episodes == live(answers()).episodes
    marker.unlink(missing_ok=True)
    for_ever = hasty(answers(at(2, SPECS[4:5], hang.format(99))))
    assert [each.task_id for each in for_ever.episodes if each.fault] == [SPECS[4].id]
    assert "Timeout in retrieve" in for_ever.episodes[4].fault


@pytest.mark.parametrize("phases", ["", '"begin", "end"'])
def test_phases_that_make_no_sense_are_named(evaluator: Evaluator, phases: str) -> None:
    source = answers().replace('frozenset({"begin", "step"})', f"{{{phases}}}" if phases else "frozenset()")
    built = evaluator.run(next(examine(job(source))), COLLECTION)
    assert isinstance(built, Built)
    assert "phases" in built.failure


def test_trouble_of_the_machine_blames_no_design(backend: Backend) -> None:
    pool = Pool(backend)
    pool.close()
    broken = Evaluator("recall", "lexical", backend.name)
    broken._pool = pool
    assert isinstance(broken.run(job(answers()), COLLECTION), MachineTrouble)


# What the archive keeps


@pytest.mark.parametrize(
    "told",
    [
        (),
        (Retrieved(0, (Item("a", "one"), Item("b", "two"))),),
        (Retrieved(0, (Item("a", "one"),)), Retrieved(3, ()), Retrieved(4, (Item("b", "two"),))),
        (Retrieved(2, (Item("a", "one"),)),),
        (Retrieved(2, ()),),
    ],
)
def test_what_was_told_can_be_read_back(told: tuple[Retrieved, ...]) -> None:
    assert unpack_told(json.loads(json.dumps(pack_told(told)))) == told
    assert unpack_told([["a", "one"]]) == (Retrieved(0, (Item("a", "one"),)),)
