"""All that a design can see: the contract, and building blocks that it may compose or ignore.

What may live here: the standard library, NumPy and NetworkX (on first use). What may not: anything else of ours.
"""

from sandbox.guest.asking import ROWS, TEXTS, ask, rows, texts
from sandbox.guest.decay import Decay, ForgetFaded
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
from sandbox.guest.diversity import Diverse
from sandbox.guest.encode import Contrast, CreditedActions, Encoder, ObjectPlaces, RawSteps, Templates
from sandbox.guest.graph import GraphStore
from sandbox.guest.insights import Insight, Insights
from sandbox.guest.latest import LatestByKey
from sandbox.guest.layers import LayeredDesign
from sandbox.guest.likeness import Key, keys, nearest
from sandbox.guest.manage import Capacity, DropDuplicates, Forget, Manager, MergeNear, MergeSimilar
from sandbox.guest.ngram import NextActions, NGramLookup
from sandbox.guest.recap import account, best_rewards, key_steps, told_in
from sandbox.guest.records import SLOT, Record, lines, overlap, ratio, words
from sandbox.guest.retrieve import ByReward, Hybrid, Lexical, Recent, Retriever, Semantic
from sandbox.guest.store import FullTextStore, ListStore, Store, VectorStore
from sandbox.guest.tokens import count_tokens
from sandbox.guest.vectors import Vectors

__all__ = [
    "ROWS",
    "SLOT",
    "TEXTS",
    "ByReward",
    "Capacity",
    "Contrast",
    "CreditedActions",
    "Decay",
    "Diverse",
    "DropDuplicates",
    "Encoder",
    "Forget",
    "ForgetFaded",
    "FullTextStore",
    "GraphStore",
    "Hybrid",
    "Insight",
    "Insights",
    "Item",
    "Key",
    "LatestByKey",
    "LayeredDesign",
    "Lexical",
    "ListStore",
    "Manager",
    "Memory",
    "MemoryDesign",
    "MergeNear",
    "MergeSimilar",
    "NGramLookup",
    "NextActions",
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
    "Vectors",
    "account",
    "ask",
    "best_rewards",
    "count_tokens",
    "key_steps",
    "keys",
    "lines",
    "nearest",
    "overlap",
    "ratio",
    "rows",
    "texts",
    "told_in",
    "words",
]
