"""What every backend must do alike: one suite, run on each that works here."""

from __future__ import annotations

import contextlib

import pytest

from sandbox.backend import DesignFault
from sandbox.guest.design import Step
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.samples import REMEMBERS, TRAJECTORY, design, query

ALIKE: dict[str, list[list[str]]] = {}
"""What the first backend answered; the others must answer the same."""


def texts(session: DesignSession) -> list[str]:
    with session.episode() as episode:
        return [item.text for item in episode.retrieve(query())]


def test_a_design_lives_its_life(session: DesignSession) -> None:
    loaded = session.load(REMEMBERS, seed=1)
    assert (loaded.name, loaded.instructions) == ("Sample", "Do what worked.")
    assert loaded.phases == {"begin", "step"}
    session.update(TRAJECTORY)
    session.manage()
    with session.episode() as episode:
        assert [(item.id, item.text) for item in episode.retrieve(query())] == [("i0", "take knife")]
    assert session.calls == 6
    assert session.seconds > 0


def test_episodes_cannot_change_each_other(session: DesignSession) -> None:
    session.load(REMEMBERS, seed=1)
    session.update(TRAJECTORY)
    with session.episode() as first, session.episode() as second:
        first.observe(Step("open door", "", 0, False))
        assert [item.text for item in first.retrieve(query())] == ["take knife", "open door"]
        assert [item.text for item in second.retrieve(query())] == ["take knife"]
    assert texts(session) == ["take knife"]


def test_the_memory_goes_on_after_an_episode(session: DesignSession) -> None:
    session.load(REMEMBERS, seed=1)
    with session.episode():
        session.update(TRAJECTORY)
    session.update(TRAJECTORY)
    assert texts(session) == ["take knife"] * 2


def test_prints_go_to_the_log(session: DesignSession) -> None:
    noisy = design(
        "def update(self, trajectory):\n    import os, sys\n    print('printed')\n    sys.stdout.write('written')\n"
        "    os.write(1, b' raw')\n    print('error', file=sys.stderr)",
        "def retrieve(self, query):\n    print('in an episode')\n    return ['x']",
    )
    session.load(noisy, seed=1)
    session.update(TRAJECTORY)
    assert texts(session) == ["x"]
    for expected in ("printed", "written", "raw", "error", "in an episode"):
        assert expected in session.log


def test_stdin_is_empty(session: DesignSession) -> None:
    session.load(design("def retrieve(self, query):\n    import sys\n    return [repr(sys.stdin.read())]"), seed=1)
    assert texts(session) == ["''"]


def test_embeddings_come_from_the_host(session: DesignSession) -> None:
    embeds = design(
        "def update(self, trajectory):\n    self.built = self.toolkit.embed(['take the knife', 'take the blade'])",
        "def retrieve(self, query):\n"
        "    (asked,) = self.toolkit.embed(['grab a knife'])\n"
        "    return [str(round(sum(a * b for a, b in zip(asked, each)), 3)) for each in self.built]",
    )
    session.load(embeds, seed=1)
    session.update(TRAJECTORY)
    near, far = map(float, texts(session))
    assert near > far > 0
    assert session.embedded_texts == 3


def test_embeddings_end_with_the_allowance(session: DesignSession) -> None:
    greedy = design("def update(self, trajectory):\n    self.toolkit.embed(['x'] * 51)")
    session.load(greedy, seed=1)
    with pytest.raises(DesignFault, match="allowance of 50") as caught:
        session.update(TRAJECTORY)
    assert caught.value.kind == "ToolError"
    assert session.embedded_texts == 0


def test_there_is_no_language_model(session: DesignSession) -> None:
    session.load(design("def update(self, trajectory):\n    self.toolkit.llm('hello')"), seed=1)
    with pytest.raises(DesignFault, match="no language model"):
        session.update(TRAJECTORY)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (design(name="A") + design(name="B"), "defines A, B"),
        ("from sandbox.guest import MemoryDesign\n", "defines none"),
        (design("instructions = 7"), "instructions must be a string"),
        (design("phases = frozenset({'end'})"), "phases must be"),
        ("import nowhere_at_all\n", "nowhere_at_all"),
        ("raise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_a_module_without_one_design_is_refused(session: DesignSession, source: str, message: str) -> None:
    with pytest.raises(DesignFault, match=message) as caught:
        session.load(source, seed=1)
    assert caught.value.at == "load"


def test_exceptions_come_back_with_their_traceback(session: DesignSession) -> None:
    failing = design("def update(self, trajectory):\n    lost = {}\n    return lost['knife']")
    session.load(failing, seed=1)
    with pytest.raises(DesignFault) as caught:
        session.update(TRAJECTORY)
    fault = caught.value
    assert (fault.at, fault.kind, fault.message) == ("update", "KeyError", "'knife'")
    assert "return lost['knife']" in fault.traceback
    assert "serve.py" not in fault.traceback
    assert session.alive


def test_an_exception_that_cannot_be_shown_is_still_reported(session: DesignSession) -> None:
    head = "class Nasty(Exception):\n    def __str__(self):\n        raise self\n"
    session.load(design("def update(self, trajectory):\n    raise Nasty", head=head), seed=1)
    with pytest.raises(DesignFault) as caught:
        session.update(TRAJECTORY)
    assert caught.value.kind == "Nasty"


@pytest.mark.parametrize(
    "answer",
    [
        "None",
        "'one string'",
        "[1]",
        "['x'] * 1001",
        "['x' * 2_000_000]",
        "['\\ud800']",
        "[Item('i' * 300, 'x')]",
        "[Item(1, 2)]",
    ],
)
def test_a_bad_answer_is_the_designs_fault(session: DesignSession, answer: str) -> None:
    session.load(design(f"def retrieve(self, query): return {answer}"), seed=1)
    with session.episode() as episode:
        with pytest.raises(DesignFault) as caught:
            episode.retrieve(query())
        assert caught.value.at == "retrieve"
    assert session.alive


def test_everything_that_could_vary_is_fixed(pool: Pool) -> None:
    varying = design(
        "def __init__(self, toolkit):\n    super().__init__(toolkit)\n    import numpy",
        "def retrieve(self, query):\n"
        "    import random, time, locale\n"
        "    import numpy\n"
        "    numbers = [random.random(), self.toolkit.rng.random(), float(numpy.random.rand())]\n"
        "    return [str(numbers), str(set('abcdefgh')), time.tzname[0], str(hash('knife'))]",
    )
    answers = []
    for seed in (1, 1, 2):
        with pool.lease() as session:
            session.load(varying, seed)
            answers.append(texts(session))
    assert answers[0] == answers[1]
    assert answers[0][1:] == answers[2][1:]
    assert answers[0][0] != answers[2][0]
    assert answers[0][2] == "UTC"
    assert ALIKE.setdefault("varying", answers) == answers, "another backend answered otherwise"


def test_the_environment_is_bare(session: DesignSession) -> None:
    session.load(design("def retrieve(self, query):\n    import os\n    return sorted(os.environ)"), seed=1)
    assert texts(session) == [
        "LC_ALL",
        "MKL_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "TZ",
    ]


def test_the_promised_libraries_are_there(session: DesignSession) -> None:
    uses = design(
        "def update(self, trajectory):\n    import numpy, networkx",
        "def retrieve(self, query):\n"
        "    import sqlite3, numpy, networkx\n"
        "    sqlite3.connect(':memory:').execute('create virtual table t using fts5(a)')\n"
        "    path = networkx.shortest_path(networkx.path_graph(3), 0, 2)\n"
        "    return [str(numpy.ones((3, 3)).dot(numpy.ones(3)).sum()), str(path)]",
    )
    session.load(uses, seed=1)
    session.update(TRAJECTORY)
    assert texts(session) == ["9.0", "[0, 1, 2]"]


def test_nothing_else_of_ours_is_inside(session: DesignSession, pool: Pool) -> None:
    if "filesystem" not in pool.backend.isolates:
        pytest.skip(f"{pool.backend.name} does not claim filesystem")
    looks = design(
        "def retrieve(self, query):\n"
        "    import importlib.util\n"
        "    names = ('evolve', 'domains', 'archive', 'sandbox.session', 'docker', 'wordllama')\n"
        "    return [name for name in names if importlib.util.find_spec(name)]"
    )
    session.load(looks, seed=1)
    assert texts(session) == []


def test_a_hanging_episode_dies_alone(session: DesignSession) -> None:
    hangs = design(
        "def retrieve(self, query):\n    while query.observation == 'hang':\n        pass\n    return ['well']",
    )
    session.load(hangs, seed=1)
    with session.episode() as first, session.episode() as second:
        with pytest.raises(DesignFault) as caught:
            first.retrieve(query("hang"))
        assert caught.value.kind == "Timeout"
        with pytest.raises(DesignFault) as caught:
            first.retrieve(query())
        assert caught.value.kind == "EpisodeEnded"
        assert [item.text for item in second.retrieve(query())] == ["well"]
    assert texts(session) == ["well"]


def test_a_large_frame_passes_both_ways(session: DesignSession) -> None:
    session.load(design("def retrieve(self, query): return [query.observation]"), seed=1)
    large = "x" * 250_000
    with session.episode() as episode:
        assert episode.retrieve(query(large))[0].text == large


def test_a_closed_session_answers_with_a_fault(pool: Pool) -> None:
    with pool.lease() as session:
        session.load(REMEMBERS, seed=1)
    with pytest.raises(DesignFault, match="has ended"):
        session.update(TRAJECTORY)


def test_episodes_that_end_badly_leave_no_process(session: DesignSession) -> None:
    counts = design(
        "def retrieve(self, query):\n"
        "    import os, subprocess\n"
        "    if query.observation == 'leave':\n"
        "        os.fork() or __import__('time').sleep(30)\n"
        "    return [str(len(os.listdir('/proc/self/task')))]",
    )
    session.load(counts, seed=1)
    for _ in range(3):
        with session.episode() as episode, contextlib.suppress(DesignFault):
            episode.retrieve(query("leave"))
    assert texts(session) == ["1"]
