"""A memory behind the Model Context Protocol, over stdin and stdout, through the official `mcp` package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evolve.commands.show import complain
from evolve.errors import InputError
from evolve.play import cut
from evolve.served import ServedMemory, ServeError
from sandbox.backend import DesignFault, MachineFault
from sandbox.guest import Item, Retrieved, Step, Task, Trajectory, frames

if TYPE_CHECKING:
    from mcp.server import Server

ABOUT = """\
A memory of earlier episodes. Before you act, call `retrieve` with your goal and what you see; after the episode, call \
`update` with all of it and the score it earned. `manage` consolidates between episodes."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StepInput(_Input):
    """One action and what followed."""

    action: str
    observation: str = Field(description="What was seen after the action.")
    reward: float = Field(default=0.0, description="Points of score that it earned.")
    done: bool = Field(default=False, description="Whether it ended the episode.")


class ItemInput(_Input):
    """One remembered text, as `retrieve` gave it."""

    id: str
    text: str


class RetrievedInput(_Input):
    """What was retrieved at one step."""

    step: int = Field(ge=0)
    items: list[ItemInput]


class RetrieveInput(_Input):
    """The arguments of `retrieve`."""

    goal: str = Field(description="What is to be done.")
    observation: str = Field(description="What was seen first, before any action.")
    history: list[StepInput] = Field(default=[], description="The steps of this episode so far.", max_length=1000)
    task: str = Field(default="", description="A name of the task, if it has one.")
    domain: str = Field(default="", description="A name of the kind of task.")
    budget: int = Field(default=1000, ge=1, le=100_000, description="Tokens that what is told may take.")

    def told(self) -> Task:
        """The task as designs know it."""
        return Task(self.task, self.domain, self.goal, self.observation)


class TrajectoryInput(_Input):
    """A finished episode."""

    goal: str = Field(description="What was to be done.")
    observation: str = Field(description="What was seen first, before any action.")
    steps: list[StepInput] = Field(max_length=10_000)
    score: float = Field(ge=0, le=1, description="What it earned, from 0 to 1.")
    success: bool = Field(default=False, description="Whether the goal was reached.")
    task: str = Field(default="", description="A name of the task, if it has one.")
    domain: str = Field(default="", description="A name of the kind of task.")
    retrieved: list[RetrievedInput] = Field(default=[], description="What `retrieve` had told, by step.")

    def episode(self) -> Trajectory:
        """The episode as designs know it."""
        told = [Retrieved(each.step, tuple(Item(item.id, item.text) for item in each.items)) for each in self.retrieved]
        task = Task(self.task, self.domain, self.goal, self.observation)
        return Trajectory(task, _steps(self.steps), self.score, self.success, tuple(told))


class UpdateInput(_Input):
    """The arguments of `update`."""

    trajectory: TrajectoryInput


class NoInput(_Input):
    """No arguments."""


class Tools:
    """What the server offers: each tool takes its checked input, and answers with a text and a JSON object."""

    def __init__(self, memory: ServedMemory) -> None:
        self._memory = memory
        self.offered: Mapping[str, tuple[type[_Input], Callable[[Any], tuple[str, dict[str, Any]]], str]] = {
            "retrieve": (
                RetrieveInput,
                self._retrieve,
                "Ask the memory for what may help with a goal, best first. Call it before the first action"
                + (", and again, with the history, before every other one." if self._each_step else "."),
            ),
            "update": (UpdateInput, self._update, "Give the memory a finished episode to learn from."),
            "manage": (NoInput, self._manage, "Let the memory consolidate, merge or forget, between episodes."),
            "save": (NoInput, self._save, "Write the memory to the server's file, where it was started with one."),
        }

    @property
    def _each_step(self) -> bool:
        return "step" in self._memory.design.phases

    def call(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Do what a tool does; raises `ServeError` with a sentence where that cannot be."""
        kind, work, _ = self.offered[name]
        try:
            return work(kind.model_validate(arguments))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            raise ServeError(f"the arguments of {name} are not as its schema says: {problems}") from None
        except DesignFault as fault:
            raise ServeError(f"the design failed, and its memory is as it was: {fault}") from None
        except (MachineFault, OSError, frames.FrameError) as error:
            raise ServeError(f"the machine failed, and the memory is as it was: {error}") from None

    def _retrieve(self, asked: RetrieveInput) -> tuple[str, dict[str, Any]]:
        told = self._memory.retrieve(asked.told(), _steps(asked.history), asked.budget)
        items, tokens, was_cut = cut(tuple(told), asked.budget)
        text = "\n".join(item.text for item in items) or "The memory has nothing to tell of this."
        listed = [{"id": item.id, "text": item.text} for item in items]
        return text, {"items": listed, "tokens": tokens, "cut": was_cut}

    def _update(self, asked: UpdateInput) -> tuple[str, dict[str, Any]]:
        self._memory.update(asked.trajectory.episode())
        return "The memory has taken in the episode.", {"episodes": self._memory.episodes}

    def _manage(self, _: NoInput) -> tuple[str, dict[str, Any]]:
        self._memory.manage()
        return "The memory is consolidated.", {"episodes": self._memory.episodes}

    def _save(self, _: NoInput) -> tuple[str, dict[str, Any]]:
        file = self._memory.save()
        return f"The memory is in {file}.", {"file": str(file), "bytes": file.stat().st_size}


def serve(memory: ServedMemory, name: str) -> None:
    """Answer on stdin and stdout until stdin is closed; what else is written goes to standard error."""
    import anyio
    from mcp.server.stdio import stdio_server

    server = make_server(memory, name)

    async def run() -> None:
        try:
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())
        except* BrokenPipeError:
            complain("the client has gone")

    protocol = threading.Thread(target=anyio.run, args=(run,), daemon=True)
    protocol.start()  # a daemon, whose reads of stdin would else hold up Ctrl-C
    protocol.join()


def make_server(memory: ServedMemory, name: str) -> Server[Any]:
    """The protocol's side of a memory."""
    import anyio.to_thread
    import mcp_types as types
    from mcp.server import Server
    from mcp.shared.exceptions import MCPError

    tools = Tools(memory)
    about = f"{ABOUT}\n\n{memory.design.instructions}".strip()

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, description=description, input_schema=kind.model_json_schema())
                for name, (kind, _, description) in tools.offered.items()
            ]
        )

    async def call_tool(_: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        if asked.name not in tools.offered:
            known = ", ".join(tools.offered)
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {asked.name[:100]!r}; the tools are {known}")
        try:
            text, value = await anyio.to_thread.run_sync(tools.call, asked.name, asked.arguments or {})
        except ServeError as error:
            return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
        return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=value)

    return Server(name, instructions=about, on_list_tools=list_tools, on_call_tool=call_tool)


def _steps(steps: Sequence[StepInput]) -> tuple[Step, ...]:
    return tuple(Step(each.action, each.observation, each.reward, each.done) for each in steps)


def require_mcp() -> None:
    """Refuse where the `mcp` package is not installed; raises `InputError`."""
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise InputError("serving a memory needs the package mcp; pip install 'palimpsest[mcp]' installs it")
