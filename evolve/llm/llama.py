"""llama.cpp's server in a process of its own, which ends with its input: with whoever started it, however that ended.

In one's own process the server can not be stopped for certain: its end waits for threads that may wait for it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

KEPT_MIB = 256
"""Memory for the state of earlier prompts, whose beginnings the next ones often share."""


def parameters(asked: dict[str, Any]) -> Any:
    """What the server is started with: a port of loopback, nothing fetched, nothing shown, nothing said."""
    params = import_module("xllamacpp").CommonParams()
    params.model.path = asked["path"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [asked["key"]]
    params.n_parallel = asked["slots"]
    # Threads meet after every layer. Half the processors: one thread that has to wait for its turn, because episodes
    # are played beside it, holds up all the others.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, len(os.sched_getaffinity(0)) // 2)
    params.n_ctx = asked["context"] * asked["slots"]
    params.chat_template = asked["template"]
    params.cache_ram_mib = KEPT_MIB
    params.offline = True
    params.ui = False
    params.verbosity = 0
    return params


def main() -> None:
    """Read what is asked from the first line of the input, write the address, and serve until the input ends."""
    asked = json.loads(sys.stdin.readline())
    try:
        server = import_module("xllamacpp").Server(parameters(asked))
    except RuntimeError:  # says no more than that it failed
        os._exit(1)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
