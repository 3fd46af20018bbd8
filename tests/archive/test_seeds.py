"""Starter designs, each in a sandbox as in a run: what all have in common, and what each is there for."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import cycle
from typing import Any

import pytest

from sandbox.backends import make
from sandbox.broker import Broker
from sandbox.embedding import Embedder
from sandbox.guest import Item, Query, Retrieved, Step, Task, Trajectory, count_tokens
from sandbox.guest.episode import answer_of
from sandbox.guest.loading import load_class
from sandbox.guest.toolkit import GuestToolkit
from sandbox.metering import Completion, RefusedError
from sandbox.pool import Pool
from sandbox.session import DesignSession
from sandbox.source import SourceChecker

CLAIMS = {
    "a_mem.py": "learns",
    "ace.py": "learns",
    "append_only.py": "within",
    "elimination.py": "within",
    "expel.py": "learns",
    "g_memory.py": "learns",
    "lightweight.py": "learns",
    "mem_rl.py": "learns",
    "nearest_trajectory.py": "learns",
    "no_memory.py": "nothing",
    "overwriting.py": "within",
}
"""What each starter design claims: it learns from episodes, or remembers within one only, or remembers nothing."""

ASKS_MODEL = ("a_mem.py", "ace.py", "expel.py", "g_memory.py", "lightweight.py", "mem_rl.py")
GOAL = "Open the chest."
HALL = "A hall."


def source(seed: str) -> str:
    return files("archive.seeds").joinpath(seed).read_text(encoding="utf-8")


def episode(
    number: int,
    *actions: str,
    success: bool = False,
    goal: str = GOAL,
    told: Sequence[Item] = (),
    score: float | None = None,
) -> Trajectory:
    """An episode in which every action of a success is rewarded, and none of a failure."""
    steps = tuple(Step(action, f"You {action}.", 0.5 * success, False) for action in actions)
    retrieved = (Retrieved(0, tuple(told)),) if told else ()
    return Trajectory(
        Task(f"t{number}", "d", goal, HALL), steps, float(success) if score is None else score, success, retrieved
    )


def asked(goal: str = GOAL, observation: str = HALL, **rest: Any) -> Query:
    return Query(Task("new", "d", goal, HALL), observation, **rest)


def told(session: DesignSession, query: Query | None = None) -> list[Item]:
    with session.episode() as running:
        return list(running.retrieve(query or asked()))


def texts(session: DesignSession, query: Query | None = None) -> list[str]:
    return [item.text for item in told(session, query)]


@pytest.fixture(scope="module", params=["embedding", "words"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """Guests whose toolkit embeds, and such whose toolkit refuses to."""
    with Pool(make("process"), embed=Embedder() if request.param == "embedding" else None) as made:
        yield made


@pytest.fixture
def session(pool: Pool, seed: str) -> Iterator[DesignSession]:
    with pool.lease() as leased:
        leased.load(source(seed), 0)
        yield leased


every_seed = pytest.mark.parametrize("seed", CLAIMS)


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seed", [name])


# What all have in common


def test_every_starter_design_says_what_it_claims() -> None:
    names = {file.name for file in files("archive.seeds").iterdir() if file.name.endswith(".py")}
    assert names - {"__init__.py"} == CLAIMS.keys()


@every_seed
def test_it_is_read_in_one_sitting(seed: str) -> None:
    assert len(source(seed).splitlines()) <= 165


@every_seed
def test_it_is_a_design_with_a_summary(seed: str) -> None:
    with SourceChecker() as checker:
        assert checker.check(source(seed)).summary


@every_seed
def test_another_way_to_tell_needs_no_other_memory(seed: str) -> None:
    code = source(seed)
    told, kept = ("def retrieve(self, query: Query) -> Memory:", "def update(self, trajectory: Trajectory) -> None:")
    with SourceChecker() as checker:
        checked, tells, keeps = (
            checker.check(code.replace(head, f"{head}\n        pass")) for head in ("nothing of it", told, kept)
        )
    assert checked.build_hash == tells.build_hash != keeps.build_hash
    assert len({checked.hash, tells.hash, keeps.hash}) == 3


@every_seed
def test_it_tells_nothing_before_it_has_seen_anything(session: DesignSession) -> None:
    session.manage()
    assert told(session) == []


@every_seed
def test_it_tells_something_that_fits_after_a_success(session: DesignSession, seed: str) -> None:
    session.update(episode(1, "take key", "open chest", success=True))
    session.update(episode(2, "sing", "dance"))
    session.manage()
    items = told(session)
    assert bool(items) == (CLAIMS[seed] == "learns")
    assert all("sing" not in item.text for item in items)
    assert told(session) == items, "retrieval must be pure"


@every_seed
def test_it_stands_odd_episodes(session: DesignSession) -> None:
    odd = [(), ("wait",) * 50, ("größe \u202e ändern 🥕",), ("", " "), ("x" * 20_000,), ("_ [a-z]+ (", "_" * 200)]
    for number, actions in enumerate(odd):
        session.update(episode(number, *actions, goal="x" * 20_000, success=number % 2 == 1))
        session.manage()
    for budget in (1000, 10, 1):
        items = texts(session, asked("y" * 20_000, budget=budget))
        assert sum(count_tokens(item) for item in items) <= budget


@every_seed
def test_equal_calls_have_equal_answers(pool: Pool, seed: str) -> None:
    answers = []
    for _ in range(2):
        with pool.lease() as session:
            session.load(source(seed), 7)
            for number in range(12):
                success = number % 3 == 0
                session.update(episode(number, f"take {number % 5}", f"use {number % 4}", success=success))
                session.manage()
            answers.append(told(session))
    assert answers[0] == answers[1]


# What each is there for


@only("mem_rl.py")
def test_the_utility_of_what_was_told_in_failures_falls(session: DesignSession) -> None:
    for number, action in enumerate(["push lever", "pull lever"]):
        session.update(episode(number, action, "open chest", success=True))
    first = told(session)[0]
    assert first.text == "push lever"
    for number in range(3):
        session.update(episode(9 + number, "push lever", told=[first]))
    assert told(session)[0].text == "pull lever"


@only("ace.py")
def test_a_bullet_that_harms_vanishes_and_the_others_stay(session: DesignSession) -> None:
    session.update(episode(1, "push lever", "open chest", success=True))
    playbook = told(session)
    assert {item.text for item in playbook} == {"push lever", "open chest"}
    for number in range(2):
        session.update(episode(2 + number, "push lever", told=playbook))
    assert told(session) == [item for item in playbook if item.text == "open chest"]


@only("ace.py")
def test_a_bullet_that_helps_comes_first_under_the_same_id(session: DesignSession) -> None:
    session.update(episode(1, "push lever", "open chest", success=True))
    before = {item.text: item.id for item in told(session)}
    session.update(episode(2, "open chest", "wave", success=True, told=told(session)))
    after = told(session)
    assert after[0].text == "open chest"
    assert {item.text: item.id for item in after if item.text in before} == before


@only("g_memory.py")
def test_an_episode_is_reached_through_the_graph(session: DesignSession) -> None:
    common = "quartz marble granite basalt slate gneiss schist chalk"
    session.update(episode(1, "sing", goal=f"{common} zebra"))
    session.update(episode(2, "push lever", "open chest", success=True, goal=common))
    session.update(episode(3, "bow", "wave", success=True, goal="Nothing of the kind."))
    query = Query(Task("new", "d", "zebra", "zebra"), "zebra")
    assert texts(session, query) == ["push lever", "open chest"]


@only("g_memory.py")
def test_insights_outlive_the_episodes_that_bore_them(session: DesignSession) -> None:
    for number in range(10):
        session.update(
            episode(number, "sing") if number % 2 else episode(number, "push lever", "open chest", success=True)
        )
    rules = [item for item in told(session) if item.id.startswith("i")]
    assert rules == []  # the same steps are told already
    for number in range(2):
        session.update(episode(20 + number, "bow", "wave", success=True, goal="zebra"))
    assert {item.text for item in told(session, asked("zebra")) if item.id.startswith("i")} == {
        "push lever",
        "open chest",
    }


@only("lightweight.py")
def test_the_short_term_list_grows_within_an_episode_and_ends_with_it(session: DesignSession) -> None:
    session.update(episode(1, "push lever", "open chest", success=True))
    step = Step("look", "The lever is behind the chest, under a cloth of velvet. It rains.", 0.0, False)
    with session.episode() as running:
        before = [item.text for item in running.retrieve(asked())]
        running.observe(step)
        after = [item.text for item in running.retrieve(asked(observation=step.observation, history=(step,), step=1))]
    assert "The lever is behind the chest, under a cloth of velvet" in set(after) - set(before)
    assert set(texts(session)) == set(before)


@only("lightweight.py")
def test_a_lesson_that_fails_is_told_after_one_that_does_not(session: DesignSession) -> None:
    session.update(episode(1, "push lever", "pull lever", success=True))
    first, second = told(session)
    for number in range(3):
        session.update(episode(2 + number, "push lever", told=[first]))
    assert told(session) == [second, first]


# What shows in the memory itself


def built(seed: str, *episodes: Trajectory) -> Any:
    """A design in this process, after its episodes."""
    broker = Broker()
    design = load_class(source(seed))(GuestToolkit(lambda request: answer_of(broker.answer(request)), 0))
    for each in episodes:
        design.update(each)
    return design


LEVER = episode(1, "push lever", "open chest", success=True)


def votes(design: Any) -> dict[str, int]:
    return {insight.text: insight.votes for insight in design.insights.values()}


def test_insights_are_added_voted_on_and_dropped() -> None:
    design = built("expel.py", episode(0, "sing"), LEVER)
    assert votes(design) == {"push lever": 2, "open chest": 2}
    design.update(episode(2, "push lever", "bow", success=True))
    assert votes(design) == {"push lever": 3, "open chest": 2, "bow": 2}
    for number in range(2):
        design.update(episode(3 + number, "open chest", told=[Item("i2", "open chest")]))
    assert "open chest" not in votes(design)


@pytest.mark.parametrize(
    ("in_vain", "insights"),
    [
        ((), {"take _ key": 3, "wave": 2}),
        (("take old key", "take odd key"), {"take red key": 2, "take blue key": 2, "wave": 2}),
    ],
)
def test_an_insight_is_widened_where_most_that_it_would_cover_was_rewarded(
    in_vain: tuple[str, ...], insights: dict[str, int]
) -> None:
    first = episode(1, "take red key", "wave", success=True)
    design = built("expel.py", episode(0, "sing", *in_vain), first, episode(2, "take blue key", "sing", success=True))
    assert votes(design) == insights


def test_a_new_note_changes_its_neighbours_and_is_found_through_them() -> None:
    design = built("a_mem.py", episode(1, "push lever", success=True, goal="Alpha."))
    tags = list(design.notes["n1"].tags)
    design.update(episode(2, "push lever hard", success=True, goal="Beta."))
    assert design.notes["n1"].links == ["n2"]
    assert set(tags) < set(design.notes["n1"].tags)
    alpha = Query(Task("new", "d", "alpha", "alpha"), "alpha")
    assert [item.id for item in design.retrieve(alpha)] == ["n1", "n2"]


def test_rules_of_like_tasks_that_say_the_same_become_one() -> None:
    design = built("g_memory.py", LEVER, episode(2, "bow", success=True), LEVER, episode(4, "bow", goal="zebra"))
    design.insights.clear()
    for at, text in enumerate(("pull lever", "pull Lever", "sing", "lever, pull")):
        design.insights.apply("ADD", "", text, [3 if at == 2 else 1])
    design.insights.apply("ADD", "", "LEVER pull", [4])
    design._merge()
    assert votes(design) == {"pull lever": 6, "sing": 2, "LEVER pull": 2}


def test_lessons_that_hold_across_tasks_become_strategic() -> None:
    design = built("lightweight.py", LEVER, episode(2, "push lever", "bow", success=True))
    kinds = {lesson.text: lesson.kind for lesson in design.lessons.values()}
    assert kinds == {"push lever": "strategic", "open chest": "operational", "bow": "operational"}


# With a model

ADVICE = "look behind the velvet"
SENSIBLE: dict[str, Any] = {
    "lines": [ADVICE],
    "tags": [{"id": "b1", "tag": "helpful"}, "old"],
    "add": [ADVICE],
    "operations": [["ADD", "", ADVICE]],
    "keywords": ["velvet"],
    "context": ADVICE,
    "neighbours": [{"id": "n1", "link": True, "tags": ["velvet"], "context": ADVICE}],
    "strategic": [ADVICE],
    "operational": [],
    "texts": ["l1"],
}
WILD: list[Any] = [
    None,
    3,
    "text",
    [],
    {},
    dict.fromkeys(SENSIBLE, 7),
    {key: [None, 7, [], {}, [None, None, None], ["ADD"], ["DROP", "", "x"], ["EDIT", "i99", "x"]] for key in SENSIBLE},
    {key: ["\n", "", "x" * 50000] for key in SENSIBLE},
    {"neighbours": [{"id": ["n1"]}, {"id": "n99", "link": True}, {"id": "n1", "link": "yes", "tags": {}}]},
    {"tags": [{"id": {}, "tag": "harmful"}, {"id": "b99", "tag": "harmful"}, {"id": "b1", "tag": []}]},
]


class Model:
    """A scripted model; where it has nothing to say, it refuses."""

    def __init__(self) -> None:
        self.answers: Iterator[Any] = iter(())

    def __call__(self, prompt: str, schema: dict[str, Any] | None, longest: int) -> Completion:
        for answer in self.answers:
            return Completion(answer, 1, 1)
        raise RefusedError("it has nothing to say")


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def models(model: Model) -> Iterator[Pool]:
    with Pool(make("process"), llm=model, llm_allowance=10**7) as made:
        yield made


@pytest.fixture
def asking(models: Pool, seed: str) -> Iterator[DesignSession]:
    with models.lease() as leased:
        leased.load(source(seed), 0)
        yield leased


def teach(session: DesignSession) -> None:
    for number in range(12):
        items = told(session)
        session.update(
            episode(number, "sing", told=items) if number % 2 else episode(number, "push lever", success=True)
        )
        session.manage()


asks_model = pytest.mark.parametrize("seed", ASKS_MODEL)


@asks_model
def test_what_the_model_says_is_told(asking: DesignSession, model: Model) -> None:
    model.answers = cycle([SENSIBLE])
    teach(asking)
    assert any(ADVICE in text for text in texts(asking))


@asks_model
def test_whatever_the_model_says_is_no_fault(asking: DesignSession, model: Model) -> None:
    model.answers = cycle(WILD)
    teach(asking)
    assert all(count_tokens(text) <= 200 for text in texts(asking))


@asks_model
def test_a_model_that_refuses_leaves_the_algorithm(asking: DesignSession, model: Model) -> None:
    model.answers = iter(())
    teach(asking)
    assert any("push lever" in text for text in texts(asking))
