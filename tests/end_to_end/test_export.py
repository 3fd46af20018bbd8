"""`evolve export` and `evolve import` through the console script."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import venv
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.backends import make
from tests.archive.compositions import link_packages
from tests.author import Author
from tests.end_to_end.conftest import QUICK, SMALL, Shell
from tests.end_to_end.test_commands import documented, keys
from tests.model_server import ModelServer

PROCESS = ("--sandbox", "process", "--allow-unsafe")


@pytest.fixture
def copied(finished: Shell, tmp_path: Path) -> Shell:
    """A folder with an archive that may be written."""
    shutil.copy(finished.folder / "palimpsest.db", tmp_path)
    return Shell(tmp_path)


def best(shell: Shell) -> str:
    return str(shell.here("top", "--json").json["top"][0]["design"])


def python(*arguments: str, folder: Path, executable: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_design_leaves_as_a_module_and_comes_back(copied: Shell) -> None:
    design = best(copied)
    done = copied.evolve("export", design[:10], *PROCESS, "--with-memory", "1", "--json")
    assert done.code == 0, done.err
    assert set(keys(done.json)) <= documented("export")
    module = copied.folder / done.json["path"]
    assert module.name == f"memory_{design[2:10]}.py"
    assert module.with_suffix(".json").exists()
    assert done.json["proof"]["as_recorded"] == 8
    assert done.json["proof"]["items"] > 0
    tested = python(str(module), "--selftest", folder=copied.folder)
    assert (tested.returncode, tested.stderr) == (0, "")
    assert tested.stdout.startswith("ok: ")
    text = module.read_text()
    assert all(fact in text for fact in ("confirmation tasks", "Lineage   ", "over no memory", "8 of them", design))
    trained = f"from {module.stem} import *; print(len(AgentMemory.trained(embed=sample_embed).dump()['entries']))"
    assert python("-c", trained.replace("*", "AgentMemory, sample_embed"), folder=copied.folder).stdout == "2\n"
    back = copied.here("import", module.name, "--json")
    assert (back.code, back.json["design"], back.json["edited"]) == (0, design, False), back.err
    assert "3 episodes of each" in text
    assert set(keys(back.json)) <= documented("import")


def test_an_edited_module_is_entered_with_its_lineage(copied: Shell) -> None:
    design = best(copied)
    quick = copied.here("export", design, "--to", "mine.py", "--no-proof", *PROCESS)
    assert (quick.code, "not proved" in quick.out) == (0, True), quick.err
    assert "python mine.py --selftest" in quick.out
    text = (copied.folder / "mine.py").read_text()
    assert "self.lines = " in text
    (copied.folder / "mine.py").write_text(text.replace("self.lines = ", "self.lines = 1 or "))
    told = copied.here("import", "mine.py", "--to", "design.py")
    assert told.code == 0, told.err
    assert f"evolve submit design.py --parent {design[:10]} --run 1" in told.out
    copied.write("mine_design.py", "# something else")
    done = copied.here("import", "mine.py")
    assert (done.code, "is there already, and another" in done.err) == (2, True)
    (copied.folder / "mine_design.py").unlink()
    done = copied.here("import", "mine.py", "--submit", *PROCESS, "--workers", "0", "--json")
    assert done.code == 0, done.err
    shown = copied.here("show", done.json["design"], "--json").json
    assert (shown["origin"], shown["parents"][0]["design"]) == ("untrusted", design)
    assert "imported from mine.py" in shown["change"]


def test_no_file_that_holds_something_else_is_written_over(copied: Shell) -> None:
    design = best(copied)
    export = ("export", design, "--no-proof", *PROCESS, "--to", "mine.py")
    assert copied.here(*export).code == copied.here(*export).code == 0
    copied.write("mine.py", "# something else")
    done = copied.here(*export)
    assert (done.code, "mine.py is there already, and another; name a file with --to, or give" in done.err) == (2, True)
    assert copied.here(*export, "--force").code == 0
    copied.write("notes.json", "{}")
    done = copied.here(*export[:-1], "notes.py", "--with-memory", "1")
    assert (done.code, "notes.json is there already" in done.err) == (2, True)
    copied.write("design.py", "# something else")
    back = ("import", "mine.py", "--to", "design.py")
    assert (copied.here(*back).code, copied.here(*back, "--force").code, copied.here(*back).code) == (2, 0, 0)
    package = ("export", design, "--no-proof", *PROCESS, "--package")
    assert copied.here(*package, "mine").code == copied.here(*package, "mine").code == 0
    module = copied.folder / "mine" / "mine" / "__init__.py"
    module.write_text(module.read_text().replace("self.lines = ", "self.lines = 1 or "))
    taken = (
        ("mine.py", "there is a file of that name"),
        (".", "holds something else"),
        ("mine", "holds something else"),
    )
    for place, reason in taken:
        done = copied.here(*package, place)
        assert (done.code, reason in done.err) == (2, True)


def test_no_other_episodes_stand_for_those_that_a_run_learned_from(copied: Shell) -> None:
    with closing(sqlite3.connect(copied.folder / "palimpsest.db")) as archive:
        archive.execute("DELETE FROM recording")
        archive.commit()
    export = ("export", best(copied), "--to", "mine.py", *PROCESS, "--json")
    done = copied.here(*export, "--with-memory", "1")
    assert (done.code, "there are no episodes that run 1 learned from" in done.err) == (2, True)
    done = copied.here(*export)
    assert (done.code, done.json["proof"]["as_recorded"]) == (0, 0), done.err


@pytest.mark.parametrize(("dollars", "price"), [("0.25", "$0.2500"), ("NULL", "at an unknown price")])
def test_the_head_says_what_an_episode_costs(copied: Shell, dollars: str, price: str) -> None:
    export = ("export", best(copied), "--to", "mine.py", "--no-proof", *PROCESS)
    assert copied.here(*export).code == 0
    assert "episodes cost no tokens beyond those told" in flowing(copied.folder / "mine.py")
    with closing(sqlite3.connect(copied.folder / "palimpsest.db")) as archive:
        archive.execute(f"UPDATE episode SET tokens_in = 300, tokens_out = 7, dollars = {dollars}")
        archive.commit()
    assert copied.here(*export).code == 0
    told = f"the agent's model took 300 tokens in and 7 out an episode, {price}"
    assert told in flowing(copied.folder / "mine.py")


def flowing(file: Path) -> str:
    return " ".join(file.read_text().split())


def test_a_design_of_a_reproducible_run_is_not_to_be_submitted_there(shell: Shell) -> None:
    assert shell.here("run", *QUICK, "--designs", "1", "--finalists", "0", "--reproducible").code == 0
    assert shell.here("export", best(shell), "--to", "mine.py", "--no-proof", *PROCESS).code == 0
    told = shell.here("import", "mine.py")
    assert (told.code, "evolve submit" in told.out) == (0, False), told.err
    assert "eval mine_design.py" in told.out


def test_a_package_is_installed_where_there_is_nothing_of_ours(copied: Shell) -> None:
    designs = [row["design"] for row in copied.here("top", "--json").json["top"]]
    made = copied.here("export", designs[0], "--package", "a-memory", *PROCESS, "--json")
    assert made.code == 0, made.err
    folder = copied.folder / "bare"
    venv.create(folder, with_pip=False)
    bare = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", bare, "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, made.json["wheel"]], cwd=copied.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('sandbox', 'evolve', 'archive')])"
    assert python("-c", code, folder=folder, executable=bare).stdout == "[None, None, None]\n"
    link_packages(next((folder / "lib").glob("python*/site-packages")))
    tested = python("-m", "a_memory", "--selftest", folder=folder, executable=bare)
    assert tested.returncode == 0, tested.stderr


@pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")
def test_what_a_model_wrote_leaves_and_tells_the_same(shell: Shell) -> None:
    with ModelServer(Author(())) as server:
        run = ("run", *SMALL, "--sandbox", "bubblewrap", "--workers", "0", "--finalists", "0", "--designs", "4")
        done = shell.here(*run, "--proposer", server.spec(), "--json")
    assert done.code == 0, done.err
    assert len(done.json["top"]) == 4
    for number, row in enumerate(done.json["top"]):
        made = shell.here("export", row["design"], "--to", f"m{number}.py", "--sandbox", "bubblewrap", "--json")
        assert made.code == 0, made.err
        assert (made.json["requires"], made.json["proof"]["as_recorded"]) == ([], 8)
        assert made.json["proof"]["items"] > 0
        tested = python("-S", "-P", f"m{number}.py", "--selftest", folder=shell.folder)
        assert (tested.returncode, tested.stderr) == (0, "")


def test_a_history_leaves_as_a_folder(finished: Shell, tmp_path: Path) -> None:
    done = finished.here("export", "--tree", str(tmp_path / "tree"), "--json")
    assert done.code == 0, done.err
    assert set(keys(done.json)) <= documented("export")
    assert done.json["files"] == sum(path.is_file() for path in (tmp_path / "tree").rglob("*")) > 6


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("export",), "name a design, or give --tree DIR"),
        (("export", "1-", "--to", "a.txt"), "the name of a Python module ends in .py"),
        (("export", "1-", "--to", "a.py", "--package", "b"), "not both"),
        (("export", "1-", "--to", "nowhere/a.py"), "there is no folder nowhere"),
        (("export", "1-", "--to", "my-memory.py"), "no module can have this name"),
        (("export", "1-", "--to", "json.py"), "or Python has one of it"),
        (("export", "9-", "--sandbox", "process"), "no design whose id begins with"),
        (("import", "nothing.py"), "No such file or directory; name a module"),
        (("import", "/dev/zero"), "more than 1048576 bytes"),
        (("import", "."), "Is a directory; name a module"),
        (("import", "palimpsest.db"), "is not valid UTF-8"),
    ],
)
def test_bad_input_is_exit_code_2(arguments: tuple[str, ...], reason: str, finished: Shell) -> None:
    done = finished.here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_an_untrusted_design_does_not_run_without_a_wall(finished: Shell) -> None:
    listed = finished.here("show", "1-", "--json")
    assert listed.code == 2
    baseline = finished.here("export", nearest(finished), "--sandbox", "process")
    assert (baseline.code, "untrusted code" in baseline.err) == (2, True)


def nearest(shell: Shell) -> str:
    from archive.opening import open_archive

    archive = open_archive(shell.folder / "palimpsest.db")
    try:
        return archive.baselines(1)[1].design_id
    finally:
        archive.close()
