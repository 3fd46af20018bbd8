"""All that a design can see: the contract, and building blocks that it may compose or ignore.

What may live here: the standard library, NumPy and NetworkX (on first use). What may not: anything else of ours.
"""

from sandbox.guest.design import (
    Item,
    Memory,
    MemoryDesign,
    Query,
    Retrieved,
    Step,
    Task,
    ToolError,
    Toolkit,
    Trajectory,
)
from sandbox.guest.encode import Contrast, CreditedActions, Encoder, ObjectPlaces, RawSteps, Templates
from sandbox.guest.layers import LayeredDesign
from sandbox.guest.manage import Capacity, DropDuplicates, Forget, Manager, MergeSimilar
from sandbox.guest.records import SLOT, Record, lines, overlap, ratio, words
from sandbox.guest.retrieve import ByReward, Hybrid, Lexical, Recent, Retriever, Semantic
from sandbox.guest.store import FullTextStore, ListStore, Store, VectorStore
from sandbox.guest.tokens import count_tokens

__all__ = [
    "SLOT",
    "ByReward",
    "Capacity",
    "Contrast",
    "CreditedActions",
    "DropDuplicates",
    "Encoder",
    "Forget",
    "FullTextStore",
    "Hybrid",
    "Item",
    "LayeredDesign",
    "Lexical",
    "ListStore",
    "Manager",
    "Memory",
    "MemoryDesign",
    "MergeSimilar",
    "ObjectPlaces",
    "Query",
    "RawSteps",
    "Recent",
    "Record",
    "Retrieved",
    "Retriever",
    "Semantic",
    "Step",
    "Store",
    "Task",
    "Templates",
    "ToolError",
    "Toolkit",
    "Trajectory",
    "VectorStore",
    "count_tokens",
    "lines",
    "overlap",
    "ratio",
    "words",
]
