"""The README's tutorial followed word by word, and domains and agents of the user's in every command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from domains.baba import Baba
from domains.base import Role
from tests.clusters import cluster
from tests.end_to_end.conftest import SCRIPT, Done, Shell
from tests.end_to_end.test_commands import documented, keys

README = Path(__file__).parent.parent.parent / "README.md"
TITLE = "## Your own domain and agent\n"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b1-[0-9a-f]{4,}\b")
GAME = """
from domains.recall import Recall, RecallEnvironment

class Mine(Recall):
    def environment(self, spec):
        return Env(self.cues(spec), self._answers)

class Env(RecallEnvironment):
    def step(self, action):
        seen = super().step(action)
        {line}
        return seen

class Last:
    name, version, reads_instructions = "last", "1", False
    def begin(self, goal, instructions, seed, account=None):
        return self
    def act(self, observation, actions, items):
        return actions[-1]
"""
OWN = ("--domain", "mine:Mine", "--agent", "mine:Last", "--collection", "4", "--deployment", "6", "--finalists", "0")
FAST = ("--sandbox", "process", "--workers", "0")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code, with the text between it and the one before."""

    before: str
    language: str
    text: str


def section() -> str:
    text = README.read_text("utf-8")
    assert TITLE in text, "the README has no tutorial"
    return text.partition(TITLE)[2].partition("\n## ")[0]


def blocks(text: str) -> list[Block]:
    parts = BLOCK.split(text)
    return [Block(*parts[at : at + 3]) for at in range(0, len(parts) - 2, 3)]


def follow(text: str, shell: Shell) -> str:
    """Write what it says, and call what it says; returns all that was printed."""
    printed = ""
    for block in blocks(text):
        if block.language == "python":
            shell.write(re.findall(r"`(\w+\.py)`", block.before)[-1], block.text)
        for line in block.text.splitlines() if block.language == "sh" else ():
            best = ID.search(printed.partition("\n#  design")[2])
            command = ID.sub(best.group() if best else "", line)
            done = shell.evolve(*shlex.split(command, comments=True)[1:])
            assert done.code == 0, f"{command}\n{done.out}{done.err}"
            printed += done.out
        for line in block.text.splitlines() if not block.language else ():
            assert masked(line.removesuffix("...")) in masked(printed), line
    return printed


def masked(text: str) -> str:
    """Text without what differs from run to run: numbers, ids, widths of columns."""
    return re.sub(r"\s+", " ", re.sub(r"[+-]?[\d.]+", "N", ID.sub("ID", text)))


def test_the_tutorial_ends_with_an_evolved_memory(shell: Shell) -> None:
    printed = follow(section(), shell)
    assert "All 11 checks passed" in printed
    gain = re.search(r"^gain +\+([\d.]+) \[\+[\d.]+, \+[\d.]+\]  over no memory", printed, re.MULTILINE)
    assert gain, "held-out tasks do not tell it from no memory"
    selftest = [sys.executable, "-m", "codes", "--selftest"]
    done = subprocess.run(selftest, cwd=shell.folder, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("ok: "), done.stderr
    assert "press the" in (shell.folder / "codes.json").read_text()


@pytest.fixture
def mine(shell: Shell) -> Shell:
    shell.write("mine.py", GAME.format(line=""))
    return shell


def test_own_domain_and_agent_serve_every_command(mine: Shell) -> None:
    run = ("run", *OWN, *FAST, "--designs", "2", "--reproducible")
    first, again = (mine.evolve(*run, "--json").json for _ in range(2))
    assert (first["evaluated"], first["played"] > 0, again["played"]) == (2, True, 0)
    assert first["domain"] == "mine:Mine"
    assert mine.evolve("replay", "1").code == 0
    assert mine.evolve("test", "1", *FAST, "--tasks", "4", "--repeats", "1").code == 0
    assert mine.evolve("trace", "collection", "--json").json["episodes"]
    mine.write("mine.py", GAME.format(line="pass"))
    other = mine.evolve(*run, "--json").json
    assert (other["run"], other["played"] > 0) == (2, True)
    changed = mine.evolve("test", "1", *FAST)
    assert changed.code == 2
    assert "so the scores would not be comparable" in changed.err
    (mine.folder / "mine.py").unlink()
    gone = mine.evolve("test", "1", *FAST)
    assert (gone.code, "there is no module 'mine'" in gone.err, "Traceback" in gone.err) == (2, True, False)
    assert mine.evolve("top", "--run", "1").code == 0


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_mistake_in_play_ends_the_run_with_its_line(mine: Shell, workers: str) -> None:
    mine.write("mine.py", GAME.format(line="seen[9]"))
    done = mine.evolve("run", *OWN, "--sandbox", "process", "--workers", workers)
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert "mine:Mine is at fault: step('call the" in done.err
    assert "IndexError: tuple index out of range (mine.py, line 11)" in done.err


def test_a_package_brings_a_domain_and_an_agent(mine: Shell) -> None:
    info = mine.folder / "packages" / "shop-1.0.dist-info"
    info.mkdir(parents=True)
    (mine.folder / "mine.py").rename(info.parent / "mine.py")
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: shop\nVersion: 1.0\n")
    points = "[palimpsest.domains]\ncolours = mine:Mine\nrecall = mine:Mine\n[palimpsest.agents]\nlast = mine:Last\n"
    (info / "entry_points.txt").write_text(points)
    path = {"PYTHONPATH": str(info.parent)}
    listed = mine.evolve("domains", "--json", environment=path)
    assert "'recall' of shop 1.0 is left out" in listed.err
    assert {each["domain"]: each["origin"] for each in listed.json}["colours"] == "shop 1.0"
    run = ("run", "--domain", "colours", "--agent", "last", *OWN[4:], *FAST)
    done = mine.evolve(*run, "--designs", "1", "--json", environment=path)
    assert done.code == 0, done.err
    assert done.json["evaluated"] == 1


def test_a_domain_is_checked(mine: Shell) -> None:
    for_people, for_programs = (mine.here("domains", "check", "recall", *form) for form in ((), ("--json",)))
    assert (for_people.code, for_people.err, for_programs.json["passed"]) == (0, "", True)
    assert set(keys(for_programs.json)) <= documented("domains")
    assert for_people.out.count("✓") == len(for_programs.json["checks"])
    mine.write("mine.py", GAME.format(line="seen[4]['score'] = 0.5"))
    done = mine.evolve("domains", "check", "mine:Mine")
    assert (done.code, done.err) == (1, "")
    assert "✗  keeps the contract" in done.out
    assert "a reward is a gain in score" in done.out
    assert mine.here("domains", "check", "chess").code == 2


def typed(shell: Shell, text: str | bytes, *arguments: str) -> Done:
    """`evolve play` with something typed into it."""
    typing = text.encode() if isinstance(text, str) else text
    done = subprocess.run(
        [str(SCRIPT), "play", *arguments], cwd=shell.folder, input=typing, capture_output=True, check=False
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("text", ["1\n2\n3\n1\n", "1\n\nwhat?\nCall the  island amber!\n3\n99\n1\n"])
def test_a_person_plays(mine: Shell, text: str) -> None:
    done = typed(mine, text, "recall", "0")
    assert (done.code, done.err) == (0, "")
    assert "Name the colour of each thing you are shown." in done.out
    assert done.out.count("That is none of the actions") == 3 * ("what?" in text)
    assert "The game is over. Score " in done.out


def test_a_person_leaves_and_a_program_reads(mine: Shell) -> None:
    done = typed(mine, "call the oar white\nq\n2\n", "recall", "reflection-000", "--json")
    assert done.code == 0
    assert set(keys(done.json)) <= documented("play")
    assert (done.json["over"], done.json["won"], len(done.json["steps"])) == (False, False, 1)
    assert "Left after 1 steps" in done.err
    assert "Left after 0 steps" in typed(mine, b"\xff\xfe\n", "recall").out


def test_a_person_is_shown_the_board_before_each_move(shell: Shell) -> None:
    domain = Baba()
    spec = domain.tasks(Role.REFLECTION)[0]
    environment = domain.environment(spec)
    observation, info = environment.reset(seed=0)
    boards = [environment.render()]
    *_, then = environment.step(info["actions"][0])
    boards.append(environment.render())
    done = typed(shell, "1\nq\n", "baba", spec.id, "--json")
    places = [done.err.find(part) for part in (observation, boards[0], f" {info['actions'][-1]}\n", boards[1])]
    assert places == sorted(places), done.err
    assert (places[0] >= 0, boards[0] != boards[1]) == (True, True)
    assert info.keys() == then.keys() == {"goal", "actions", "score", "won"}
    assert set(keys(done.json)) <= documented("play")
    assert "####" not in done.out + observation


def test_a_person_is_shown_what_a_design_tells(finished: Shell) -> None:
    best = finished.here("top", "--json").json["top"][0]["design"]
    flags = ("recall", "reflection-000", "--design", best[:12], "--sandbox", "process", "--json")
    done = typed(finished, "1\n1\n1\n1\n", *flags)
    assert done.code == 0, done.err
    assert done.json["design"] == best
    [told] = done.json["told"]
    assert told["step"] == 0
    assert all(item["text"] in done.err for item in told["items"])
    refused = typed(finished, "", "rewriting", *flags[2:])
    assert (refused.code, "the design learned recall, version 1, in run 1" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("chess", "unknown domain 'chess'"),
        ("recall 999", "recall has no reflection task '999'; there are 30"),
        ("recall --role test", "the test tasks are for `evolve test` alone"),
        ("recall --role judge", "there is no such role; choose collection, "),
        ("recall --design 1-84", "there is no archive at palimpsest.db"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(shell: Shell, arguments: str, sentence: str) -> None:
    done = shell.here("play", *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


def test_a_node_without_the_module_is_left_out_by_name(mine: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = {"PYTHONPATH": str(mine.folder)}
    elsewhere = Shell(tmp_path_factory.mktemp("elsewhere"))
    with cluster() as nodes:
        nodes.add(folder)
        nodes.add()
        nodes.wait()
        run = ("run", *OWN, "--sandbox", "process", "--workers", "1", "--designs", "1")
        done = elsewhere.evolve(*run, "--ray-address", nodes.address, environment=folder)
    assert done.code == 0, done.err
    assert re.search(r"node \S+ \(\w+\) is left out: .*there is no module 'mine'", done.err)
