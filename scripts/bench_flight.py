"""How many of the allowed calls are in flight while a model plays, against the same run with a barrier after each step.

    .venv/bin/python scripts/bench_flight.py

Runs a search on `recall` whose agent is a model that takes two seconds for each action, of which so many may be under
way at once: once as it is, and once with a barrier after each `step_size` designs, as ALMA has it. The model is a
server in a process of its own, which also counts: what it says is the share of the allowed calls that it was answering,
from the first request of the search to its last result. Collection and baselines are played before, without waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import make as make_strategy


class Model:
    """The server: answers with a listed action after a while, and sums up how long each call was under way."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.calls = 0
        self.busy = 0.0
        self.under_way: dict[int, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: calls, and questions of this script."""
        with suppress(EOFError):
            await self.converse(reader, writer)
        writer.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other side has enough."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().lower().split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length")), 0)
            body = json.loads(await reader.readexactly(length) or "null")
            answer = json.dumps(await self.answer(body) if length else self.count(lines[0].split()[1])).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n%b" % (len(answer), answer))

    async def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """An action drawn by what was asked, so that designs come out differently."""
        self.calls += 1
        number, began = self.calls, time.monotonic()
        self.under_way[number] = began
        await asyncio.sleep(self.latency)
        self.busy += time.monotonic() - self.under_way.pop(number)
        actions = body["response_format"]["json_schema"]["schema"]["properties"]["action"]["enum"]
        said = {"thought": "", "action": random.Random(str(body["messages"])).choice(actions)}
        message = {"role": "assistant", "content": json.dumps(said)}
        usage = {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}

    def count(self, path: str) -> dict[str, float]:
        """Calls so far and the seconds that they were under way; the path says how long the next ones take."""
        self.latency = float(path.strip("/"))
        now = time.monotonic()
        busy = self.busy + sum(now - began for began in self.under_way.values())
        return {"calls": self.calls, "busy": busy, "cpu": time.process_time(), "at": now}


async def serve() -> None:
    """Serve on a free port, and say which."""
    server = await asyncio.start_server(Model().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Stepwise(Conversation):
    """With a barrier: the next designs are asked for when those of the last step are all done."""

    _left = 0

    def _may_ask(self) -> bool:
        if not self.search.scheduler.active and not self._endings:
            self._left = self.config.step_size
        may = self._left > 0 and super()._may_ask()
        self._left -= may
        return may


def measure(conversation: type[Conversation], config: RunConfig, port: int, latency: float) -> dict[str, Any]:
    """Run a search, and say how much of what was allowed was under way."""

    def count(latency: float) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{latency}") as answer:
            found: dict[str, float] = json.load(answer)
        return found

    count(0)
    with (
        tempfile.TemporaryDirectory() as folder,
        sit_down(config, Path(folder) / "flight.db", lambda progress: None) as sitting,
    ):
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        talk = conversation(search, make_strategy(config), make_proposer(config), specs)
        before, cpu = count(latency), time.process_time()
        talk.run()
        after = count(latency)
        seconds, calls = after["at"] - before["at"], after["calls"] - before["calls"]
        return {
            "barrier": conversation is Stepwise,
            "in_flight": round((after["busy"] - before["busy"]) / seconds / config.concurrency, 3),
            "seconds": round(seconds, 1),
            "calls": int(calls),
            "designs": config.designs,
            "episodes": search.scheduler.played,
            "driver_cpu_ms_a_call": round((time.process_time() - cpu) / calls * 1000, 1),
            "load": round(os.getloadavg()[0], 1),
        }


def main() -> None:
    """Measure with and without the barrier, and print a line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--designs", type=int, default=20)
    parser.add_argument("--deployment", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sandbox")
    parser.add_argument("--only", choices=["barrier", "none"], help="one of the two runs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        config = RunConfig(
            domain="recall",
            agent=f"openai:slow@http://127.0.0.1:{port}/v1",
            designs=arguments.designs,
            finalists=0,
            collection=16,
            collection_repeats=1,
            deployment=arguments.deployment,
            concurrency=arguments.concurrency,
            workers=arguments.workers,
            sandbox=arguments.sandbox,
        )
        for conversation in (Conversation, Stepwise):
            if arguments.only != ("barrier" if conversation is Conversation else "none"):
                print(json.dumps(measure(conversation, config, port, arguments.latency)), flush=True)
    finally:
        server.kill()


if __name__ == "__main__":
    main()
