"""An exported module as a package that can be installed: pyproject, README, a test, and a wheel."""

from __future__ import annotations

import base64
import hashlib
import keyword
import re
import sys
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from archive.export import Exported

VERSION = "1.0.0"
"""Of every package: another design is another package."""


def module_name(text: str) -> str:
    """A name for a module, made of a file's or a folder's."""
    name = re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_")
    return name if is_free(name) else f"memory_{name}".rstrip("_")


def is_free(name: str) -> bool:
    """Whether a module can have this name, and Python has none of it already."""
    return name.isidentifier() and not keyword.iskeyword(name) and name not in sys.stdlib_module_names


def module_in(folder: Path) -> Path:
    """The module of the package that a folder holds, or is to hold."""
    return folder / module_name(folder.resolve().name) / "__init__.py"


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a package that was written here before."""
    project = folder / "pyproject.toml"
    return project.is_file() and f'description = "{_SUMMARY}"' in project.read_text(encoding="utf-8", errors="replace")


def write_package(folder: Path, exported: Exported, memory: str | None) -> Path:
    """Write the package into a folder and return its wheel; `memory` is what it has learned, as JSON."""
    name = module_name(folder.resolve().name)
    contents = {
        f"{name}/__init__.py": exported.text,
        f"{name}/__main__.py": _MAIN.format(name=name, main=exported.main),
    }
    if memory is not None:
        contents[f"{name}/__init__.json"] = memory
    else:
        (folder / name / "__init__.json").unlink(missing_ok=True)  # of an export before this one
    files = {
        **contents,
        "pyproject.toml": _pyproject(name, exported.requires),
        "README.md": _readme(name, exported, trained=memory is not None),
        f"tests/test_{name}.py": _TEST.format(name=name),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return _write_wheel(folder / "dist", name, contents, exported.requires)


def _pyproject(name: str, requires: Sequence[str]) -> str:
    return f"""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{VERSION}"
description = "{_SUMMARY}"
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = [{", ".join(f'"{each}"' for each in requires)}]

[tool.setuptools]
packages = ["{name}"]

[tool.setuptools.package-data]
{name} = ["*.json"]
"""


def _readme(name: str, exported: Exported, *, trained: bool) -> str:
    head = exported.text.partition('"""')[2].partition('"""')[0]
    facts, _, use = head.partition("\n\n    ")
    title, _, facts = facts.partition("\n\n")
    names = ", ".join([exported.memory, *(exported.names[each] for each in _USED)])
    parts = [
        f"# {name}",
        f"{_SUMMARY}.",
        f"    from {name} import {names}\n\n    {use}".rstrip(),
        *([_TRAINED.format(memory=exported.memory)] if trained else []),
        f"`python -m {name} --selftest` asks recorded questions.",
        textwrap.indent(f"{title}\n\n{facts}", "    "),  # as code, for a design chose the words
    ]
    return "\n\n".join(parts) + "\n"


_TRAINED = """\
`{memory}.trained(llm=..., embed=...)` is the memory as it was when the design was exported: it needs the embedder that
it was built with."""
_USED = ("Query", "Step", "Task", "Trajectory")
_SUMMARY = "A memory for agents, found by evolving memory designs"
_MAIN = "import {name}\n\nraise SystemExit({name}.{main}())\n"
_TEST = """\
import subprocess
import sys


def test_it_tells_what_was_recorded():
    subprocess.run([sys.executable, "-m", "{name}", "--selftest"], check=True)
"""


def _write_wheel(folder: Path, name: str, contents: Mapping[str, str], requires: Sequence[str]) -> Path:
    """A pure wheel of the package (the binary distribution format of PEP 427); equal contents, equal bytes."""
    info = f"{name}-{VERSION}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        **contents,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\nSummary: {_SUMMARY}\n"
        f"License: Apache-2.0\nRequires-Python: >=3.11\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: palimpsest\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)  # of 1980, as all without a time
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return wheel


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
