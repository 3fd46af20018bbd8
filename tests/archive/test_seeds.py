"""The conformance suite of starter designs, each in a sandbox as in a run."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from sandbox.backends import make
from sandbox.guest import Query, Step, Task, Trajectory, count_tokens
from sandbox.pool import Pool
from sandbox.session import DesignSession
from sandbox.source import SourceChecker

SEEDS = sorted(
    file.name for file in files("archive.seeds").iterdir() if file.name.endswith(".py") and file.name != "__init__.py"
)
TELLS_NOTHING = {"no_memory.py"}


def episode(number: int, *actions: str, success: bool = False, goal: str = "Open the chest.") -> Trajectory:
    steps = tuple(Step(action, f"You {action}.", 0.5 * success, False) for action in actions)
    return Trajectory(Task(f"t{number}", "d", goal, "A hall."), steps, float(success), success)


def asked(goal: str = "Open the chest.") -> Query:
    return Query(Task("new", "d", goal, "A hall."), "A hall.", budget=1000)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(make("process")) as made:
        yield made


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def session(pool: Pool, seed: str) -> Iterator[DesignSession]:
    with pool.lease() as leased:
        leased.load(files("archive.seeds").joinpath(seed).read_text(encoding="utf-8"), 0)
        yield leased


def told(session: DesignSession, query: Query) -> list[str]:
    with session.episode() as running:
        return [item.text for item in running.retrieve(query)]


def test_it_is_a_design_with_a_summary(seed: str) -> None:
    with SourceChecker() as checker:
        assert checker.check(files("archive.seeds").joinpath(seed).read_text(encoding="utf-8")).summary


def test_it_tells_nothing_before_it_has_seen_anything(session: DesignSession) -> None:
    session.manage()
    assert told(session, asked()) == []


def test_it_tells_something_that_fits_after_a_success(session: DesignSession, seed: str) -> None:
    session.update(episode(1, "take key", "open chest", success=True))
    session.update(episode(2, "sing", "dance"))
    session.manage()
    items = told(session, asked())
    assert bool(items) != (seed in TELLS_NOTHING)
    assert all("sing" not in item for item in items)
    assert told(session, asked()) == items, "retrieval must be pure"


def test_it_stands_odd_episodes(session: DesignSession) -> None:
    for number, actions in enumerate([(), ("wait",) * 50, ("größe \u202e ändern 🥕",)]):
        session.update(episode(number, *actions, goal="x" * 20_000))
    session.manage()
    assert sum(count_tokens(item) for item in told(session, asked("y" * 20_000))) < 1000
