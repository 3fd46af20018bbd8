"""The doctor looks at this real machine, and at lacks that can be made without harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evolve import doctor
from evolve.llm import keys, local
from sandbox import backends


@pytest.fixture(scope="module")
def findings() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.diagnose()}


def test_everything_is_looked_at_once(findings: dict[str, doctor.Finding]) -> None:
    expected = {
        "python",
        "compiler",
        "processors",
        "memory",
        "cache",
        "runtime runsc",
        "game compilers",
        "model keys",
        "local model",
        *doctor.PACKAGES,
    }
    assert set(findings) == expected | {f"sandbox {name}" for name in backends.BACKENDS}
    assert len(doctor.diagnose()) == len(findings)


def test_what_the_suite_runs_on_is_found(findings: dict[str, doctor.Finding]) -> None:
    for name in ("python", "cache", "game compilers", "sandbox process", *doctor.PACKAGES):
        assert findings[name].ok, findings[name]
    assert doctor.is_usable(list(findings.values()))


def test_every_lack_has_a_remedy_and_nothing_else_has(findings: dict[str, doctor.Finding]) -> None:
    for finding in findings.values():
        assert finding.detail
        assert bool(finding.remedy) != finding.ok, finding


def test_backends_are_asked_themselves(findings: dict[str, doctor.Finding]) -> None:
    for name in backends.BACKENDS:
        assert findings[f"sandbox {name}"].ok == (backends.make(name).available() is None)


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.check_compiler().remedy == "apt-get install gcc libc6-dev"
    assert "cc" in doctor.check_compiler().detail
    assert doctor.check_sandbox("bubblewrap").remedy.endswith("apt-get install bubblewrap")


def test_an_engine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    finding = doctor.check_sandbox("docker")
    assert not finding.ok
    assert finding.remedy


def test_a_cache_that_can_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", "/proc/palimpsest")
    finding = doctor.check_cache()
    assert not finding.ok
    assert "/proc/palimpsest" in finding.detail
    assert "PALIMPSEST_CACHE" in finding.remedy
    assert not doctor.is_usable([finding])


def test_a_package_that_is_not_there() -> None:
    finding = doctor.check_package("no_such_package")
    assert not finding.ok
    assert "no_such_package" in finding.detail


def test_keys_are_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in keys.NAMES:
        monkeypatch.delenv(name, raising=False)
    assert doctor.check_model_keys().remedy.endswith("in .env")
    monkeypatch.setenv(keys.ANTHROPIC, "canary")
    assert doctor.check_model_keys().detail == keys.ANTHROPIC


def test_weights_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WEIGHTS", "no_such_package")
    finding = doctor.check_local_model()
    assert finding.detail == "the weights of the local model are not installed"
    assert finding.remedy == local.INSTALL


def test_processors_are_those_that_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert doctor.check_processors().detail == "1"
        assert not doctor.check_processors().ok
    finally:
        os.sched_setaffinity(0, allowed)
