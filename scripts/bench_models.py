"""What a model's call costs Palimpsest itself, and how the ledger grows.

    .venv/bin/python scripts/bench_models.py --calls 2000
    .venv/bin/python scripts/bench_models.py --ledger 100000

The first form has a server in another process answer at once, asks it through the gateway from threads as workers do
(TCP, token, record, budget, limiter, ledger), and then through the provider's client alone; the difference is ours. The
second fills a ledger and reads it by `evolve costs`. CPU seconds are of the process that is measured, so that other
work on the machine does not count; wall time is shown beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from archive.ledger import Entry, Ledger
from archive.opening import open_archive
from archive.tables import Run
from evolve.config import RunConfig
from evolve.llm.base import Message, Purpose, Request, Settings
from evolve.llm.gateway import Gateway
from evolve.llm.models import connect, parse
from tests.model_server import Ask, ModelServer, Response, Say

AT_ONCE = 16
SIZES = {"an agent's turn": 2_000, "a proposer's request": 60_000}
"""Characters of a request."""
WARM_UP = 50


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--ledger", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.calls:
            with served() as model:
                for name, characters in SIZES.items():
                    path = made(Path(folder) / f"{characters}.db")
                    measure_calls(name, path, model, requests(arguments.calls + WARM_UP, characters))
        if arguments.ledger:
            measure_ledger(made(Path(folder) / "ledger.db"), arguments.ledger)


def measure_calls(name: str, path: Path, model: str, asked: list[Request]) -> None:
    """CPU of a call with all that is ours, and by the client alone."""
    config = RunConfig(agent=model, concurrency=AT_ONCE, budget_tokens=10**12)
    gateway = Gateway(path, 1, config)
    asker = gateway.serve().connect()

    def ask(number: int) -> None:
        asker.ask(asked[number], Purpose("agent", model, design=f"d{number % 100}"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, range(WARM_UP)))
        began, cpu = time.monotonic(), time.process_time()
        list(pool.map(ask, range(WARM_UP, len(asked))))
        whole, wall = time.process_time() - cpu, time.monotonic() - began
        cpu = time.process_time()
        list(pool.map(ask, range(WARM_UP, len(asked))))
        hits = time.process_time() - cpu
    asker.close()
    gateway.close()
    alone, count = asyncio.run(by_client(model, asked)), len(asked) - WARM_UP
    shown = {"all": whole, "the client alone": alone, "ours": whole - alone, "a hit": hits}
    print(f"{name}: " + ", ".join(f"{what} {1000 * seconds / count:.2f} ms" for what, seconds in shown.items()))
    print(
        f"  {count} calls, {AT_ONCE} at once, {count / wall:.0f} a second; {path.stat().st_size / count:.0f} bytes each"
    )


async def by_client(model: str, asked: list[Request]) -> float:
    """CPU seconds of the same calls without the gateway, after as many to warm up."""
    spec = parse(model)
    provider, gate = connect(spec), asyncio.Semaphore(AT_ONCE)

    async def ask(request: Request) -> None:
        async with gate:
            await provider.complete(spec.model, request, 60.0)

    await asyncio.gather(*map(ask, asked[:WARM_UP]))
    cpu = time.process_time()
    await asyncio.gather(*map(ask, asked[WARM_UP:]))
    spent = time.process_time() - cpu
    await provider.close()
    return spent


def measure_ledger(path: Path, count: int) -> None:
    """How long `evolve costs` takes, its start included, where there are so many calls."""
    rng = random.Random(0)
    with closing(Ledger(path, write=True)) as ledger:
        began, cpu = time.monotonic(), time.process_time()
        for number in range(count):
            role = rng.choices(("agent", "memory", "reflect", "implement"), (90, 8, 1, 1))[0]
            entry = Entry(
                *(1, number.to_bytes(16), role, "openai:gpt-5-mini", f"d{number % 500}", number),
                *(rng.randrange(4000), rng.randrange(400)),
                dollars=rng.random() / 100,
                seconds=rng.random() * 9,
            )
            ledger.record(entry, {"messages": [{"speaker": "user", "text": str(rng.random()) * 20}]}, {"text": "go"})
        seconds, spent = time.monotonic() - began, time.process_time() - cpu
    print(f"recording {count} calls: {1e6 * spent / count:.0f} us of CPU each, {1e6 * seconds / count:.0f} us of time")
    evolve = Path(sys.executable).parent / "evolve"
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(path.parent), "PYTHONDONTWRITEBYTECODE": ""}
    """As after an installation, which leaves compiled modules."""
    for more in ((), ("--by", "design"), ("--calls",), ("--json",)):
        command = [str(evolve), "costs", "1", *more, "--archive", str(path)]
        times = sorted(clocked(command, compiled) for _ in range(5))
        wall, cpu = times[0]
        print(f"evolve costs 1 {' '.join(more)}: {cpu:.2f} s of CPU, {wall:.2f} s of time (the best of five)")


def clocked(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of time and of CPU that a command takes."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, spent


def requests(count: int, characters: int) -> list[Request]:
    """Requests that differ at their end, as those of an episode do."""
    words = [f"word{number % 997} " for number in range(characters // 8)]
    text = "".join(words)[: characters - 12]
    return [Request((Message("user", f"{text} {number}"),), Settings(100)) for number in range(count)]


def made(path: Path) -> Path:
    """An archive with one run."""
    archive = open_archive(path, write=True)
    archive.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
    archive.close()
    return path


@contextmanager
def served() -> Iterator[str]:
    """A model whose server is in another process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, os.getpid()), daemon=True)
    process.start()
    yield here.recv()
    process.terminate()
    process.join()


def serve(connection: Any, owner: int) -> None:
    """Serve until the owner ends."""

    def script(ask: Ask) -> Response:
        return Say("go to the kitchen and take the knife from the drawer", tokens_in=500)

    with ModelServer(script) as server:
        connection.send(server.spec())
        while os.getppid() == owner:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
