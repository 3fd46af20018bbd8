"""Lightweight (evolved in MemEvolve, arXiv 2512.18746): short-term facts of an episode beside few long-term lessons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from math import fsum
from typing import Any, ClassVar

from sandbox.guest import Item, Memory, MemoryDesign, Query, Step, ToolError, Toolkit, Trajectory, lines, overlap, words

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
TEXTS = {"type": "array", "items": {"type": "string"}}
LESSONS = {"type": "object", "properties": {"strategic": TEXTS, "operational": TEXTS}}
CHOICE = {"type": "object", "properties": {"texts": TEXTS}}


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

    instructions = (
        "First lessons from earlier tasks that fit here, then facts noted in this one: act on those that fit."
    )
    phases: ClassVar[frozenset[str]] = frozenset({"begin", "step"})

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.lessons: dict[str, Lesson] = {}
        self.facts: dict[str, float] = {}
        self.seen: set[str] = set()
        self.was_refused = False
        self.made = self.met = 0
        self.total = 0.0

    def update(self, trajectory: Trajectory) -> None:
        """Count what the told lessons led to, learn new ones from a good episode, and prune; its facts are over."""
        self.facts, self.seen, self.was_refused = {}, set(), False
        is_good = trajectory.success or trajectory.score > self.total / max(1, self.met)
        self.total += trajectory.score
        self.met += 1
        for name in {item.id for each in trajectory.retrieved for item in each.items} & self.lessons.keys():
            self.lessons[name].uses += 1
            self.lessons[name].successes += is_good
        if is_good:
            self._learn(trajectory)
        for kind in ("strategic", "operational"):
            names = [name for name, each in self.lessons.items() if each.kind == kind]
            if len(names) > KEPT + OVERRUN:
                worth = {name: 2 * self.lessons[name].successes + self.lessons[name].uses for name in names}
                for name in sorted(names, key=lambda name: worth[name])[:-KEPT]:
                    del self.lessons[name]

    def observe(self, step: Step) -> None:
        """Note the facts of an observation; where the list is full, the least telling goes."""
        if len(step.observation) >= WORTHWHILE:
            self.facts |= self._found(step)
        self.facts = dict(sorted(self.facts.items(), key=lambda pair: -pair[1])[:SHORT])

    def retrieve(self, query: Query) -> Memory:
        """The lessons that fit where the episode stands, then its facts."""
        here = set(words(f"{query.task.goal}\n{query.observation}"))
        shares = self._shares({name: set(words(each.text)) for name, each in self.lessons.items()}, here)
        fit = {name: (0.1 + share) * self.lessons[name].rate for name, share in shares.items()}
        chosen = self._chosen(query) or sorted(fit, key=lambda name: -fit[name])[:TOLD]
        told = {self.lessons[name].text: Item(name, self.lessons[name].text) for name in chosen}
        items = [*told.values(), *(Item.of(text) for text in self.facts if text not in told)]
        spent = accumulate(self.toolkit.count_tokens(item.text) for item in items)
        return Memory(item for item, tokens in zip(items, spent, strict=True) if tokens <= query.budget)

    def _learn(self, trajectory: Trajectory) -> None:
        """Add lessons of a good episode: the model's where there is one, else its most rewarded actions.

        What was rewarded in another task before is no longer operational: it holds across tasks, and is strategic.
        """
        if self._advised(trajectory):
            return
        known = {each.text: each for each in self.lessons.values()}
        ranked = dict.fromkeys(s.action[:LONGEST] for s in sorted(key_steps(trajectory), key=lambda s: -s.reward))
        for again in (known[text] for text in ranked if text in known):
            again.uses += 1
            again.successes += 1
            again.kind = "strategic" if again.task != trajectory.task.id else again.kind
        for text in [text for text in ranked if text not in known][:NEW]:
            self._add(Lesson(text, "operational", trajectory.task.id))

    def _advised(self, trajectory: Trajectory) -> bool:
        """Add what the model says; False where it says nothing."""
        if not self.toolkit.has_llm:
            return False
        steps = "\n".join(f"{s.action[:100]} -> {s.observation[:150]} ({s.reward:+.2f})" for s in trajectory.steps)
        prompt = f"This went well: {trajectory.task.goal[:500]}\n{steps[-8000:]}\n\nAt most {NEW} short strategic and "
        answer = self._asked(f"{prompt}{NEW} operational lessons that would help in another task?", LESSONS)
        named = [(kind, text) for kind in ("strategic", "operational") for text in strings(answer, kind)[:NEW]]
        for kind, text in named:
            self._add(Lesson(text, kind, trajectory.task.id))
        return bool(named)

    def _add(self, lesson: Lesson) -> None:
        if all(each.text != lesson.text for each in self.lessons.values()):
            self.made += 1
            self.lessons[f"l{self.made}"] = lesson

    def _found(self, step: Step) -> dict[str, float]:
        """Facts with how telling they are: named by the model, else new lines that speak of what lessons speak of."""
        new = [line for line in lines(step.observation[:4000]) if len(line) <= LONGEST and line not in self.seen]
        self.seen.update(new)
        prompt = f"After {step.action[:200]!r}: {step.observation[:4000]}\n\nAt most {FACTS} short facts to keep?"
        if self.toolkit.has_llm and (named := strings(self._asked(prompt, CHOICE), "texts")):
            return dict.fromkeys(named[:FACTS], 1.0)
        news = {line: set(words(line)) for line in new if overlap(step.action, line) < 1}  # the rest echoes the action
        telling = self._shares(news, {word for each in self.lessons.values() for word in words(each.text)})
        best = sorted((line for line in telling if telling[line] > 0), key=lambda line: -telling[line])[:FACTS]
        return {line: telling[line] for line in best}

    def _chosen(self, query: Query) -> list[str]:
        """The lessons that the model picks at the start, where there is one."""
        if query.step or not self.toolkit.has_llm or not self.lessons:
            return []
        listed = "\n".join(f"{name} (rate {each.rate:.2f}): {each.text}" for name, each in self.lessons.items())
        prompt = (
            f"Task: {query.task.goal[:500]}\n{query.observation[:1000]}\n\n{listed}\n\nIds of the {TOLD} that help?"
        )
        picked = strings(self._asked(prompt, CHOICE), "texts")
        return [name for name in dict.fromkeys(picked) if name in self.lessons][:TOLD]

    def _shares(self, texts: dict[str, set[str]], others: set[str]) -> dict[str, float]:
        """How much of each text the other words hold; a word that many lessons hold counts little."""
        held = Counter(word for each in self.lessons.values() for word in set(words(each.text)))
        weighed = {name: {word: 1 / max(1, held[word]) for word in found} for name, found in texts.items() if found}
        return {n: fsum(w[x] for x in w.keys() & others) / fsum(w.values()) for n, w in weighed.items()}

    def _asked(self, prompt: str, schema: dict[str, Any]) -> Any:
        """The model's answer, or nothing; once it has refused it is left in peace until the episode is over."""
        try:
            return None if self.was_refused else self.toolkit.llm(prompt, schema)
        except ToolError:
            self.was_refused = True
            return None


def key_steps(trajectory: Trajectory) -> list[Step]:
    """The steps that were rewarded; where a success was rewarded once only, those that led to it."""
    named = [step for step in trajectory.steps if step.action.strip()]
    rewarded = [step for step in named if step.reward > 0]
    return named[-KEPT:] if trajectory.success and len(rewarded) < 2 else rewarded


def strings(answer: Any, key: str) -> list[str]:
    """The texts that a model's answer, which may be anything, holds under a key."""
    found = answer.get(key) if isinstance(answer, dict) else None
    texts = found if isinstance(found, list) else []
    return [text.strip()[:LONGEST] for text in texts if isinstance(text, str) and text.strip()]
