"""Exported and served memories where others live: behind the Model Context Protocol, and in a LangGraph agent."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client

from sandbox.backends import NoBackendError, choose
from tests.archive.compositions import SHARED, layered
from tests.end_to_end.conftest import SCRIPT, Shell
from tests.model_server import Ask, ModelServer, Say

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = [{"action": "open the red door", "observation": "It is open.", "reward": 1.0, "done": True}]
EPISODE: dict[str, Any] = {
    "goal": "get out",
    "observation": "You see a red door.",
    "steps": STEPS,
    "score": 1.0,
    "success": True,
}
ASKED: dict[str, Any] = {"goal": "get out", "observation": "You see a red door."}

WHAT_SCORED = """\
import os
import sys

from sandbox.guest import Memory, MemoryDesign


class WhatScored(MemoryDesign):
    instructions = "Do what scored."
    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.scored, self.seen = [], 0
        print("a design may print")

    def update(self, trajectory):
        if "die" in trajectory.task.goal:
            os._exit(3)
        if "raise" in trajectory.task.goal:
            raise ValueError("it does not want that")
        self.scored += [step.action for step in trajectory.steps if step.reward > 0]

    def observe(self, step):
        self.seen += 1

    def retrieve(self, query):
        sys.stdout.write("to the log\\n")
        return Memory([*self.scored, f"seen {self.seen}"])
"""


@pytest.fixture(scope="module")
def sandbox() -> tuple[str, ...]:
    """A sandbox that isolates, the best one here."""
    try:
        return ("--sandbox", choose().name)
    except NoBackendError:
        return ("--sandbox", "process", "--allow-unsafe")


Talk = Callable[[Client], Awaitable[None]]


def talk(folder: Path, arguments: Sequence[str], say: Talk) -> None:
    """Start a server as any client does, and speak with it."""
    server = StdioServerParameters(command=str(SCRIPT), args=["serve", *arguments, "--mcp"], cwd=folder)

    async def session() -> None:
        with (folder / "server.log").open("w") as log:
            async with Client(stdio_client(server, errlog=log)) as client:
                await say(client)

    asyncio.run(session())


async def call(client: Client, tool: str, **arguments: Any) -> tuple[str, Any]:
    """What a tool answers: its text, and its value; none where it is an error."""
    result: Any = await client.call_tool(tool, arguments)
    return result.content[0].text, None if result.is_error else result.structured_content


def test_a_design_is_asked_taught_and_kept(shell: Shell, sandbox: tuple[str, ...]) -> None:
    serve = (shell.write("design.py", WHAT_SCORED), "--memory", "memory.json", *sandbox)

    async def learn(client: Client) -> None:
        assert client.instructions is not None
        assert client.instructions.endswith("Do what scored.")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"retrieve", "update", "manage", "save"}
        assert "before every other one" in (tools["retrieve"].description or "")
        assert (await call(client, "retrieve", **ASKED))[0] == "seen 0"
        assert (await call(client, "update", trajectory=EPISODE))[1] == {"episodes": 1}
        assert (await call(client, "manage"))[1] == {"episodes": 1}
        for _ in range(2):  # an episode leaves no trace
            text, value = await call(client, "retrieve", **ASKED, history=STEPS)
            assert text == "open the red door\nseen 1"
            assert [item["text"] for item in value["items"]] == text.splitlines()
        for goal in ("die", "raise"):
            text, value = await call(client, "update", trajectory={**EPISODE, "goal": goal})
            assert text.startswith("the design failed, and its memory is as it was: ")
            assert value is None
        assert (await call(client, "retrieve", **ASKED, budget=5))[1]["cut"] is True
        assert Path((await call(client, "save"))[1]["file"]) == Path("memory.json")

    async def remember(client: Client) -> None:
        assert (await call(client, "retrieve", **ASKED))[0] == "open the red door\nseen 0"

    talk(shell.folder, serve, learn)
    talk(shell.folder, serve, remember)
    kept = json.loads((shell.folder / "memory.json").read_text())
    assert [entry["op"] for entry in kept["entries"]] == ["init", "update", "manage"]


def test_a_model_uses_the_memory_as_it_uses_any_tool(shell: Shell, sandbox: tuple[str, ...]) -> None:
    from openai import OpenAI

    planned = [("retrieve", ASKED), ("update", {"trajectory": EPISODE}), ("retrieve", ASKED)]

    def script(ask: Ask) -> Say:
        answered = [message["content"] for message in ask.body["messages"] if message["role"] == "tool"]
        return Say(calls=[planned[len(answered)]]) if len(answered) < len(planned) else Say(answered[-1])

    async def speak(client: Client) -> None:
        functions = [
            {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
            for tool in (await client.list_tools()).tools
        ]
        tools: Any = [{"type": "function", "function": function} for function in functions]
        messages: list[Any] = [{"role": "user", "content": "Get out."}]
        model = OpenAI(base_url=server.url, api_key="none")
        while (said := model.chat.completions.create(model="m", messages=messages, tools=tools).choices[0]).message:
            messages.append(said.message.model_dump(exclude_none=True))
            if not said.message.tool_calls:
                break
            for wanted in said.message.tool_calls:
                assert wanted.type == "function"
                text, _ = await call(client, wanted.function.name, **json.loads(wanted.function.arguments))
                messages.append({"role": "tool", "tool_call_id": wanted.id, "content": text})
        assert messages[2]["content"] == "seen 0"
        assert messages[-1]["content"] == "open the red door\nseen 0"

    with ModelServer(script) as server:
        talk(shell.folder, (shell.write("design.py", WHAT_SCORED), *sandbox), speak)


def test_bad_input_is_answered_and_the_server_lives_on(shell: Shell, sandbox: tuple[str, ...]) -> None:
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("retrieve", {}, "goal: Field required"),
        ("retrieve", {**ASKED, "goal": 7}, "goal: Input should be a valid string"),
        ("retrieve", {**ASKED, "budget": 0}, "budget: Input should be greater than or equal to 1"),
        ("retrieve", {**ASKED, "colour": "red"}, "colour: Extra inputs are not permitted"),
        (
            "update",
            {"trajectory": {**EPISODE, "score": 2}},
            "trajectory.score: Input should be less than or equal to 1",
        ),
        ("update", {"trajectory": {**EPISODE, "steps": [{}]}}, "trajectory.steps.0.action: Field required"),
        ("update", {"trajectory": {**EPISODE, "observation": "x" * 9_000_000}}, "a frame of"),
        ("save", {}, "started without --memory FILE"),
    ]

    async def speak(client: Client) -> None:
        for tool, arguments, reason in bad:
            text, value = await call(client, tool, **arguments)
            assert (reason in text, value) == (True, None), text
        with pytest.raises(MCPError, match="there is no tool 'forget'; the tools are retrieve"):
            await client.call_tool("forget", {})
        assert (await call(client, "retrieve", **ASKED))[0] == "seen 0"

    talk(shell.folder, (shell.write("design.py", WHAT_SCORED), *sandbox), speak)


def test_an_exported_module_is_served_with_the_memory_that_came_along(shell: Shell, sandbox: tuple[str, ...]) -> None:
    from archive.export import Card, export
    from sandbox.source import SourceChecker

    source = layered()["latest"]
    with SourceChecker() as checker:
        checked = checker.check(source)
    card = Card(checked.hash, "A memory.", [("Design", checked.hash)])
    module = export(source, checked.class_name, card, {"learned": [], "asked": []})
    shell.write("facts.py", module.text)
    use = "import facts; m = facts.AgentMemory(); m.save('facts.json')"
    subprocess.run([sys.executable, "-c", use], cwd=shell.folder, check=True)

    async def speak(client: Client) -> None:
        await call(client, "update", trajectory=EPISODE)

    talk(shell.folder, ("facts.py", "--memory", "facts.json", *sandbox), speak)
    use = "import facts; print(len(facts.AgentMemory.trained(embed=facts.sample_embed)._entries))"
    done = subprocess.run([sys.executable, "-c", use], cwd=shell.folder, check=True, capture_output=True, text=True)
    assert done.stdout == "2\n"


def test_stdout_is_the_protocols_alone_and_a_killed_server_has_lost_nothing(
    shell: Shell, sandbox: tuple[str, ...]
) -> None:
    shell.write("design.py", WHAT_SCORED)
    command = [str(SCRIPT), "serve", "design.py", "--mcp", "--memory", "memory.json", *sandbox]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=shell.folder, text=True, **pipes) as server:  # type: ignore[call-overload]
        assert server.stdin is not None
        assert server.stdout is not None
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        update = {"name": "update", "arguments": {"trajectory": EPISODE}}
        for number, (method, given) in enumerate((("initialize", hello), ("tools/call", update))):
            server.stdin.write(
                "no JSON\n" + json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": given})
            )
            server.stdin.write("\n")
            server.stdin.flush()
            assert json.loads(server.stdout.readline())["id"] == number
        second = shell.evolve(*command[1:])
        assert (second.code, "another server keeps its memory there" in second.err) == (2, True)
        server.send_signal(signal.SIGKILL)
        assert server.stdout.read() == ""
    assert "open the red door" in (shell.folder / "memory.json").read_text()


def other_memory(shell: Shell) -> str:
    return shell.write("other.json", json.dumps({"format": 1, "design": "1-abc", "seed": 0, "entries": []}))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("design.py",), "there is --mcp"),
        (("none.py", "--mcp"), "No such file"),
        ((".", "--mcp"), "Is a directory"),
        (("binary.py", "--mcp"), "is not valid UTF-8"),
        (("empty.py", "--mcp"), "neither a module of `evolve export` nor a design"),
        (("huge.py", "--mcp"), "a design may have at most"),
        (("1-abc", "--mcp"), "there is no archive at palimpsest.db"),
        (("design.py", "--mcp", "--memory", "empty.py"), "it is no memory that was saved"),
        (("design.py", "--mcp", "--memory", "deep.json"), "nested deeper than 32 levels"),
        (("design.py", "--mcp", "--memory", "list.json"), "it is no memory that was saved"),
        (("design.py", "--mcp", "--memory", "other.json"), "it is of design 1-abc"),
        (("design.py", "--mcp", "--memory", "huge.json"), "more than 8388608"),
        (("design.py", "--mcp", "--memory", "nowhere/a.json"), "there is no folder nowhere"),
        (("design.py", "--mcp", "--memory", "."), "Is a directory"),
        (("fails.py", "--mcp"), "cannot be served: ZeroDivisionError"),
        (("design.py", "--mcp", "--sandbox", "process"), "untrusted code"),
    ],
)
def test_bad_input_is_exit_code_2(
    arguments: tuple[str, ...], reason: str, shell: Shell, sandbox: tuple[str, ...]
) -> None:
    shell.write("design.py", SHARED.format(body="return []"))
    shell.write("fails.py", SHARED.format(body="return []").replace("asked = []", "asked = 1 / 0"))
    shell.write("deep.json", "[" * 100_000)
    shell.write("list.json", "[]")
    other_memory(shell)
    (shell.folder / "binary.py").write_bytes(b"\xff\xfe\x00")
    for name in ("empty.py", "huge.py", "huge.json"):
        shell.write(name, "")
    for name in ("huge.py", "huge.json"):
        os.truncate(shell.folder / name, 1 << 33)
    done = shell.here("serve", *arguments, *(sandbox if "--sandbox" not in arguments else ()))
    assert (done.code, done.out) == (2, "")
    assert reason in done.err
    assert done.err.count("\n") == 1


def answers(ask: Ask) -> Say:
    """Takes the listed action that the memory told, if it told one."""
    told, _, listed = ask.text.partition("Answer with one of")
    actions = re.findall(r"'([^']+)'", listed)
    return Say(next((action for action in actions if action in told), next(iter(actions), "")))


def test_a_langgraph_agent_asks_before_it_acts_and_learns_after(finished: Shell, tmp_path: Path) -> None:
    best = finished.here("top", "--json").json["top"][0]["design"]
    made = finished.here("export", best, "--to", str(tmp_path / "facts.py"), "--sandbox", "process", "--no-proof")
    assert made.code == 0, made.err
    with ModelServer(answers) as server:
        command = [sys.executable, str(ROOT / "scripts/example_langgraph.py"), "facts.py", "--model", "m"]
        command += ["--embedder", "e"]
        environment = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT), "LANGSMITH_TRACING": "false"}
        done = subprocess.run(
            [*command, "--url", server.url, "--episodes", "8"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert done.returncode == 0, done.stderr
    lines = [re.fullmatch(r"reflection-\d+: told (\d+) items, score (.+)", line) for line in done.stdout.splitlines()]
    told = [int(line[1]) for line in lines if line is not None]
    assert told[0] == 0
    assert told[-1] > 0
    played = [ask.text for ask in server.asks if ask.path.endswith("/chat/completions")]
    assert len(played) == 8 * 4
    assert "nothing yet" in played[0]
    assert "call the " in played[-1].partition("Answer with one of")[0]
    assert (tmp_path / "memory.json").exists()
