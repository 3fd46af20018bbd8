"""ExpeL (arXiv 2308.10144): insights that contrasts of episodes add, edit and vote on, and the steps of good ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from sandbox.guest import Item, Memory, MemoryDesign, Query, ToolError, Toolkit, Trajectory, words

POOL = 200
INSIGHTS = 20
TOLD = 2
OPERATIONS = 4
STEPS = 8
LONGEST = 200
ROWS = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
SCHEMA = {"type": "object", "properties": {"operations": ROWS}}
TASK = "At most {} operations, each [ADD, EDIT, UPVOTE or DOWNVOTE; the insight's id or nothing; a text or nothing]."
Operation = tuple[str, str, str]
Key = tuple[frozenset[str], list[float] | None]


@dataclass(frozen=True, slots=True)
class Episode:
    """What the pool keeps of one; `rewards` holds the best reward of each action."""

    name: str
    key: Key
    steps: list[str]
    rewards: dict[str, float]
    score: float
    success: bool


@dataclass(slots=True)
class Insight:
    """A rule and its votes; without any it goes."""

    text: str
    votes: int = 2


class ExpeL(MemoryDesign):
    """Compares each episode with the one most alike that ended otherwise, and votes on what made the difference."""

    instructions = (
        "First the steps of similar tasks that went well, then rules that held in several: do those that fit."
    )

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.pool: list[Episode] = []
        self.insights: dict[str, Insight] = {}
        self.met = self.made = 0

    def update(self, trajectory: Trajectory) -> None:
        """Vote on what was told and followed, compare with the pool, and join it."""
        self.met += 1
        key = self._key(f"{trajectory.task.goal}\n{trajectory.task.observation}")
        steps, rewards = key_steps(trajectory), best_rewards(trajectory)
        new = Episode(f"e{self.met}", key, steps, rewards, trajectory.score, trajectory.success)
        for name in {item.id for each in trajectory.retrieved for item in each.items} & self.insights.keys():
            if earned := earnings(self.insights[name].text, new):
                self._apply([("UPVOTE" if new.success or max(earned) > 0 else "DOWNVOTE", name, "")])
        others = [each for each in self.pool if each.score != new.score]
        if others:
            other = max(others, key=lambda each: likeness(each.key, key))
            self._apply(self._compared(*sorted((new, other), key=lambda each: -each.score)))
        self.pool = [*self.pool, new][-POOL:]

    def retrieve(self, query: Query) -> Memory:
        """The steps of the episodes most alike among the good ones, then all insights by their votes."""
        key = self._key(f"{query.task.goal}\n{query.observation}")
        best = max((each.score for each in self.pool), default=0.0)
        good = [each for each in self.pool if each.success or each.score == best]
        items: dict[str, Item] = {}
        for each in sorted(good, key=lambda each: -likeness(each.key, key))[:TOLD]:
            for number, text in enumerate(each.steps):
                items.setdefault(text, Item(f"{each.name}.{number}", text))
        for name, insight in sorted(self.insights.items(), key=lambda pair: -pair[1].votes):
            items.setdefault(insight.text, Item(name, insight.text))
        spent = accumulate(self.toolkit.count_tokens(text) for text in items)
        return Memory(item for item, tokens in zip(items.values(), spent, strict=True) if tokens <= query.budget)

    def _key(self, text: str) -> Key:
        try:
            return frozenset(words(text[:2000])), self.toolkit.embed([text[:2000]])[0]
        except ToolError:
            return frozenset(words(text[:2000])), None

    def _compared(self, better: Episode, worse: Episode) -> list[Operation]:
        """Operations that follow from a contrast: by the model where there is one, else by the key steps."""
        if self.toolkit.has_llm and (asked := self._asked(better, worse)):
            return asked
        found = [self._placed(text) for text in better.steps if text not in worse.rewards][:OPERATIONS]
        for name, insight in self.insights.items():
            in_vain = max(earnings(insight.text, worse), default=1.0) <= 0
            if in_vain and not earnings(insight.text, better):
                found.append(("DOWNVOTE", name, ""))
        return found

    def _placed(self, text: str) -> Operation:
        """UPVOTE the insight that covers a text, or EDIT one to cover it where most of that was rewarded, or ADD it."""
        for name, insight in self.insights.items():
            if covers(insight.text, text):
                return "UPVOTE", name, ""
        for name, insight in self.insights.items():
            wider = generalised(insight.text.split(), text.split())
            rewards = [reward for each in self.pool for reward in earnings(wider, each)] if wider else []
            if rewards and sum(reward > 0 for reward in rewards) > len(rewards) / 2:
                return "EDIT", name, wider
        return "ADD", "", text

    def _asked(self, better: Episode, worse: Episode) -> list[Operation]:
        """The model's operations; what is not of the asked form is passed over."""
        known = "\n".join(f"{name} ({each.votes} votes): {each.text}" for name, each in self.insights.items())
        tried = (f"Score {each.score:.2f} of 1: {'; '.join(each.rewards)[:3000]}" for each in (better, worse))
        prompt = "\n\n".join([*tried, f"Insights:\n{known}", "What made the difference?", TASK.format(OPERATIONS)])
        try:
            answer = self.toolkit.llm(prompt, SCHEMA)
        except ToolError:
            return []
        rows = answer.get("operations") if isinstance(answer, dict) else None
        found: list[Operation] = []
        for row in rows if isinstance(rows, list) else []:
            match row:
                case [str(operation), str(name), str(text)]:
                    found.append((operation, name, text.strip()[:LONGEST]))
        return found[:OPERATIONS]

    def _apply(self, operations: list[Operation]) -> None:
        """Carry out operations; those on unknown insights are passed over."""
        for operation, name, text in operations:
            known = self.insights.get(name)
            if operation == "ADD" and text:
                self._add(text)
            elif known is not None and operation == "EDIT" and text:
                known.text, known.votes = text, known.votes + 1
            elif known is not None and operation in ("UPVOTE", "DOWNVOTE"):
                known.votes += 1 if operation == "UPVOTE" else -1
        self.insights = {name: each for name, each in self.insights.items() if each.votes > 0}

    def _add(self, text: str) -> None:
        """Add an insight; where the list is full, the weakest loses a vote instead."""
        if len(self.insights) < INSIGHTS:
            self.made += 1
            self.insights[f"i{self.made}"] = Insight(text)
        else:
            min(self.insights.values(), key=lambda each: each.votes).votes -= 1


def key_steps(trajectory: Trajectory) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, those that led to it."""
    rewarded = [step.action for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(rewarded) < 2:
        rewarded = [step.action for step in trajectory.steps[-STEPS:]]
    return list(dict.fromkeys(action[:LONGEST] for action in rewarded if action.strip()))[:STEPS]


def best_rewards(trajectory: Trajectory) -> dict[str, float]:
    """Each action, in the order of their first use, with the best reward that it had."""
    best: dict[str, float] = {}
    for step in trajectory.steps:
        best[step.action[:LONGEST]] = max(step.reward, best.get(step.action[:LONGEST], step.reward))
    return best


def likeness(one: Key, other: Key) -> float:
    """Cosine where both are embedded, else the share of common words."""
    if one[1] and other[1]:
        return float(sum(map(mul, one[1], other[1])))
    return len(one[0] & other[0]) / max(1, len(one[0] | other[0]))


def covers(text: str, action: str) -> bool:
    """Whether an insight speaks of an action; its first slot stands for any words."""
    head, slot, tail = text.partition("_")
    fits = action.startswith(head) and action.endswith(tail) and len(action) > len(head) + len(tail)
    return text == action or (bool(slot) and fits)


def earnings(text: str, episode: Episode) -> list[float]:
    """The rewards of the actions that an insight covers."""
    return [reward for action, reward in episode.rewards.items() if covers(text, action)]


def generalised(one: list[str], other: list[str]) -> str:
    """Two texts as one with a slot where they differ; nothing where less than half of the words are common."""
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    end = next((i for i in range(shorter - start) if one[-1 - i] != other[-1 - i]), shorter - start)
    return " ".join([*one[:start], "_", *one[len(one) - end :]]) if 2 * (start + end) >= max(2, len(one)) else ""
