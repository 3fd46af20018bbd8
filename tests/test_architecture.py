"""The rules that hold the packages apart: who may import whom, how long a file may grow, and what no file may say."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("evolve", "sandbox", "domains", "archive")
MAX_LINES = 450

MAY_IMPORT = {
    "sandbox.guest": ("sandbox.guest",),
    "sandbox": ("sandbox",),
    "domains": ("domains", "sandbox.guest"),
    "archive": ("archive", "sandbox.guest"),
    "evolve": PACKAGES,
}
"""What a package may import of ours; the longest name that fits a module decides."""

GUEST_MAY_IMPORT = """
    __future__ abc ast bisect collections contextlib copy ctypes dataclasses difflib enum errno fractions functools gc
    hashlib heapq importlib inspect io itertools json linecache math numbers operator os pathlib platform random re
    resource select signal socket sqlite3 statistics string struct sys tempfile textwrap threading time traceback types
    typing unicodedata uuid warnings weakref networkx numpy sandbox
"""
"""The standard library's quiet part, and the two wheels that every sandbox holds."""

HEAVY = frozenset(
    {"ray", "numpy", "networkx", "sqlmodel", "sqlalchemy", "textworld", "docker", "gymnasium", "openai", "pydantic"}
)
"""Modules too slow for `evolve --help`."""

REGISTRIES = re.compile(
    r"\b(?:"
    + "|".join(
        re.escape(".".join(host))
        for host in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("debian", "org"),
            ("npmjs", "org"),
            ("crates", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
            ("registry-1", "docker", "io"),
            ("huggingface", "co"),
            ("anaconda", "org"),
        )
    )
    + r")\b"
)
PERSONAL_PATHS = re.compile(r"(?<![\w.])/(?:home|Users)/\w+")


def source_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@cache
def modules_of_ours() -> frozenset[str]:
    return frozenset(module_name(path) for path in source_files(*PACKAGES))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, also inside functions, as (line, absolute name of the module)."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield node.lineno, submodule if submodule in modules_of_ours() else base


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("importer", MAY_IMPORT)
def test_imports_point_one_way(importer: str) -> None:
    wrong = [
        f"{place(path, line)} imports {imported}"
        for path in source_files(*PACKAGES)
        if importer == max((name for name in MAY_IMPORT if is_within(module_name(path), name)), key=len)
        for line, imported in imports(path)
        if imported.partition(".")[0] in PACKAGES
        and not any(is_within(imported, allowed) for allowed in MAY_IMPORT[importer])
    ]
    assert not wrong, f"{importer} may import of ours only {', '.join(MAY_IMPORT[importer])}"


def test_guest_imports_only_what_every_sandbox_holds() -> None:
    wrong = [
        f"{place(path, line)} imports {imported}"
        for path in source_files("sandbox/guest", "archive/seeds")
        for line, imported in imports(path)
        if imported.partition(".")[0] not in GUEST_MAY_IMPORT.split()
    ]
    assert not wrong


def test_starter_designs_import_of_ours_only_the_guest_package_itself() -> None:
    wrong = [
        f"{place(path, line)} imports {imported}"
        for path in source_files("archive/seeds")
        for line, imported in imports(path)
        if imported.partition(".")[0] in PACKAGES and imported != "sandbox.guest"
    ]
    assert not wrong


def test_only_workers_and_cluster_import_ray() -> None:
    wrong = [
        place(path, line)
        for path in source_files(*PACKAGES, "scripts")
        for line, imported in imports(path)
        if is_within(imported, "ray") and module_name(path) not in ("evolve.workers", "evolve.cluster")
    ]
    assert not wrong


def modules_after(statement: str) -> frozenset[str]:
    """Names of the modules that a fresh interpreter holds after `statement`."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["evolve.cli", "sandbox.guest"])
def test_import_stays_light(module: str) -> None:
    assert not HEAVY & modules_after(f"import {module}")


def test_guest_brings_in_nothing_else_of_ours() -> None:
    ours = {name for name in modules_after("import sandbox.guest") if name.partition(".")[0] in PACKAGES}
    assert {name for name in ours if not is_within(name, "sandbox.guest")} == {"sandbox"}


def test_files_stay_short() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in source_files(*PACKAGES, "tests", "scripts")}
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > MAX_LINES}


def test_only_the_command_line_prints() -> None:
    wrong = [
        place(path, node.lineno)
        for path in source_files(*PACKAGES)
        if not is_within(module_name(path), "evolve.cli")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_package_says_what_lives_in_it(package: str) -> None:
    docstring = ast.get_docstring(parsed(ROOT / package / "__init__.py"))
    assert docstring
    assert len(docstring.splitlines()) > 1


def files_to_ship() -> list[Path]:
    """Files that git tracks, and new ones that it does not ignore."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing says which files belong to the project")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def paths_of_this_machine() -> tuple[str, ...]:
    """Where this checkout, this Python and this user live, where that is telling (what is under `/usr` is not)."""
    places = {ROOT, Path(sys.prefix), Path(sys.base_prefix), Path.home()}
    return tuple(str(path) for path in places if len(path.parts) > 2 and path.parts[1] != "usr")


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    machine = paths_of_this_machine()
    wrong = []
    for path in files_to_ship():
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if REGISTRIES.search(line) or PERSONAL_PATHS.search(line) or any(name in line for name in machine):
                wrong.append(f"{place(path, number)} {line.strip()[:120]}")
    assert not wrong
