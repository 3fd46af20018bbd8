"""G-Memory (arXiv 2506.07398): interactions, a graph of the tasks they belong to, and insights that the graph bears."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.guest import (
    ROWS,
    TEXTS,
    Insights,
    Item,
    Key,
    Memory,
    MemoryDesign,
    Query,
    Toolkit,
    Trajectory,
    account,
    ask,
    best_rewards,
    key_steps,
    keys,
    nearest,
    rows,
    texts,
    told_in,
)

LINKED, SAME = 0.7, 0.9
"""Likenesses from which two tasks are linked, and two rules are one."""
NEIGHBOURS = 10
NEAR = 5
"""Tasks that a query finds before the graph leads on."""
CAPACITY = 300
RULES, TOLD_RULES = 10, 3
TUNE_EVERY, MERGE_EVERY = 5, 20
ANCHORS = 5
STEPS = 12
RECAP = f"Which actions counted, at most {STEPS}? If it did not go well, why?"
ASKED = "Which rules follow? Each row: [ADD, EDIT, AGREE or REMOVE; the rule's id or nothing; a text or nothing]."


@dataclass(frozen=True, slots=True)
class Interaction:
    """First tier: one episode. `actions` are all that were taken, `steps` those that count."""

    goal: str
    steps: list[str]
    reason: str
    actions: frozenset[str]
    score: float
    is_good: bool


class GMemory(MemoryDesign):
    """Finds tasks like the query and their neighbours in the graph; tells one good episode and the rules they bear."""

    instructions = "First the steps of a similar task that went well, in their order, then rules that held in several."

    def __init__(self, toolkit: Toolkit) -> None:
        import networkx as nx

        super().__init__(toolkit)
        self.graph = nx.Graph()
        self.keys: dict[int, Key] = {}
        self.interactions: dict[int, Interaction] = {}
        self.insights = Insights(RULES)
        self.met = 0
        self.total = 0.0

    def update(self, trajectory: Trajectory) -> None:
        """Judge the insights that were shown, link the task, and every few episodes tune and merge the insights."""
        is_good = trajectory.success or trajectory.score > self.total / max(1, self.met)
        self.total += trajectory.score
        self.met += 1
        for name in told_in(trajectory) & self.insights.keys():
            self.insights.vote(name, 1 if is_good else -2)
        self._link(self._key(trajectory.task.goal, trajectory.task.observation), self._recapped(trajectory, is_good))
        if self.met % TUNE_EVERY == 0:
            self._tune()
        if self.met % MERGE_EVERY == 0:
            self._merge()

    def retrieve(self, query: Query) -> Memory:
        """The steps of the best episode among the tasks alike and their neighbours, and the rules that most support."""
        close = nearest(self._key(query.task.goal, query.observation), self.keys, NEAR)
        for near in list(close):
            for other, edge in self.graph[near].items():
                close[other] = max(close.get(other, 0.0), close[near] * edge["weight"])
        good, bad = self._judged(sorted(close, key=lambda number: -close[number]), 4, 2)
        items: dict[str, Item] = {}
        for shot in sorted(good, key=lambda number: -close[number] * self.interactions[number].score)[:1]:
            for number, step in enumerate(self.interactions[shot].steps):
                items.setdefault(step, Item(f"e{shot}.{number}", step))
        support = {name: len(each.sources.intersection(good + bad)) for name, each in self.insights.items()}
        ranked = sorted(self.insights, key=lambda name: (-support[name], -self.insights[name].votes))
        for name in ranked[:TOLD_RULES] if close else []:
            items.setdefault(self.insights[name].text, Item(name, self.insights[name].text))
        return Memory(items.values()).within(query.budget)

    def _recapped(self, trajectory: Trajectory, is_good: bool) -> Interaction:
        """The episode's key steps, and why it failed: by the model, or its rewarded steps and no reason."""
        answer = ask(self.toolkit, f"{account(trajectory)}\n\n{RECAP}", steps=TEXTS, reason={"type": "string"})
        steps = texts(answer.get("steps"), STEPS) or key_steps(trajectory, STEPS)
        reason = "" if is_good else "".join(texts([answer.get("reason")], 1))
        goal, actions = trajectory.task.goal[:500], frozenset(best_rewards(trajectory))
        return Interaction(goal, steps, reason, actions, trajectory.score, is_good)

    def _key(self, goal: str, observation: str) -> Key:
        return keys(self.toolkit, [re.sub(r"\d+", "", f"{goal[:1000]}\n{observation[:1000]}")])[0]

    def _link(self, key: Key, new: Interaction) -> None:
        """Second tier: add a node and link it with the tasks alike; beyond the capacity the oldest goes."""
        near = nearest(key, self.keys, NEIGHBOURS)
        self.keys[self.met], self.interactions[self.met] = key, new
        self.graph.add_node(self.met)
        self.graph.add_weighted_edges_from((self.met, other, near[other]) for other in near if near[other] >= LINKED)
        for oldest in list(self.keys)[:-CAPACITY]:
            del self.keys[oldest], self.interactions[oldest]
            self.graph.remove_node(oldest)

    def _judged(self, numbers: list[int], most_good: int, most_bad: int) -> tuple[list[int], list[int]]:
        """The first good and the first bad episodes of those tasks."""
        good = [number for number in numbers if self.interactions[number].is_good]
        return good[:most_good], [number for number in numbers if number not in good][:most_bad]

    def _tune(self) -> None:
        """Compare good and bad episodes around a few random anchors; what is found votes on the insights."""
        for anchor in self.toolkit.rng.sample(sorted(self.keys), min(ANCHORS, len(self.keys))):
            around = sorted(self.graph[anchor], key=lambda other: -self.graph[anchor][other]["weight"])
            good, bad = self._judged([anchor, *around], 3, 1)
            winners, losers = ([self.interactions[number] for number in numbers] for numbers in (good, bad))
            for row in (self._asked(winners + losers) or self._contrasted(winners, losers)) if good else []:
                self.insights.apply(row[0], row[1], row[2], good + bad)

    def _asked(self, episodes: list[Interaction]) -> list[list[str]]:
        """Operations on the rules by the model; none where it has nothing usable to say."""
        shown = [f"Score {e.score:.2f} of 1: {e.goal}\n{'; '.join(e.steps)}\n{e.reason}" for e in episodes]
        rules = [f"{name}: {each.text}" for name, each in self.insights.items()]
        answer = ask(self.toolkit, "\n\n".join([*shown, "Rules so far:", *rules, ASKED]), operations=ROWS)
        return rows(answer.get("operations"), 3, RULES)

    def _contrasted(self, winners: list[Interaction], losers: list[Interaction]) -> list[list[str]]:
        """ADD what the best did and no loser, and what several winners did; REMOVE what was done in vain."""
        lost = {action for each in losers for action in each.actions}
        steps = [step for each in winners for step in each.steps]
        found = [step for step in winners[0].steps if losers and step not in lost]
        found += [step for step in steps if steps.count(step) > 1]
        in_vain = [name for name, each in self.insights.items() if each.text in lost and each.text not in steps]
        return [*(["ADD", "", step] for step in dict.fromkeys(found)), *(["REMOVE", name, ""] for name in in_vain)]

    def _merge(self) -> None:
        """Make those rules one that say the same and that one cluster of tasks bears."""
        import networkx as nx

        for cluster in nx.connected_components(self.graph):
            borne = [name for name, each in self.insights.items() if each.sources & cluster]
            alike = dict(zip(borne, keys(self.toolkit, [self.insights[name].text for name in borne]), strict=True))
            for gone in reversed(borne):
                for kept in nearest(alike.pop(gone), alike, 1, above=SAME):
                    self.insights.merge(kept, gone)
