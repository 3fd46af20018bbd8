"""ExpeL (arXiv 2308.10144): insights that contrasts of episodes add, edit and vote on, and the steps of good ones."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.guest import (
    ROWS,
    Insights,
    Item,
    Key,
    Memory,
    MemoryDesign,
    Query,
    Toolkit,
    Trajectory,
    ask,
    best_rewards,
    key_steps,
    keys,
    nearest,
    rows,
    told_in,
)

POOL = 200
INSIGHTS = 20
TOLD = 2
OPERATIONS = 4
STEPS = 8
ASKED = (
    f"What made the difference? At most {OPERATIONS} operations, "
    "each [ADD, EDIT, AGREE or REMOVE; the insight's id or nothing; a text or nothing]."
)


@dataclass(frozen=True, slots=True)
class Episode:
    """What the pool keeps of one; `rewards` holds the best reward of each action."""

    key: Key
    steps: list[str]
    rewards: dict[str, float]
    score: float
    success: bool


class ExpeL(MemoryDesign):
    """Compares each episode with the one most alike that ended otherwise, and votes on what made the difference."""

    instructions = "First the steps of similar tasks that went well, then rules that held in several; do what fits."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.pool: dict[str, Episode] = {}
        self.insights = Insights(INSIGHTS)
        self.met = 0

    def update(self, trajectory: Trajectory) -> None:
        """Vote on what was told and followed, compare with the pool, and join it."""
        key = keys(self.toolkit, [f"{trajectory.task.goal}\n{trajectory.task.observation}"])[0]
        done = key_steps(trajectory, STEPS), best_rewards(trajectory)
        new = Episode(key, *done, trajectory.score, trajectory.success)
        for name in told_in(trajectory) & self.insights.keys():
            if earned := earnings(self.insights[name].text, new):
                self.insights.vote(name, 1 if new.success or max(earned) > 0 else -1)
        others = {name: each.key for name, each in self.pool.items() if each.score != new.score}
        for other in nearest(key, others, 1, above=-1):
            better, worse = sorted((new, self.pool[other]), key=lambda each: -each.score)
            for operation, name, text in self._asked(better, worse) or self._contrasted(better, worse):
                self.insights.apply(operation, name, text)
        self.met += 1
        self.pool[f"e{self.met}"] = new
        self.pool.pop(f"e{self.met - POOL}", None)

    def retrieve(self, query: Query) -> Memory:
        """The steps of the episodes most alike among the good ones, then all insights by their votes."""
        key = keys(self.toolkit, [f"{query.task.goal}\n{query.observation}"])[0]
        best = max((each.score for each in self.pool.values()), default=0.0)
        good = {name: each.key for name, each in self.pool.items() if each.success or each.score == best}
        items: dict[str, Item] = {}
        for name in nearest(key, good, TOLD, above=-1):
            for number, text in enumerate(self.pool[name].steps):
                items.setdefault(text, Item(f"{name}.{number}", text))
        for name, insight in sorted(self.insights.items(), key=lambda pair: -pair[1].votes):
            items.setdefault(insight.text, Item(name, insight.text))
        return Memory(items.values()).within(query.budget)

    def _asked(self, better: Episode, worse: Episode) -> list[list[str]]:
        """The model's operations; none where it has nothing usable to say."""
        known = "\n".join(f"{name} ({each.votes} votes): {each.text}" for name, each in self.insights.items())
        tried = (f"Score {each.score:.2f} of 1: {'; '.join(each.rewards)[:3000]}" for each in (better, worse))
        answer = ask(self.toolkit, "\n\n".join([*tried, f"Insights:\n{known}", ASKED]), operations=ROWS)
        return rows(answer.get("operations"), 3, OPERATIONS)

    def _contrasted(self, better: Episode, worse: Episode) -> list[list[str]]:
        """What only the better episode did is for an insight; what only the worse one did, in vain, is against."""
        found = [self._placed(text) for text in better.steps if text not in worse.rewards][:OPERATIONS]
        for name, insight in self.insights.items():
            in_vain = max(earnings(insight.text, worse), default=1.0) <= 0
            if in_vain and not earnings(insight.text, better):
                found.append(["REMOVE", name, ""])
        return found

    def _placed(self, text: str) -> list[str]:
        """AGREE with an insight that covers a text, EDIT one to cover it where most of that was rewarded, or ADD it."""
        for name, insight in self.insights.items():
            if covers(insight.text, text):
                return ["AGREE", name, ""]
        for name, insight in self.insights.items():
            wider = generalised(insight.text.split(), text.split())
            rewards = [reward for each in self.pool.values() for reward in earnings(wider, each)] if wider else []
            if rewards and sum(reward > 0 for reward in rewards) > len(rewards) / 2:
                return ["EDIT", name, wider]
        return ["ADD", "", text]


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
