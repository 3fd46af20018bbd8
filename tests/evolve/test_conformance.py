"""Each check fails one design made for it and passes all others; starter designs pass every one."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from evolve.bench import TOOLKIT_TEXTS
from evolve.conformance import CHECKS, Finding, conform
from evolve.experience import lessons, odd_episodes, questions
from sandbox.backends import BACKENDS, make
from sandbox.embedding import Embedder
from sandbox.pool import Pool

SEEDS = sorted(
    file.name for file in files("archive.seeds").iterdir() if file.name.endswith(".py") and file.name != "__init__.py"
)
FAILED_BY_INTENT = {"no_memory.py": ["tells something relevant"]}
FEW = 100
"""Episodes that are enough for what is written here."""

DESIGN = """
import os, mmap, time
from sandbox.guest import Item, MemoryDesign, words

class Mine(MemoryDesign):
    phases = frozenset({phases})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.right, self.seen, self.asked = dict(), [], 0
        {init}

    def update(self, trajectory):
        self.seen.append(0)
        {update}
        self.right.update((step.action, 1) for step in trajectory.steps if step.reward > 0)

    def observe(self, step):
        {observe}

    def retrieve(self, query):
        asked = set(words(query.observation))
        told = [action for action in self.right if asked & set(words(action))]
        {retrieve}
        return told
"""

GOOD: dict[str, dict[str, str]] = {
    "begin": {},
    "step": {"phases": "('begin', 'step')", "observe": "self.right[step.action] = 1"},
    "only within an episode": {
        "phases": "('begin', 'step')",
        "update": "return",
        "observe": "self.right[step.observation] = 1",
    },
    "other imports": {"init": "import numpy, networkx"},
    "embedding": {"update": "self.toolkit.embed(['a thing'])", "init": "toolkit.rng.random()"},
}

BAD: list[tuple[str, str, dict[str, str]]] = [
    ("tells nothing before it has seen anything", "a hint written into code", {"retrieve": "told += ['be brave']"}),
    ("tells something relevant", "it tells nothing after 40 episodes", {"retrieve": "told = []"}),
    (
        "tells something relevant",
        "of the urn, for example, it tells 'be brave'",
        {"retrieve": "told = ['be brave'] if told else []"},
    ),
    (
        "tells something relevant",
        "nothing of 40 earlier episodes, and at the end of an episode",
        {"phases": "('begin', 'step')", "update": "return"},
    ),
    ("stands odd episodes", "does not stand no steps: IndexError in update", {"update": "trajectory.steps[0]"}),
    (
        "stands odd episodes",
        "does not stand control characters: KeyError in retrieve: 'null' (line 24:",
        {"retrieve": "query.observation.count('\\0') and self.nothing['null']", "init": "self.nothing = dict()"},
    ),
    (
        "deterministic",
        "no clock, no os.urandom",
        {"init": "self.salt = os.urandom(8).hex()", "retrieve": "told += [self.salt] if told else []"},
    ),
    (
        "deterministic",
        "it tells it under the id",
        {
            "init": "self.salt = os.urandom(8).hex()",
            "retrieve": "told = [Item(self.salt + text[:9], text) for text in told]",
        },
    ),
    ("pure", "asked again at once, it tells", {"retrieve": "told = told[self.asked :]; self.asked += 1"}),
    (
        "pure",
        "at step 0 in another order, told otherwise: item 0 was ",
        {
            "init": "self.first = mmap.mmap(-1, 14)",
            "retrieve": "mine = query.task.id.encode().ljust(14)[:14];"
            " self.first[:] = self.first[:].strip(b'\\0') or mine; told = told[self.first[:] != mine :]",
        },
    ),
    (
        "episodes leave no trace",
        "after 5 other episodes it tells",
        {
            "init": "self.shared = mmap.mmap(-1, 1)",
            "observe": "self.shared[0] = 1",
            "retrieve": "told = told[self.shared[0] :]",
        },
    ),
    (
        "answers during an episode",
        "at step 1 it tells 1 items, and the first 0 fill 0 of 1000 tokens",
        {"phases": "('begin', 'step')", "retrieve": "told = ['word ' * 2000] if query.step else told"},
    ),
    (
        "inside its budget",
        "stop at query.budget",
        {"retrieve": "told += told * 40 if len(self.seen) > 50 else []"},
    ),
    ("memory bounded", "more after 100 episodes than after 10", {"update": "self.seen[-1] = b'x' * 2**20"}),
    ("cost of retrieval", "retrieve() takes", {"retrieve": "time.sleep(0.1 if len(self.seen) > 50 else 0)"}),
    ("cost of update", "update() takes", {"update": "time.sleep(0.1 if len(self.seen) > 90 else 0)"}),
]


def design(parts: dict[str, str]) -> str:
    return DESIGN.format(
        **{"phases": "('begin',)", "init": "", "update": "", "observe": "pass", "retrieve": ""} | parts
    )


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(make("process"), size=2, embed=Embedder(), embed_allowance=TOOLKIT_TEXTS) as made:
        yield made


def failed(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.detail for finding in findings if not finding.passed}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_design_passes_every_check(pool: Pool, kind: str) -> None:
    findings = conform(design(GOOD[kind]), pool, FEW)
    assert not failed(findings)
    assert [finding.name for finding in findings] == list(CHECKS)
    assert all(finding.detail for finding in findings)


@pytest.mark.parametrize(("name", "reason", "parts"), BAD, ids=[f"{i} {name}" for i, (name, _, _) in enumerate(BAD)])
def test_each_check_fails_what_only_it_can_see(pool: Pool, name: str, reason: str, parts: dict[str, str]) -> None:
    findings = failed(conform(design(parts), pool, FEW))
    assert list(findings) == [name]
    assert reason in findings[name]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (design({"phases": "('sometimes',)"}), 'DesignError in load: phases must be a set made of "begin" and "step"'),
        (design({"init": "self.nothing"}), "no attribute 'nothing' (line 11: self.nothing)"),
        (design({}) * 2 + "class Other(Mine): pass", "must define exactly one subclass of MemoryDesign"),
        ("class Mine(", "SyntaxError in load"),
    ],
)
def test_what_does_not_load_is_not_checked_further(pool: Pool, source: str, reason: str) -> None:
    (finding,) = conform(source, pool, FEW)
    assert (finding.name, finding.passed) == ("loads", False)
    assert reason in finding.detail


def test_an_early_exit_is_told_by_every_check_that_meets_it(pool: Pool) -> None:
    findings = failed(conform(design({"update": "os._exit(3) if len(self.seen) > 60 else 0"}), pool, FEW))
    assert set(findings) == {"inside its budget", "memory bounded", "cost of retrieval", "cost of update"}
    assert set(findings.values()) == {"Exit in update: the guest's process ended with status 3"}


@pytest.mark.parametrize("seed", SEEDS)
def test_starter_designs_conform(pool: Pool, seed: str) -> None:
    source = files("archive.seeds").joinpath(seed).read_text(encoding="utf-8")
    findings = failed(conform(source, pool))
    assert list(findings) == FAILED_BY_INTENT.get(seed, []), findings


@pytest.mark.parametrize("name", BACKENDS)
def test_resident_memory_is_the_kernels_count_on_every_backend(name: str) -> None:
    backend = make(name)
    if (reason := backend.available()) is not None:
        pytest.skip(reason)
    with Pool(backend) as made, made.lease() as session:
        session.load(design({"update": "self.seen[-1] = b'x' * 2**25; __import__('resource').getrusage = None"}), 0)
        before = session.resident_bytes()
        for lesson in lessons(3):
            session.update(lesson)
        grown = session.resident_bytes() - before
    assert 0.9 < grown / (3 * 2**25) < 1.2


def test_what_designs_are_shown_is_played_and_repeats_itself() -> None:
    shown = lessons(40)
    assert sum(lesson.success for lesson in shown) >= 10
    assert not any(lesson.retrieved for lesson in shown)
    opened = {lesson.task.observation for lesson in shown if lesson.success}
    for question in questions(40, 6):
        assert question.query().observation in opened
        assert question.cue in question.query().observation
        assert question.query(2).history == question.episode.steps[:2]
    longest = max(len(step.observation) for episode in odd_episodes().values() for step in episode.steps)
    assert longest == 100_000
