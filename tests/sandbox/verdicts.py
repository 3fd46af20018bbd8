"""The designs under `hostile/` and the verdict on each, for every backend that claims the hazard."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.backend import CPU, ENVIRONMENT, FILESYSTEM, MEMORY, NETWORK, PROCESSES, TOTAL_MEMORY, Backend

HOSTILE = Path(__file__).parent / "hostile"


@dataclass(frozen=True)
class Verdict:
    """`at` is the call that must fail, with one of `kinds`; where `survives`, only that episode is lost."""

    file: str
    hazard: str
    at: str
    kinds: frozenset[str]
    survives: bool = False


def verdict(file: str, hazard: str, at: str, kinds: str, *, survives: bool = False) -> Verdict:
    return Verdict(file, hazard, at, frozenset(kinds.split()), survives)


FAULTS = [
    # it does not end
    verdict("loop_in_import", CPU, "load", "Timeout"),
    verdict("loop_in_metaclass", CPU, "load", "Timeout"),
    verdict("endless_phases", MEMORY, "load", "MemoryError Memory Exit Timeout"),
    verdict("loop_in_update", CPU, "update", "Timeout"),
    verdict("loop_in_del", CPU, "update", "Timeout"),
    verdict("loop_in_manage", CPU, "manage", "Timeout"),
    verdict("loop_in_observe", CPU, "observe", "Timeout", survives=True),
    verdict("loop_in_retrieve", CPU, "retrieve", "Timeout", survives=True),
    verdict("loop_in_regex", CPU, "retrieve", "Timeout", survives=True),
    verdict("integer_to_text", CPU, "retrieve", "Timeout", survives=True),
    verdict("signals_ignored", CPU, "retrieve", "Timeout", survives=True),
    verdict("endless_items", CPU, "retrieve", "Timeout", survives=True),
    # it ends by itself
    verdict("exit_in_update", CPU, "update", "Exit"),
    verdict("exit_in_retrieve", CPU, "retrieve", "Exit", survives=True),
    verdict("kill_itself", CPU, "retrieve", "Exit", survives=True),
    verdict("kill_everything", PROCESSES, "retrieve", "Exit", survives=True),
    verdict("deep_recursion", CPU, "retrieve", "RecursionError", survives=True),
    verdict("stack_overflow", MEMORY, "retrieve", "Exit MemoryError", survives=True),
    verdict("hostile_exception", CPU, "retrieve", "Trap", survives=True),
    # it takes too much
    verdict("fork_bomb", PROCESSES, "update", "Timeout Exit"),
    verdict("fork_count", PROCESSES, "update", "RuntimeError"),
    verdict("daemon_and_loop", PROCESSES, "update", "Timeout"),
    verdict("memory_bomb", MEMORY, "update", "MemoryError Memory Exit"),
    verdict("memory_bomb_by_children", TOTAL_MEMORY, "update", "MemoryError Memory Exit"),
    verdict("disk_fill", FILESYSTEM, "update", "OSError"),
    verdict("take_descriptors", CPU, "open", "OSError"),
    verdict("close_descriptors", CPU, "update", "Timeout Exit"),
    verdict("output_flood", CPU, "update", "Output Timeout"),
    verdict("gigabyte_of_output", CPU, "retrieve", "Output Timeout"),
    verdict("huge_item", MEMORY, "retrieve", "FrameError MemoryError Exit Timeout", survives=True),
    verdict("five_million_items", MEMORY, "retrieve", "FrameError Timeout", survives=True),
    verdict("call_flood", CPU, "update", "Protocol Timeout"),
    verdict("embed_drain", CPU, "update", "ToolError"),
    verdict("llm_drain", CPU, "update", "ToolError"),
    # it speaks for the guest
    verdict("protocol_flood", CPU, "update", "Protocol"),
    verdict("forged_reply", CPU, "update", "Protocol"),
    verdict("forged_call", CPU, "update", "Protocol"),
    verdict("deep_frame", CPU, "update", "Protocol"),
    verdict("truncated_frame", CPU, "update", "Protocol"),
    verdict("oversized_frame", CPU, "update", "Protocol"),
    verdict("forged_shape", CPU, "retrieve", "Protocol", survives=True),
    verdict("forged_nan", CPU, "retrieve", "Protocol", survives=True),
    verdict("forged_surrogate", CPU, "retrieve", "Protocol", survives=True),
    verdict("patch_guest", CPU, "retrieve", "Protocol"),
    verdict("patch_fork", CPU, "open", "Exit"),
    # its answer is none
    verdict("pickled_value", CPU, "retrieve", "TypeError", survives=True),
    verdict("cyclic_value", CPU, "retrieve", "TypeError", survives=True),
    verdict("nan_value", CPU, "retrieve", "FrameError", survives=True),
    verdict("surrogate_value", CPU, "retrieve", "FrameError", survives=True),
    verdict("text_subclass", CPU, "retrieve", "FrameError", survives=True),
]

FINDINGS = [
    ("read_environment", ENVIRONMENT),
    ("read_host_files", FILESYSTEM),
    ("read_image_secrets", FILESYSTEM),
    ("read_proc", PROCESSES),
    ("write_outside_tmpfs", FILESYSTEM),
    ("write_parent_memory", PROCESSES),
    ("open_sockets", NETWORK),
    ("local_sockets", NETWORK),
    ("ask_names", NETWORK),
    ("socket_families", NETWORK),
    ("new_namespaces", PROCESSES),
    ("system_calls", PROCESSES),
    ("raise_limits", MEMORY),
    ("hidden_memory", MEMORY),
]
"""They report what they got at, in their first episode; it must be nothing."""

TRACES = [
    ("fork_and_return", CPU),
    ("patch_in_episode", CPU),
    ("daemon", PROCESSES),
    ("helper_process", PROCESSES),
]
"""They report in an episode what an earlier one, or the building, left running or changed; it must be nothing."""

CHANNELS = [
    ("shared_memory", CPU),
    ("shared_files", FILESYSTEM),
]
"""They carry something from one episode of a guest to its next: the purity check must find it."""

TEXTS = ["terminal_escapes", "orders_to_a_judge"]
SOURCES = ["deep_source", "large_source", "null_source"]
OTHERS = ["loop_in_atexit", "read_other_designs"]
"""These have a test of their own."""

NEVER_WITHOUT_WALLS = {"fork_bomb", "fork_count", "memory_bomb", "memory_bomb_by_children", "kill_everything"}
"""Not even tried on a backend that limits each process only."""


def source_of(name: str) -> str:
    """A hostile design's text."""
    return (HOSTILE / f"{name}.py").read_text()


def sources_of(name: str) -> dict[str, str]:
    """The texts that a file makes, where they are too large or too odd to be files."""
    made: dict[str, str] = runpy.run_path(str(HOSTILE / f"{name}.py"))["SOURCES"]
    return made


def text_of(name: str) -> str:
    """What a design of `TEXTS` writes wherever it can."""
    return str(runpy.run_path(str(HOSTILE / f"{name}.py"))["TEXT"])


def skip_unless_claimed(backend: Backend, name: str, hazard: str) -> None:
    """A hazard that a backend does not claim is skipped by name."""
    if hazard not in backend.isolates:
        pytest.skip(f"{name}: {backend.name} does not claim {hazard}")
    if name in NEVER_WITHOUT_WALLS and PROCESSES not in backend.isolates:
        pytest.skip(f"{name}: never on {backend.name}")
