"""One configuration in three shapes: flags, a TOML file, the archive's row."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from evolve import cli
from evolve.config import FREE, RunConfig, make_config
from evolve.errors import InputError


def test_every_field_is_a_flag_and_every_flag_is_a_field() -> None:
    flags = set(inspect.signature(cli.run).parameters) - cli.NOT_CONFIGURATION - {"invocation"}
    assert flags == set(RunConfig.model_fields)


def test_flags_of_other_commands_are_fields_too() -> None:
    ours = {"file", "archive", "allow_unsafe", "as_json", "invocation"}
    assert set(inspect.signature(cli.evaluate).parameters) - ours <= set(RunConfig.model_fields)


def test_flags_override_the_file_and_the_file_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('domain = "recall"\ndesigns = 7\nseed = 3\n')
    config = make_config(file, {"designs": 9, "strategy": None})
    assert config == RunConfig(domain="recall", designs=9, seed=3)


def test_the_row_is_the_configuration() -> None:
    config = RunConfig(domain="recall", workers=0, temperature=0.25)
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"designs": 0}, "designs: input should be greater than or equal to 1"),
        ({"deployment": 1}, "deployment: "),
        ({"temperature": 0.0}, "temperature: "),
        ({"workers": -1}, "workers: "),
        ({"small": 5}, "small: .*0, or at least 6 and fewer than deployment"),
        ({"small": 8, "deployment": 8}, "small: .*0, or at least 6 and fewer than deployment"),
        ({"roles": ["reflect.effort=huge"]}, "roles.reflect.effort: "),
        ({"roles": ["foo.temperature=1"]}, "roles.foo: there is no such role; the roles are agent, .*repair"),
        ({"roles": ["propose.stps=12"]}, "roles.propose.stps: there is no such setting; a role has .*steps"),
        ({"roles": ["reflect.steps=12"]}, "roles: steps is a bound of the role propose"),
        ({"colour": "red"}, "colour: there is no such field; the fields are domain, agent,"),
        ({"designs": 0, "seed": -1}, "seed: .*; designs: "),
    ],
)
def test_what_is_wrong_is_named(flags: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=f"the configuration is not valid: .*{problem}"):
        make_config(None, flags)


def test_settings_of_a_role() -> None:
    config = make_config(None, {"roles": ["reflect.effort=high", "reflect.max_tokens=9", "agent.temperature=0.5"]})
    assert config.roles["reflect"].effort == "high"
    assert config.roles["reflect"].max_tokens == 9
    assert config.roles["agent"].temperature == 0.5
    with pytest.raises(InputError, match="--role takes ROLE"):
        make_config(None, {"roles": ["effort=high"]})


@pytest.mark.parametrize("content", [b"designs = [", b"\xff\xfe", b"designs 3"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"run\.toml cannot be read as TOML"):
        make_config(file, {})
    with pytest.raises(InputError, match=r"missing\.toml cannot be read"):
        make_config(tmp_path / "missing.toml", {})


def another(default: Any) -> Any:
    if isinstance(default, bool):
        return not default
    return default / 2 or 0.5 if isinstance(default, float) else default + 1


def test_what_can_change_a_result_changes_the_identity() -> None:
    plain = RunConfig().identity("1", "1")
    assert plain == RunConfig().identity("1", "1")
    assert plain != RunConfig().identity("2", "1")
    others: dict[str, object] = {"domain": "recall", "strategy": "random", "agent": "x", "proposer": "y"}
    others |= {
        "mode": "dynamic",
        "sandbox": "process",
        "runtime": "runsc",
        "workers": 1,
        "small": 12,
        "ray_address": "auto",
        "memory_model": "local",
        "embedder": "openai:text-embedding-3-small",
        "context": "scores",
        "roles": {"reflect": {"effort": "high"}},
        "budget_usd": 1.0,
        "budget_tokens": 1,
        "llm": "replay",
        "prices": "prices.toml",
    }
    for name, field in RunConfig.model_fields.items():
        value = others[name] if name in others else another(field.default)
        changed = RunConfig.model_validate({name: value}).identity("1", "1")
        assert (changed == plain) == (name in FREE), name
