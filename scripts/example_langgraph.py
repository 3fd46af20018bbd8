"""An exported memory in a LangGraph agent: asked before the agent acts, and given every episode that it finishes.

    evolve export 1-84f2 --to memory.py
    python scripts/example_langgraph.py memory.py --model MODEL --url http://127.0.0.1:8080/v1 --keep memory.json

The graph is recall -> act -> ... -> act -> learn. Put your own environment in the place of the domain `recall`, whose
tasks stand for it here. A module is code with your rights: read it first, or have `evolve serve` run it in a sandbox.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from openai import OpenAI

from domains import registry
from domains.base import Role, TextEnvironment

PROMPT = """\
{goal}
What earlier episodes taught:
{told}
{observation}
Answer with one of these actions and nothing else: {actions}"""


LIMITS = {"recursion_limit": 1_000}
"""Nodes of an episode: each of its actions is one."""


class State(TypedDict):
    """What the nodes of the graph hand on, within one episode."""

    name: str
    """Of the task."""
    goal: str
    first: str
    """The first observation."""
    observation: str
    actions: list[str]
    told: list[str]
    """What the memory told, best first."""
    steps: list[tuple[str, str, float, bool]]
    """Action, observation, reward, done."""
    score: float


class Agent:
    """The nodes: a memory of the module, a model behind OpenAI's protocol, and the environment of the episode."""

    def __init__(self, module: Any, memory: Any, client: OpenAI, model: str, environment: TextEnvironment) -> None:
        self.module = module
        self.memory = memory
        self.client = client
        self.model = model
        self.environment = environment

    def graph(self) -> Any:
        """The compiled graph."""
        graph = StateGraph(State)
        graph.add_node("recall", self.recall)
        graph.add_node("act", self.act)
        graph.add_node("learn", self.learn)
        graph.add_edge(START, "recall")
        graph.add_edge("recall", "act")
        graph.add_conditional_edges("act", lambda state: "learn" if state["steps"][-1][3] else "act", ["learn", "act"])
        graph.add_edge("learn", END)
        return graph.compile()

    def recall(self, state: State) -> dict[str, Any]:
        """Ask the memory, before the first action."""
        items = self.memory.retrieve(self.module.Query(self._task(state), state["observation"]))
        return {"told": [item.text for item in items.within(1000)]}

    def act(self, state: State) -> dict[str, Any]:
        """Have the model choose, and take the action."""
        prompt = PROMPT.format(**{**state, "told": "\n".join(state["told"]) or "nothing yet"})
        reply = self.client.chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}])
        said = (reply.choices[0].message.content or "").strip()
        action = said if said in state["actions"] else state["actions"][0]
        observation, reward, ended, stopped, info = self.environment.step(action)
        step = (action, observation, float(reward), ended or stopped)
        about = {"observation": observation, "actions": info["actions"], "score": info["score"]}
        return {**about, "steps": [*state["steps"], step]}

    def learn(self, state: State) -> dict[str, Any]:
        """Give the memory the whole episode."""
        steps = tuple(self.module.Step(*step) for step in state["steps"])
        won = state["score"] == 1.0
        self.memory.update(self.module.Trajectory(self._task(state), steps, state["score"], won))
        self.memory.manage()
        return {}

    def _task(self, state: State) -> Any:
        return self.module.Task(state["name"], "recall", state["goal"], state["first"])


def embedder(client: OpenAI, model: str) -> Callable[[Sequence[str]], list[list[float]]]:
    """What gives vectors to memories that ask for them: unit vectors, all of one length."""

    def embed(texts: Sequence[str]) -> list[list[float]]:
        rows = client.embeddings.create(model=model, input=list(texts)).data
        return [[number / (math.hypot(*row.embedding) or 1.0) for number in row.embedding] for row in rows]

    return embed


def load(file: Path) -> Any:
    """The exported module of a file."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no Python module; `evolve export` writes one")
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def play(module: Any, memory: Any, client: OpenAI, model: str, number: int) -> State:
    """One episode, from an empty state to what the agent made of it."""
    domain = registry.load("recall")
    spec = domain.tasks(Role.REFLECTION)[number]
    with closing(domain.environment(spec)) as environment:
        observation, info = environment.reset(seed=number)
        first = State(
            name=spec.id,
            goal=info["goal"],
            first=observation,
            observation=observation,
            actions=info["actions"],
            told=[],
            steps=[],
            score=0.0,
        )
        played: State = Agent(module, memory, client, model, environment).graph().invoke(first, LIMITS)
    return played


def main() -> None:
    """Play some episodes, and keep what was learned in a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("module", type=Path, help="what `evolve export` wrote")
    parser.add_argument("--model", required=True)
    parser.add_argument("--url", help="a server that speaks OpenAI's protocol; by default OpenAI's own")
    parser.add_argument("--keep", type=Path, default=Path("memory.json"), help="what the memory learned")
    parser.add_argument("--embedder", help="an embedding model of the same server, for memories that compare meanings")
    parser.add_argument("--episodes", type=int, default=5)
    given = parser.parse_args()
    module = load(given.module)
    client = OpenAI(base_url=given.url)  # its key is OPENAI_API_KEY of the environment
    hooks = {"embed": embedder(client, given.embedder) if given.embedder else None}
    memory = module.AgentMemory.load(given.keep, **hooks) if given.keep.exists() else module.AgentMemory(**hooks)
    for number in range(given.episodes):
        played = play(module, memory, client, given.model, number)
        memory.save(given.keep)
        print(f"{played['name']}: told {len(played['told'])} items, score {played['score']:.2f}")


if __name__ == "__main__":
    main()
