"""ACE (arXiv 2510.04618): a playbook of bullets that grows by small deltas and is never rewritten as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.guest import (
    TEXTS,
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
    texts,
    told_in,
)

SAME = 0.9
"""Likeness from which two bullets are one."""
CAPACITY = 80
NEW = 10
"""Bullets that one episode may add."""
TAG = {"id": {"type": "string"}, "tag": {"enum": ["helpful", "harmful", "neutral"]}}
TAGS = {"type": "array", "items": {"type": "object", "properties": TAG}}
ASKED = (
    "Tag each piece of advice by what it did here, "
    f"and add at most {NEW} short pieces that are new, each one lesson that holds beyond this task."
)


@dataclass(slots=True)
class Bullet:
    """One piece of advice with its counters."""

    text: str
    key: Key
    helpful: int = 1
    harmful: int = 0

    @property
    def worth(self) -> int:
        """By which it is ranked; below zero it goes."""
        return self.helpful - self.harmful


@dataclass(frozen=True, slots=True)
class Delta:
    """What one episode changes in the playbook."""

    helpful: list[str]
    harmful: list[str]
    add: list[str]


class ACE(MemoryDesign):
    """Reflect on an episode, curate the playbook by a delta, grow and refine; all of the playbook is told."""

    instructions = "A playbook, the advice that helped most first; follow the lines that fit where you are."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.playbook: dict[str, Bullet] = {}
        self.made = 0

    def update(self, trajectory: Trajectory) -> None:
        """Apply the delta of an episode: counters first, then the new bullets."""
        told = sorted(told_in(trajectory) & self.playbook.keys())
        delta = self._asked(trajectory, told) or self._reflected(trajectory, told)
        for name in delta.helpful:
            self.playbook[name].helpful += 1
        for name in delta.harmful:
            self.playbook[name].harmful += 1
        self._grow(delta.add)
        self.playbook = {name: bullet for name, bullet in self.playbook.items() if bullet.worth >= 0}
        while len(self.playbook) > CAPACITY:
            del self.playbook[min(self.playbook, key=lambda name: self.playbook[name].worth)]

    def retrieve(self, query: Query) -> Memory:
        """The playbook as far as it fits, the bullets of the highest worth first."""
        ranked = sorted(self.playbook.items(), key=lambda pair: -pair[1].worth)
        return Memory(Item(name, bullet.text) for name, bullet in ranked).within(query.budget)

    def _grow(self, added: list[str]) -> None:
        """Add bullets; what is nearly the same as a known one counts as help from that."""
        for text, key in zip(added, keys(self.toolkit, added), strict=True):
            same = [name for name, bullet in self.playbook.items() if bullet.text == text]
            same += nearest(key, {name: bullet.key for name, bullet in self.playbook.items()}, 1, above=SAME)
            if same:
                self.playbook[same[0]].helpful += 1
            else:
                self.made += 1
                self.playbook[f"b{self.made}"] = Bullet(text, key)

    def _reflected(self, trajectory: Trajectory, told: list[str]) -> Delta:
        """The delta without a model: followed advice helps where it was rewarded or led to success, else it harms."""
        rewards = best_rewards(trajectory)
        followed = {name: rewards[bullet.text] for name, bullet in self.playbook.items() if bullet.text in rewards}
        helpful = [name for name, reward in followed.items() if reward > 0 or (trajectory.success and name in told)]
        harmful = [name for name in followed if name in told and name not in helpful]
        known = {bullet.text for bullet in self.playbook.values()}
        return Delta(helpful, harmful, [text for text in key_steps(trajectory, NEW) if text not in known])

    def _asked(self, trajectory: Trajectory, told: list[str]) -> Delta | None:
        """The model as reflector and curator in one call; what it says of unknown bullets is passed over."""
        advice = "\n".join(f"{name}: {self.playbook[name].text}" for name in told)
        prompt = f"{account(trajectory)}\nAdvice that was given:\n{advice}\n\n{ASKED}"
        if not (answer := ask(self.toolkit, prompt, tags=TAGS, add=TEXTS)):
            return None
        rows = answer.get("tags")
        tagged = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        tags = [(row.get("id"), row.get("tag")) for row in tagged]
        helpful, harmful = ([name for name in told if (name, tag) in tags] for tag in ("helpful", "harmful"))
        return Delta(helpful, harmful, texts(answer.get("add"), NEW))
