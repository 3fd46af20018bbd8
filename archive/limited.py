"""A child process of limited means, for what is done to foreign text: parsing some texts ends the one that does."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 20
"""Of wall time by the parent, and of processor time by the child's own limit."""
MEMORY = 512 * 1024 * 1024
MOST_BYTES = 16 * 1024 * 1024
"""Of an answer, for a little text can become a long one."""


LONGEST = 200
"""Characters of what a child that failed said last."""


class TextError(ValueError):
    """A text that what was asked cannot be done with; the message says why."""


def ask(module: str, request: Any) -> Any:
    """What a module whose `__main__` calls `answer` says to a JSON value; raises `TextError`."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-s", "-S", "-P", "-W", "ignore", "-m", module]
    environment = {"PYTHONPATH": str(root), "PYTHONHASHSEED": "0"}
    payload = json.dumps(request).encode("ascii")
    try:
        done = subprocess.run(
            command, input=payload, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise TextError(f"reading it takes longer than {SECONDS} seconds") from None
    try:
        reply = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f": {last[:LONGEST]}" if last else ""
        raise TextError(f"reading it ended the process that did, with code {done.returncode}{why}") from None
    if "reason" in reply:
        raise TextError(reply["reason"])
    return reply["result"]


def answer(respond: Callable[[Any], Any]) -> None:
    """In the child: read a JSON value from stdin, and write what comes of it, or why nothing does."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        reply = json.dumps({"result": respond(json.loads(sys.stdin.buffer.read()))})
        if len(reply) > MOST_BYTES:
            raise TextError(f"what becomes of it is longer than {MOST_BYTES} bytes")
    except TextError as error:
        reply = json.dumps({"reason": str(error)})
    except SyntaxError as error:
        reply = json.dumps({"reason": f"it does not parse: {error.msg} (line {error.lineno})"})
    except (ValueError, RecursionError, MemoryError) as error:
        reply = json.dumps({"reason": f"it cannot be read: {type(error).__name__}"})
    sys.stdout.write(reply)
