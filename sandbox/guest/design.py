"""The contract between a memory design and the world: what it is told, and what it must answer.

Everything here is plain data, frozen, and made of JSON types, because all of it crosses the sandbox's pipe.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, ClassVar, Protocol

from sandbox.guest.tokens import count_tokens


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do: `goal` says what, `observation` is the first thing that the agent sees."""

    id: str
    domain: str
    goal: str
    observation: str


@dataclass(frozen=True, slots=True)
class Step:
    """One action and what followed from it: the next observation, and the reward in points of score."""

    action: str
    observation: str
    reward: float
    done: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One remembered text with an id that stays the same for as long as the item does."""

    id: str
    text: str

    @classmethod
    def of(cls, text: str) -> Item:
        """Make an item whose id is a hash of its text."""
        return cls(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest(), text)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the agent was given at one step of an episode (step 0 is before the first action)."""

    step: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One finished episode. `score` lies in [0, 1]; `retrieved` is empty where the agent played without memory."""

    task: Task
    steps: tuple[Step, ...]
    score: float
    success: bool
    retrieved: tuple[Retrieved, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the memory. At step 0 it carries the goal and the first observation only.

    `budget` is in tokens as `Toolkit.count_tokens` counts them; the host cuts what goes beyond it.
    """

    task: Task
    observation: str
    history: tuple[Step, ...] = ()
    step: int = 0
    budget: int = 1000


class Memory(Sequence[Item]):
    """What a design answers to a query: items, best first.

    >>> [item.text for item in Memory(["take the knife", Item("i7", "open the fridge")])]
    ['take the knife', 'open the fridge']
    """

    def __init__(self, items: Iterable[Item | str] = ()) -> None:
        self._items = tuple(item if isinstance(item, Item) else Item.of(item) for item in items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"Memory({list(self._items)!r})"

    def within(self, budget: int) -> Memory:
        """The first items, as many as take no more than a budget of tokens together.

        >>> Memory(["take the knife", "open the fridge"]).within(5)
        Memory([Item(id='5b171ae7a5c9', text='take the knife')])
        """
        spent = accumulate(count_tokens(item.text) for item in self)
        return Memory(item for item, tokens in zip(self, spent, strict=True) if tokens <= budget)


class Toolkit(Protocol):
    """What a design may use. `llm` and `embed` are answered by the host, counted, and limited."""

    @property
    def has_llm(self) -> bool:
        """Whether this run has a language model for designs."""

    @property
    def rng(self) -> Random:
        """A random generator seeded by the host."""

    def llm(self, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """Ask the run's language model for a text, or for a JSON value in the form of a JSON schema.

        Raises `ToolError` where there is no model, where it refuses, and beyond the design's allowance of tokens.
        Keeping to the schema is the model's affair: the answer is a JSON value, and is not checked against it.
        """

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Unit vectors of the texts, shape (len(texts), 256); raises `ToolError` beyond the design's allowance."""

    def count_tokens(self, text: str) -> int:
        """Tokens as the host counts them."""


class ToolError(RuntimeError):
    """The host refused or could not answer a toolkit call; the message says why."""


class MemoryDesign(ABC):
    """One memory program. A design module holds exactly one subclass.

    It may also have `dump()`, which returns its memory as a JSON value, and `load(state)`, which takes that value in
    the place of all updates: with them a built memory is kept and used again.
    """

    instructions: ClassVar[str] = ""
    """How the agent should use what it is given."""

    phases: ClassVar[frozenset[str]] = frozenset({"begin"})
    """When it wants to be asked: "begin", and "step" for every step of an episode."""

    def __init__(self, toolkit: Toolkit) -> None:
        self.toolkit = toolkit

    @abstractmethod
    def update(self, trajectory: Trajectory) -> None:
        """Take in a finished episode."""

    @abstractmethod
    def retrieve(self, query: Query) -> Memory | list[str]:
        """Answer a query with items, best first."""

    def observe(self, step: Step) -> None:  # noqa: B027  optional by contract
        """See one step of the running episode; by default nothing is done with it."""

    def manage(self) -> None:  # noqa: B027  optional by contract
        """Consolidate, merge or forget between episodes; by default nothing is done."""
