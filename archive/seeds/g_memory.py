"""G-Memory (arXiv 2506.07398): interactions, a graph of the tasks they belong to, and insights that the graph bears."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from sandbox.guest import Item, Memory, MemoryDesign, Query, ToolError, Toolkit, Trajectory, words

LINKED = 0.7
"""Likeness from which two tasks are linked."""
NEIGHBOURS = 10
NEAR = 5
"""Tasks that a query finds before the graph leads on."""
CAPACITY = 300
RULES = 10
TOLD_RULES = 3
TUNE_EVERY = 5
ANCHORS = 5
STEPS = 12
LONGEST = 200
ROWS = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
OPERATIONS = {"type": "object", "properties": {"operations": ROWS}}
ASKED = "Which rules follow? Each row: [ADD, EDIT, AGREE or REMOVE; the rule's id or nothing; a text or nothing]."
Key = tuple[frozenset[str], list[float] | None]


@dataclass(frozen=True, slots=True)
class Interaction:
    """First tier: one episode. `actions` are all that were taken, `steps` those that count."""

    task: str
    key: Key
    steps: list[str]
    actions: frozenset[str]
    score: float
    is_good: bool


@dataclass(slots=True)
class Insight:
    """Third tier: a rule, its score, and the tasks that speak for and against it."""

    text: str
    score: int
    good: set[int]
    bad: set[int]


class GMemory(MemoryDesign):
    """Finds tasks like the query and their neighbours in the graph; tells one good episode and the rules they bear."""

    instructions = "First the steps of a similar task that went well, in their order, then rules that held in several."

    def __init__(self, toolkit: Toolkit) -> None:
        import networkx as nx

        super().__init__(toolkit)
        self.graph = nx.Graph()
        self.interactions: dict[int, Interaction] = {}
        self.insights: dict[str, Insight] = {}
        self.met = self.made = 0
        self.total = 0.0

    def update(self, trajectory: Trajectory) -> None:
        """Judge the insights that were shown, link the task, and tune the insights every few episodes."""
        is_good = trajectory.success or trajectory.score > self.total / max(1, self.met)
        self.total += trajectory.score
        self.met += 1
        for name in {item.id for each in trajectory.retrieved for item in each.items} & self.insights.keys():
            self.insights[name].score += 1 if is_good else -2
        task = task_text(trajectory.task.goal, trajectory.task.observation)
        actions = frozenset(step.action[:LONGEST] for step in trajectory.steps)
        self._link(Interaction(task, self._key(task), key_steps(trajectory), actions, trajectory.score, is_good))
        if self.met % TUNE_EVERY == 0:
            self._tune()
        self.insights = {name: each for name, each in self.insights.items() if each.score > 0}

    def retrieve(self, query: Query) -> Memory:
        """The steps of the best episode among the tasks alike and their neighbours, and the rules that most support."""
        close = self._alike(self._key(task_text(query.task.goal, query.observation)), NEAR)
        for near in list(close):
            for other, edge in self.graph[near].items():
                close[other] = max(close.get(other, 0.0), close[near] * edge["weight"])
        related = sorted(close, key=lambda number: -close[number])
        good = [number for number in related if self.interactions[number].is_good][:4]
        bad = [number for number in related if not self.interactions[number].is_good][:2]
        items: dict[str, Item] = {}
        if good:
            shot = max(good, key=lambda number: close[number] * self.interactions[number].score)
            for number, step in enumerate(self.interactions[shot].steps):
                items.setdefault(step, Item(f"e{shot}.{number}", step))
        support = {name: len(each.good & {*good}) + len(each.bad & {*bad}) for name, each in self.insights.items()}
        ranked = sorted(self.insights, key=lambda name: (-support[name], -self.insights[name].score))
        for name in ranked[:TOLD_RULES] if related else []:
            items.setdefault(self.insights[name].text, Item(name, self.insights[name].text))
        spent = accumulate(self.toolkit.count_tokens(text) for text in items)
        return Memory(item for item, tokens in zip(items.values(), spent, strict=True) if tokens <= query.budget)

    def _key(self, task: str) -> Key:
        try:
            return frozenset(words(task)), self.toolkit.embed([task])[0]
        except ToolError:
            return frozenset(words(task)), None

    def _alike(self, key: Key, limit: int) -> dict[int, float]:
        """The tasks most like a key, with their likeness."""
        alike = {number: likeness(key, each.key) for number, each in self.interactions.items()}
        return {number: alike[number] for number in sorted(alike, key=lambda n: -alike[n])[:limit] if alike[number] > 0}

    def _link(self, new: Interaction) -> None:
        """Add a node for a task and link it with those alike; beyond the capacity the oldest goes."""
        near = self._alike(new.key, NEIGHBOURS)
        self.interactions[self.met] = new
        self.graph.add_node(self.met)
        self.graph.add_weighted_edges_from((self.met, other, near[other]) for other in near if near[other] >= LINKED)
        if len(self.interactions) > CAPACITY:
            oldest = next(iter(self.interactions))
            del self.interactions[oldest]
            self.graph.remove_node(oldest)
            for insight in self.insights.values():
                insight.good.discard(oldest)
                insight.bad.discard(oldest)

    def _tune(self) -> None:
        """Compare good and bad episodes around a few random anchors, and let what is found vote on the insights."""
        for anchor in self.toolkit.rng.sample(sorted(self.interactions), min(ANCHORS, len(self.interactions))):
            around = [anchor, *sorted(self.graph[anchor], key=lambda other: -self.graph[anchor][other]["weight"])]
            good = [number for number in around if self.interactions[number].is_good][:3]
            bad = [number for number in around if not self.interactions[number].is_good][:1]
            for operation in self._contrast(good, bad) if good else []:
                self._apply(operation, set(good), set(bad))

    def _contrast(self, good: list[int], bad: list[int]) -> list[tuple[str, str, str]]:
        """Operations that follow from episodes alike, good and bad: by the model where there is one, else by steps."""
        winners, losers = ([self.interactions[number] for number in numbers] for numbers in (good, bad))
        if self.toolkit.has_llm and (asked := self._asked(winners, losers)):
            return asked
        lost = {action for each in losers for action in each.actions}
        shared = Counter(step for each in winners for step in each.steps)
        lifted = [step for step in winners[0].steps if losers and step not in lost]
        found = [("ADD", "", step) for step in dict.fromkeys([*lifted, *(s for s in shared if shared[s] > 1)])]
        in_vain = [name for name, each in self.insights.items() if each.text in lost and each.text not in shared]
        return [*found, *(("REMOVE", name, "") for name in in_vain)]

    def _asked(self, winners: list[Interaction], losers: list[Interaction]) -> list[tuple[str, str, str]]:
        """The model's operations; rows that are not of the asked form are passed over."""
        shown = [
            f"Score {each.score:.2f} of 1: {each.task[:500]}\n{'; '.join(each.steps)}" for each in winners + losers
        ]
        rules = [f"{name}: {each.text}" for name, each in self.insights.items()]
        try:
            answer = self.toolkit.llm("\n\n".join([*shown, "Rules so far:", *rules, ASKED]), OPERATIONS)
        except ToolError:
            return []
        rows = answer.get("operations") if isinstance(answer, dict) else None
        found = []
        for row in rows if isinstance(rows, list) else []:
            match row:
                case ["ADD" | "EDIT" | "AGREE" | "REMOVE" as operation, str(name), str(text)]:
                    found.append((operation, name, text.strip()[:LONGEST]))
        return found[:RULES]

    def _apply(self, operation: tuple[str, str, str], good: set[int], bad: set[int]) -> None:
        """Carry out one operation; those on unknown insights are passed over, and so is ADD where the list is full."""
        kind, name, text = operation
        if kind == "ADD":
            name = next((known for known, each in self.insights.items() if each.text == text), "")
            if text and not name and len(self.insights) < RULES:
                self.made += 1
                self.insights[f"i{self.made}"] = Insight(text, 2, good, bad)
        if (known := self.insights.get(name)) is None:
            return
        if kind == "REMOVE":
            known.score -= 3 if len(self.insights) >= RULES else 1
        else:
            known.text = text if kind == "EDIT" and text else known.text
            known.score += 1
            known.good |= good
            known.bad |= bad


def key_steps(trajectory: Trajectory) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, those that led to it."""
    rewarded = [step.action for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(rewarded) < 2:
        rewarded = [step.action for step in trajectory.steps[-STEPS:] if step.reward >= 0]
    return list(dict.fromkeys(action[:LONGEST] for action in rewarded if action.strip()))[:STEPS]


def likeness(one: Key, other: Key) -> float:
    """Cosine where both are embedded, else the share of common words."""
    if one[1] and other[1]:
        return float(sum(map(mul, one[1], other[1])))
    return len(one[0] & other[0]) / max(1, len(one[0] | other[0]))


def task_text(goal: str, observation: str) -> str:
    """What tasks are compared by: goal and first observation without digits."""
    return re.sub(r"\d+", "", f"{goal[:1000]}\n{observation[:1000]}")
