"""Whoever writes designs outside of `evolve run`: reads a run's history, and submits a design to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from archive.opening import open_archive
from evolve.tree import write
from sandbox.backends import make
from tests.end_to_end.conftest import QUICK, SMALL, Done, Shell
from tests.end_to_end.test_commands import HEAD, design, documented, keys
from tests.end_to_end.test_run import wait_for

HERE = ("--sandbox", "process", "--workers", "0")
WALLS = [name for name in ("bubblewrap", "docker") if make(name).available() is None]
BEHIND = (*SMALL, "--workers", "0", "--sandbox", *WALLS[:1])
"""A search that may come to run what a person wrote."""
SUBMIT = (*HERE, "--allow-unsafe", "--json")
NEW = HEAD + design("New", told="['call the drum amber', query.observation]")
"""Tells what no other design tells."""


@pytest.fixture
def kept(finished: Shell, tmp_path: Path) -> Shell:
    """A copy of the finished run, to be changed."""
    shutil.copy(finished.folder / "palimpsest.db", tmp_path / "palimpsest.db")
    return Shell(tmp_path)


def best(shell: Shell) -> str:
    return str(shell.here("top", "--json").json["top"][0]["design"])


def submit(shell: Shell, source: str, *flags: str) -> Done:
    shell.write("mine.py", source)
    return shell.here("submit", "mine.py", *SUBMIT, *flags)


def facts(shell: Shell) -> dict[str, Any]:
    run: dict[str, Any] = shell.here("runs", "--json").json[0]
    return {name: run[name] for name in ("designs", "evaluated", "failed", "rejected", "status")}


def test_a_submitted_design_is_one_of_the_run(kept: Shell) -> None:
    before, parent = facts(kept), best(kept)
    done = submit(kept, NEW, "--parent", parent[:12], "--change", "looks for its own", "--run", "1")
    assert done.code == 0, done.err
    assert "evaluating the design; episodes" in done.err, "a search's counts say nothing of one design"
    result = done.json
    assert set(keys({**result, "flips": None})) <= documented("submit") | documented("eval")
    assert (result["status"], result["parents"], result["run"]) == ("ok", [parent], 1)
    flipped = result["flips"]
    assert len(flipped["better"]) + len(flipped["worse"]) + flipped["equal"] == 8
    gain = sum(ours - theirs for pairs in (flipped["better"], flipped["worse"]) for theirs, ours in pairs.values()) / 8
    assert result["gain_over_parent"]["mean"] == pytest.approx(gain)
    assert facts(kept) == {**before, "designs": before["designs"] + 1, "evaluated": before["evaluated"] + 1}
    shown = kept.here("show", result["design"], "--json").json
    assert (shown["origin"], shown["number"], shown["change"]) == ("untrusted", 7, "looks for its own")
    assert [relative["design"] for relative in shown["parents"]] == [parent]
    front = kept.here("pareto", "--json").json["front"]
    assert {each["design"]: each["entered"] for each in front}[result["design"]] == 7
    again = submit(kept, NEW, "--parent", parent)
    assert (again.code, "has this design already, as number 7" in again.err) == (2, True)


@pytest.mark.skipif(not WALLS, reason="neither docker nor bubblewrap runs here")
def test_the_search_goes_on_after_it(kept: Shell) -> None:
    assert submit(kept, NEW, "--parent", best(kept)).code == 0
    refused = kept.here("run", *QUICK, "--designs", "7", "--finalists", "7")
    assert (refused.code, "untrusted code" in refused.err) == (2, True), "a search ran a person's code on `process`"
    same = kept.here("run", *BEHIND, "--designs", "9", "--json")
    assert same.code == 0, same.err
    assert (same.json["status"], same.json["designs"]) == ("done", 9)
    assert same.json["evaluated"] + same.json["failed"] == 9
    assert kept.here("doctor", "palimpsest.db").code == 0
    replayed = kept.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])


@pytest.mark.skipif(not WALLS, reason="neither docker nor bubblewrap runs here")
def test_a_killed_run_takes_a_design_and_then_goes_on(shell: Shell) -> None:
    path = shell.folder / "palimpsest.db"
    search = shell.start("run", *QUICK, "--designs", "30")
    wait_for(path, "event", 5, search, "state = 'evaluated'")
    os.killpg(search.pid, signal.SIGKILL)
    search.communicate()
    assert submit(shell, NEW, "--parent", best(shell)).code == 0
    done = shell.here("run", *BEHIND, "--designs", "8", "--json")
    assert done.code == 0, done.err
    assert (done.json["designs"], done.json["status"]) == (31, "interrupted")
    assert done.json["evaluated"] + done.json["failed"] == 8
    assert shell.here("doctor", "palimpsest.db").code == 0


BROKEN = design(told="[query.task.id[99]]")


@pytest.mark.parametrize(
    ("source", "where"), [(HEAD + BROKEN, "IndexError in retrieve"), (HEAD + design(update="1 / 0"), "in update")]
)
def test_what_fails_its_smoke_test_is_not_entered(kept: Shell, source: str, where: str) -> None:
    before = facts(kept)
    for _ in range(2):
        done = submit(kept, source, "--parent", best(kept))
        assert (done.code, done.json["status"]) == (1, "failed")
        assert where in done.json["reason"]
        assert facts(kept) == before
    assert submit(kept, NEW, "--parent", best(kept)).json["status"] == "ok"


def test_a_design_that_tells_what_another_tells_is_rejected(kept: Shell) -> None:
    first = submit(kept, HEAD + design(told="['call the drum amber']"))
    assert first.code == 0, first.err
    assert (first.json["parents"], first.json["flips"], first.json["gain_over_parent"]) == ([], None, None)
    before = facts(kept)
    twin = submit(kept, HEAD + design("Twin", told="['call the drum ' + 'amber']"))
    assert (twin.code, twin.json["status"]) == (1, "rejected")
    assert twin.json["reason"] == f"tells just what {first.json['design'][:10]} tells"
    assert facts(kept) == {**before, "rejected": before["rejected"] + 1}


REFUSED = {
    "no design": ("none.py", (), (), "none.py is no design: it must define exactly one"),
    "unknown parent": ("mine.py", ("--parent", "zz"), (), "no design whose id begins with 'zz'"),
    "unknown run": ("mine.py", ("--run", "7"), (), "has no run 7"),
    "reproducible": ("mine.py", (), ("--reproducible",), "run 1 is reproducible"),
    "no wall": ("mine.py", HERE, (), "this design is untrusted code"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_submitted_is_one_sentence(shell: Shell, finished: Shell, name: str) -> None:
    file, flags, of_run, sentence = REFUSED[name]
    if of_run:
        assert shell.here("run", *QUICK, *of_run, "--designs", "1").code == 0
    else:
        shutil.copy(finished.folder / "palimpsest.db", shell.folder / "palimpsest.db")
    shell.write("none.py", "x = 1\n")
    shell.write("mine.py", NEW)
    done = shell.here("submit", file, *flags)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err.splitlines()[-1]


def test_an_evaluation_of_ones_own_is_no_search(shell: Shell) -> None:
    shell.write("mine.py", NEW)
    assert shell.here("eval", "mine.py", *QUICK, "--allow-unsafe").code == 0
    done = shell.here("submit", "mine.py", *SUBMIT)
    assert (done.code, "is one of `evolve eval`, not a search" in done.err) == (2, True)


def test_episodes_are_seen_step_by_step(kept: Shell) -> None:
    design = best(kept)
    none = kept.here("trace", design[:12])
    assert none.code == 2
    assert f"trace {design[:10]} --play 3" in none.err
    played = kept.here("trace", design[:12], "--play", "3", *HERE, "--json")
    assert played.code == 0, played.err
    assert set(keys(played.json)) <= documented("trace")
    episodes = played.json["episodes"]
    assert len({episode["task"] for episode in episodes}) == 3
    assert all("reflection" in episode["task"] for episode in episodes)
    assert [episode["score"] for episode in episodes] == sorted(episode["score"] for episode in episodes)
    whole = played.json["episode"]
    assert (whole["task"], whole["length"]) == (episodes[0]["task"], len(whole["steps"]))
    assert sum(step["reward"] for step in whole["steps"]) == pytest.approx(whole["score"])
    last = episodes[-1]["task"]
    for_people = kept.here("trace", design[:12], last)
    assert for_people.code == 0, for_people.err
    assert for_people.out.startswith(f"task: {last} of recall, repeat 0\ndesign: {design}\n")
    assert "step 1 action: call the" in for_people.out
    collected = kept.here("trace", "collection", "--json").json
    assert len(collected["episodes"]) == 24
    assert {episode["repeat"] for episode in collected["episodes"]} == {0, 1, 2}
    wrong = kept.here("trace", design, "deployment-000")
    assert (wrong.code, "no episode of task 'deployment-000' is recorded" in wrong.err) == (2, True)


def test_a_text_is_found_in_code_and_episodes(kept: Shell) -> None:
    assert kept.here("trace", best(kept), "--play", "2", *HERE).code == 0
    hits = kept.here("search", "CALL THE", "-n", "1000", "--json").json
    assert set(keys(hits)) <= documented("search")
    assert {hit["where"] for hit in hits} >= {"traces", "collection"}
    assert all("call the" in hit["text"].lower() for hit in hits)
    assert {hit["where"] for hit in kept.here("search", "class Design", "--code", "--json").json} == {"code"}
    assert "Nothing in run 1 holds 'no such text'" in kept.here("search", "no such text").out
    assert kept.here("search", "x").code == 2


def grown(folder: Path) -> Sequence[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_the_history_is_a_folder(kept: Shell) -> None:
    design = best(kept)
    assert kept.here("trace", design, "--play", "2", *HERE).code == 0
    tree = kept.folder / "tree"
    archive = open_archive(kept.folder / "palimpsest.db")
    run = archive.run(1)
    count = write(archive, run, tree)
    archive.close()
    assert count == len(grown(tree))
    rows = [row.split("\t") for row in (tree / "index.tsv").read_text("utf-8").splitlines()]
    assert len(rows) == 1 + 3 + 6
    (place,) = (tree / "designs").glob(f"*-{design[:12]}")
    score = json.loads((place / "score.json").read_text("utf-8"))
    shown = kept.here("show", design, "--json").json
    assert (score["score"], score["gain"]) == (shown["score"], shown["gain"])
    assert (place / "source.py").read_text("utf-8") == shown["source"]
    assert [path.name[:5] for path in sorted((place / "traces").iterdir())] == [
        f"{episode['score']:.3f}" for episode in kept.here("trace", design, "--json").json["episodes"]
    ]
    assert len(list((tree / "collection").iterdir())) == 24
    everything = "".join(path.read_text("utf-8") for path in tree.rglob("*.txt"))
    for secret in ("deployment-0", "confirmation-", "test-0"):
        assert secret not in everything  # no episode of a task that selects, confirms or tests


def test_a_folder_goes_on_with_its_run(kept: Shell) -> None:
    tree = kept.folder / "tree"

    def grow() -> int:
        archive = open_archive(kept.folder / "palimpsest.db")
        try:
            return write(archive, archive.run(1), tree)
        finally:
            archive.close()

    first = grow()
    assert grow() == 0
    before = grown(tree)
    (tree / "designs").rename(tree / "gone")
    shutil.rmtree(tree / "gone")  # as where it was interrupted
    assert 0 < grow() < first
    assert grown(tree) == before
    assert submit(kept, NEW, "--parent", best(kept)).code == 0
    assert grow() > 0
    assert len(grown(tree)) >= len(before) + 5
