"""Lightweight (evolved in MemEvolve, arXiv 2512.18746): short-term facts of an episode beside few long-term lessons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import fsum
from typing import Any, ClassVar

from sandbox.guest import (
    TEXTS,
    Item,
    Memory,
    MemoryDesign,
    Query,
    Step,
    Toolkit,
    Trajectory,
    account,
    ask,
    best_rewards,
    key_steps,
    lines,
    overlap,
    texts,
    told_in,
    words,
)

KEPT = 30
"""Lessons of a kind that pruning leaves."""
OVERRUN = 20
"""Lessons of a kind beyond those that are let in before pruning."""
NEW = 2
"""Lessons of a kind that one episode may add."""
TOLD = 5
SHORT = 12
FACTS = 3
WORTHWHILE = 50
"""Characters from which an observation is looked at for facts."""
LONGEST = 120
KINDS = ("strategic", "operational")
ASKED = f"At most {NEW} short strategic and {NEW} operational lessons of this that would help in another task?"


@dataclass(slots=True)
class Lesson:
    """A long-term item: operational where it worked in one task, strategic where it holds across tasks."""

    text: str
    kind: str
    task: str
    uses: int = 0
    successes: int = 0

    @property
    def rate(self) -> float:
        """Share of good episodes among those that used it, by Laplace's rule of succession."""
        return (self.successes + 1) / (self.uses + 2)


class Lightweight(MemoryDesign):
    """Learns lessons from good episodes only; during an episode it is asked at every step and notes the key facts."""

    instructions = "First lessons from earlier tasks that fit here, then facts noted in this one: act on what fits."
    phases: ClassVar[frozenset[str]] = frozenset({"begin", "step"})

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.lessons: dict[str, Lesson] = {}
        self.facts: dict[str, float] = {}
        self.seen: set[str] = set()
        self.is_silent = False
        """Whether the model had nothing to say; it is then left in peace until the episode is over."""
        self.made = self.met = 0
        self.total = 0.0

    def update(self, trajectory: Trajectory) -> None:
        """Count what the told lessons led to, learn new ones from a good episode, and prune; its facts are over."""
        self.facts, self.seen, self.is_silent = {}, set(), False
        is_good = trajectory.success or trajectory.score > self.total / max(1, self.met)
        self.total += trajectory.score
        self.met += 1
        for name in told_in(trajectory) & self.lessons.keys():
            self.lessons[name].uses += 1
            self.lessons[name].successes += is_good
        for kind, text in (self._advised(trajectory) or self._earned(trajectory)) if is_good else ():
            if all(each.text != text for each in self.lessons.values()):
                self.made += 1
                self.lessons[f"l{self.made}"] = Lesson(text, kind, trajectory.task.id)
        for kind in KINDS:
            worth = {name: 2 * each.successes + each.uses for name, each in self.lessons.items() if each.kind == kind}
            if len(worth) > KEPT + OVERRUN:
                for name in sorted(worth, key=lambda name: worth[name])[:-KEPT]:
                    del self.lessons[name]

    def observe(self, step: Step) -> None:
        """Note the facts of an observation; where the list is full, the least telling goes."""
        if len(step.observation) >= WORTHWHILE:
            prompt = f"After {step.action[:200]!r}: {step.observation[:4000]}\n\nAt most {FACTS} short facts to keep?"
            named = texts(self._asked(prompt, texts=TEXTS).get("texts"), FACTS)
            self.facts |= dict.fromkeys(named, 1.0) or self._found(step)
        self.facts = dict(sorted(self.facts.items(), key=lambda pair: -pair[1])[:SHORT])

    def retrieve(self, query: Query) -> Memory:
        """The lessons that fit where the episode stands, then its facts."""
        here = set(words(f"{query.task.goal}\n{query.observation}"))
        shares = self._shares({name: set(words(each.text)) for name, each in self.lessons.items()}, here)
        fit = {name: (0.1 + share) * self.lessons[name].rate for name, share in shares.items()}
        chosen = self._chosen(query) or sorted(fit, key=lambda name: -fit[name])[:TOLD]
        told = {self.lessons[name].text: Item(name, self.lessons[name].text) for name in chosen}
        return Memory([*told.values(), *(text for text in self.facts if text not in told)]).within(query.budget)

    def _advised(self, trajectory: Trajectory) -> list[tuple[str, str]]:
        """Lessons of a good episode by the model, each after its kind."""
        answer = self._asked(f"{account(trajectory)}\n\n{ASKED}", **dict.fromkeys(KINDS, TEXTS))
        return [(kind, text) for kind in KINDS for text in texts(answer.get(kind), NEW)]

    def _earned(self, trajectory: Trajectory) -> list[tuple[str, str]]:
        """A good episode's most rewarded actions; those known from another task hold across tasks: are strategic."""
        rewards, known = best_rewards(trajectory), {each.text: each for each in self.lessons.values()}
        ranked = sorted(key_steps(trajectory, KEPT), key=lambda action: -rewards[action])
        for again in (known[text] for text in ranked if text in known):
            again.uses += 1
            again.successes += 1
            again.kind = "strategic" if again.task != trajectory.task.id else again.kind
        return [("operational", text) for text in ranked if text not in known][:NEW]

    def _found(self, step: Step) -> dict[str, float]:
        """New lines that speak of what lessons speak of and do not echo the action, with how telling they are."""
        new = [line for line in lines(step.observation[:4000]) if len(line) <= LONGEST and line not in self.seen]
        self.seen.update(new)
        news = {line: set(words(line)) for line in new if overlap(step.action, line) < 1}
        telling = self._shares(news, {word for each in self.lessons.values() for word in words(each.text)})
        best = sorted((line for line in telling if telling[line] > 0), key=lambda line: -telling[line])
        return {line: telling[line] for line in best[:FACTS]}

    def _chosen(self, query: Query) -> list[str]:
        """The lessons that the model picks at the start, where there is one."""
        if query.step or not self.lessons:
            return []
        listed = "\n".join(f"{name} (rate {each.rate:.2f}): {each.text}" for name, each in self.lessons.items())
        here = f"Task: {query.task.goal[:500]}\n{query.observation[:1000]}"
        answer = self._asked(f"{here}\n\n{listed}\n\nIds of the {TOLD} that help?", texts=TEXTS)
        return [name for name in texts(answer.get("texts"), TOLD) if name in self.lessons]

    def _shares(self, found: dict[str, set[str]], others: set[str]) -> dict[str, float]:
        """How much of each text the other words hold; a word that many lessons hold counts little."""
        held = Counter(word for each in self.lessons.values() for word in set(words(each.text)))
        weighed = {name: {word: 1 / max(1, held[word]) for word in own} for name, own in found.items() if own}
        return {n: fsum(w[x] for x in w.keys() & others) / fsum(w.values()) for n, w in weighed.items()}

    def _asked(self, prompt: str, **fields: Any) -> dict[str, Any]:
        answer = {} if self.is_silent else ask(self.toolkit, prompt, **fields)
        self.is_silent = not answer
        return answer
