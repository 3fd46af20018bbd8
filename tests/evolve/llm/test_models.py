"""Models by name, their keys, and their prices."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from evolve.errors import InputError
from evolve.llm import keys
from evolve.llm.base import Usage
from evolve.llm.models import Spec, parse
from evolve.llm.prices import Prices

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("openai:gpt-5-mini", Spec("openai", "gpt-5-mini")),
        ("openai:org/m:8b@http://127.0.0.1:8080/v1/", Spec("openai", "org/m:8b", "http://127.0.0.1:8080/v1")),
        ("openai:a@b@https://host/v1", Spec("openai", "a@b", "https://host/v1")),
        ("anthropic:claude-sonnet-4-5", Spec("anthropic", "claude-sonnet-4-5")),
        ("local", Spec("local", "")),
        ("local:models/x.gguf", Spec("local", "models/x.gguf")),
    ],
)
def test_names_of_models(name: str, spec: Spec) -> None:
    assert parse(name) == spec
    assert str(spec) == name.rstrip("/")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpt-5", "there is no model 'gpt-5'"),
        ("openai:", "names no model"),
        ("openai:@http://h/v1", "names no model"),
        ("anthropic: m", "names no model"),
        ("openai:m@http://", "not the address of a server"),
        ("openai:m@http://h:port/v1", "not the address of a server"),
        ("openai:m@http://user:sesame@h/v1", "MODEL_SERVER_KEY"),
        ("openai:m@https://h/v1?key=sesame", "MODEL_SERVER_KEY"),
    ],
)
def test_names_that_are_none(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse(name)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("line", ["{}=abc", "export {}='abc'  ", '  {} = "abc"', "# a comment\n\nX\n{}=abc"])
def test_keys_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    monkeypatch.delenv(keys.OPENAI, raising=False)
    monkeypatch.chdir(tmp_path)
    assert keys.find(keys.OPENAI) is None
    (tmp_path / ".env").write_text(line.format(keys.OPENAI))
    assert keys.find(keys.OPENAI) == "abc"
    assert keys.find(keys.ANTHROPIC) is None
    monkeypatch.setenv(keys.OPENAI, "from the environment")
    assert keys.find(keys.OPENAI) == "from the environment"


def test_withheld_keys_are_not_inherited() -> None:
    script = (
        "import os, subprocess, sys; from evolve.llm import keys; keys.withhold();"
        "child = subprocess.run([sys.executable, '-c', 'import os; print(dict(os.environ))'], capture_output=True);"
        "assert b'canary' not in child.stdout and not set(keys.NAMES) & set(os.environ);"
        "assert keys.find(keys.OPENAI) == 'canary-1' and keys.find(keys.SERVER) == 'canary-2'"
    )
    environment = {**os.environ, keys.OPENAI: "canary-1", keys.SERVER: "canary-2"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices.load()


@pytest.mark.parametrize(
    ("model", "usage", "on", "dollars"),
    [
        ("openai:gpt-5-mini", Usage(MILLION, MILLION), "2026-01-01", 0.25 + 2.0),
        ("openai:gpt-5-mini-2025-08-07", Usage(MILLION, 0, MILLION), "2026-01-01", 0.025),
        ("openai:gpt-5-mini", Usage(1), "2025-01-01", None),
        ("openai:text-embedding-3-small", Usage(MILLION), "2026-01-01", 0.02),
        ("openai:no-such-model", Usage(1), "2026-01-01", None),
        ("openai:gpt-5-mini@http://127.0.0.1:1/v1", Usage(1), "2026-01-01", None),
        ("local", Usage(MILLION, MILLION), "2026-01-01", 0.0),
        ("local:x.gguf", Usage(MILLION), "2026-01-01", 0.0),
        ("anthropic:claude-sonnet-5-5", Usage(1_500_000, 0, 500_000), "2026-10-01", 2.0 + 0.1),
        ("anthropic:claude-sonnet-5-5", Usage(1_500_000, 0, 500_000, 0, MILLION), "2026-10-07", 2.5 + 0.05),
        ("anthropic:claude-haiku-5-5", Usage(100_000, 100_000, written=50_000), "2026-11-01", 0.00625 + 0.005 + 0.05),
        ("anthropic:claude-haiku-5-5", Usage(200_000, 100_000), "2026-11-01", 0.1 + 0.25),
        ("openai:gpt-5-mini", Usage(MILLION, written=MILLION), "2026-01-01", 0.25),
        ("openai:gpt-6-luna", Usage(300_000), "2026-11-01", None),
    ],
)
def test_prices(prices: Prices, model: str, usage: Usage, on: str, dollars: float | None) -> None:
    assert prices.price(model, usage, date.fromisoformat(on)) == (None if dollars is None else pytest.approx(dollars))


@pytest.mark.parametrize(
    ("model", "tokens", "dollars"),
    [
        ("openai:gpt-5-mini", (MILLION, MILLION), 0.25 + 2.0),
        ("anthropic:claude-opus-4-5", (MILLION, 0), 6.25),
        ("anthropic:claude-haiku-5-5", (100_000, 0), 0.0125),
        ("anthropic:claude-haiku-5-5", (200_000, 0), 0.125),
        ("openai:gpt-6-luna", (MILLION, 0), 0.125),  # it may be far fewer, and then there is a price
        ("openai:no-such-model", (1, 1), None),
    ],
)
def test_the_most_that_a_call_may_cost(
    prices: Prices, model: str, tokens: tuple[int, int], dollars: float | None
) -> None:
    most = prices.most(model, *tokens, date.fromisoformat("2026-11-01"))
    assert most == (None if dollars is None else pytest.approx(dollars))


def test_the_users_prices_come_first(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('"openai:gpt-5-mini" = { input = 7 }\n"openai:m" = [{ input = 1.0, output = 2.0 }]\n')
    own = Prices.load(file)
    assert own.price("openai:gpt-5-mini", Usage(MILLION, MILLION)) == 7
    assert own.price("openai:m@http://127.0.0.1:8080/v1", Usage(MILLION, MILLION)) == 3
    assert own.price("openai:gpt-5-nano", Usage(MILLION)) == 0.05


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "can not be read"),
        ('"gpt-5" = [{ input = 1.0 }]', "there is no model 'gpt-5'"),
        ('"openai:m" = [{ output = 1.0 }]', "needs a price such as"),
        ('"openai:m" = [{ input = 1.0, per = 3 }]', "needs a price such as"),
        ('"openai:m" = [{ input = -1.0 }]', "input of openai:m is -1.0"),
        ('"openai:m" = [{ input = 1.0, since = "today" }]', "which is no day"),
        ('"openai:m" = [{ input = 1.0, since = 2026-01-01T00:00:00 }]', "which is no day"),
    ],
)
def test_prices_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        Prices.load(file)
    with pytest.raises(InputError, match="can not be read"):
        Prices.load(tmp_path / "none.toml")
