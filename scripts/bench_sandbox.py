"""What a sandbox costs and what it leaves behind, backend by backend, all processes counted.

    .venv/bin/python scripts/bench_sandbox.py --backends docker bubblewrap

- checkout: from `Pool.lease` to the answer to a first `load`, with a guest waiting.
- fresh guest: `own` is the CPU time of the guest's process until it is ready (on docker it begins as runc's init);
  `all in` adds what starts and ends it: this process, setpriv and bwrap, or runc, its shim, dockerd and containerd.
  The latter two are counted whole, with what others ask of them meanwhile; a shim's own end is not counted.
- episode: fork and retrieval of five lines out of 400,000, which take 100 MB; `whole` adds the end of the fork.
- left behind: after many designs in a row, and after a driver was killed by SIGKILL.

The last line is JSON. CPU times hold on a busy machine better than wall times do; the load is printed with them, and
`--realtime` (as root) runs this process before all others, and the guests that are its children, so that waiting for
others does not count. Containers are not its children: on docker the load does count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from docker.errors import NotFound

from sandbox.backend import Backend, Guest, Limits
from sandbox.backends import BACKENDS, make
from sandbox.docker import ContainerGuest, Docker
from sandbox.engine import LABEL
from sandbox.guest.design import Query, Task, Trajectory
from sandbox.local import ChildGuest
from sandbox.pool import Pool
from sandbox.session import await_ready

TARGETS = {"checkout_ms": 20.0, "own_cpu_ms": 60.0, "episode_ms": 10.0, "left": 0.0, "left_after_kill": 0.0}
ALL_IN = {"docker": 400.0, "bubblewrap": 150.0}
KILL_SECONDS = 5.0

HEAD = "from sandbox.guest import MemoryDesign\n\nclass Bench(MemoryDesign):\n"
SMALL = HEAD + "    def update(self, trajectory): pass\n    def retrieve(self, query): return ['one line']\n"
LARGE = HEAD + (
    "    def update(self, trajectory):\n"
    "        self.kept = [f'{n:07d} ' + 'take the lamp from the shelf ' * 6 for n in range(400_000)]\n"
    "    def retrieve(self, query): return self.kept[1000:1005]\n"
)
BUSY = HEAD + (
    "    def update(self, trajectory):\n        while True: pass\n    def retrieve(self, query): return []\n"
)

TASK = Task("t", "d", "Find the lamp.", "A room.")
TRAJECTORY = Trajectory(TASK, (), 0.0, False, ())
QUERY = Query(TASK, TASK.observation)
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure the backends that run here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", choices=list(BACKENDS), default=list(BACKENDS))
    parser.add_argument("--samples", type=int, default=20, help="fresh guests and checkouts")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--designs", type=int, default=200, help="designs in a row before what is left is counted")
    parser.add_argument("--realtime", action="store_true", help="run before all other processes; only as root")
    parser.add_argument("--victim", nargs=2, metavar=("BACKEND", "MARK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    if arguments.victim:
        be_killed(*arguments.victim)
    found: dict[str, dict[str, float]] = {}
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tempfile.tempdir = folder  # so that what is left in it is ours
        for name in arguments.backends:
            backend = make(name)
            reason = backend.available()
            if reason is not None:
                print(f"{name}: {reason}")
                continue
            backend.image()
            found[name] = measure(backend, arguments)
            print_table(name, found[name])
    print(json.dumps({"load": round(os.getloadavg()[0], 1), "targets": TARGETS, "all_in_targets": ALL_IN, **found}))


def measure(backend: Backend, arguments: argparse.Namespace) -> dict[str, float]:
    """All figures of one backend, by name."""
    return {
        **fresh_guests(backend, arguments.samples),
        **checkouts(backend, arguments.samples),
        **episodes(backend, arguments.episodes),
        **row_of_designs(backend, arguments.designs),
        **killed_driver(backend),
    }


def print_table(name: str, figures: dict[str, float]) -> None:
    """One backend's figures beside their targets."""
    targets = TARGETS | ({"all_in_cpu_ms": ALL_IN[name]} if name in ALL_IN else {})
    print(f"\n{name:24} {'measured':>10} {'target':>8}")
    for figure, value in figures.items():
        target = targets.get(figure)
        verdict = "" if target is None else "ok" if value <= target else "MISSED"
        print(f"  {figure:22} {value:10.1f} {'' if target is None else f'{target:8.0f}'} {verdict}")


# --- what a guest costs


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds and wall seconds of one guest; `helpers` are its runtime's processes that end with it."""

    own: float
    helpers: float
    wall: float


def fresh_guests(backend: Backend, samples: int) -> dict[str, float]:
    """Start guests one after the other, without a pool; the first pays for what is loaded once."""
    start_and_kill(backend)
    shared = shared_cpu(backend)
    costs = [start_and_kill(backend) for _ in range(samples)]
    shared = (shared_cpu(backend) - shared) / samples
    own = median(cost.own for cost in costs)
    runtime = shared + sum(cost.helpers for cost in costs) / samples
    if isinstance(backend, Docker) or backend.name == "bubblewrap":
        runtime += own  # a process that is nobody's child in the end
    return {
        "own_cpu_ms": 1000 * own,
        "all_in_cpu_ms": 1000 * runtime,
        "ready_wall_ms": 1000 * median(cost.wall for cost in costs),
    }


def start_and_kill(backend: Backend) -> Cost:
    """One guest's life."""
    began = time.monotonic()
    guest = backend.start(Limits())
    await_ready(guest, began + 60)
    wall = time.monotonic() - began
    pid = python_of(guest)
    own = process_cpu(pid)
    helpers = shim_cpu(pid) if isinstance(guest, ContainerGuest) else 0.0
    guest.kill()
    return Cost(own, helpers, wall)


def python_of(guest: Guest) -> int:
    """The guest's own process, as this machine numbers it."""
    if isinstance(guest, ContainerGuest):
        state = guest._engine.client.api.inspect_container(guest._container)["State"]
        return int(state["Pid"])
    assert isinstance(guest, ChildGuest)
    pid = guest.pid
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def process_cpu(pid: int) -> float:
    """CPU seconds of a living process, all threads, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def shim_cpu(guest: int) -> float:
    """CPU seconds of the container's shim and of the runc commands that it ran."""
    parent = int(stat_fields(guest)[1])
    return process_cpu(parent) + waited_cpu(parent)


def stat_fields(pid: int) -> list[str]:
    """Fields of a process after its name: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def waited_cpu(pid: int) -> float:
    """CPU seconds of a process's children that have ended, to the clock's tick."""
    fields = stat_fields(pid)
    return (int(fields[13]) + int(fields[14])) / TICK


def shared_cpu(backend: Backend) -> float:
    """CPU seconds so far of this process, of its children that have ended, and of a local engine."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    if isinstance(backend, Docker):
        for pid in processes(lambda name, _: name in ("dockerd", "containerd")):
            fields = stat_fields(pid)
            spent += (int(fields[11]) + int(fields[12])) / TICK + waited_cpu(pid)
    return spent


# --- how long a design waits


def checkouts(backend: Backend, samples: int) -> dict[str, float]:
    """Lease guests that have waited, with time between for the next to start."""
    seconds = []
    with Pool(backend) as pool:
        for _ in range(samples + 1):
            for waiting in list(pool._warm):
                waiting.result()
            began = time.monotonic()
            with pool.lease() as session:
                session.load(SMALL, 0)
                seconds.append(time.monotonic() - began)
    return {"checkout_ms": 1000 * median(seconds[1:])}


def episodes(backend: Backend, count: int) -> dict[str, float]:
    """Episodes of a design that holds much, one after the other."""
    answered, ended, spent = [], [], []
    with Pool(backend, Limits(update_seconds=60)) as pool, pool.lease() as session:
        empty = session.resident_bytes()
        session.load(LARGE, 0)
        session.update(TRAJECTORY)
        built = session.resident_bytes() - empty
        pid = python_of(session._guest)
        for _ in range(count):
            cpu, began = process_cpu(pid) + time.process_time(), time.monotonic()
            with session.episode() as episode:
                episode.retrieve(QUERY)
                answered.append(time.monotonic() - began)
            ended.append(time.monotonic() - began)
            spent.append(process_cpu(pid) + time.process_time() - cpu)
    return {
        "episode_ms": 1000 * median(answered),
        "episode_best_ms": 1000 * min(answered),
        "episode_whole_ms": 1000 * median(ended),
        "episode_cpu_ms": 1000 * median(spent),
        "built_mb": built / 2**20,
    }


# --- what is left behind


def row_of_designs(backend: Backend, designs: int) -> dict[str, float]:
    """Many designs in a row, then count."""
    limits = marked(1)
    before, open_before = remains(backend, limits), open_descriptors()
    began = time.monotonic()
    with Pool(backend, limits) as pool:
        for _ in range(designs):
            with pool.lease() as session:
                session.load(SMALL, 0)
                session.update(TRAJECTORY)
                with session.episode() as episode:
                    episode.retrieve(QUERY)
    wall = time.monotonic() - began
    left = remains(backend, limits) - before
    for _ in range(10):  # what stays, not what another user of the machine happens to have now
        time.sleep(0.3)
        left &= remains(backend, limits)
    for each in sorted(left):
        print(f"left behind by {backend.name}: {each}")
    return {
        "designs": designs,
        "design_wall_ms": 1000 * wall / designs,
        "left": len(left),
        "more_descriptors": open_descriptors() - open_before,
    }


def killed_driver(backend: Backend) -> dict[str, float]:
    """Kill a driver with a busy guest and two waiting ones; containers wait for the next start."""
    limits = marked(2)
    command = [sys.executable, __file__, "--victim", backend.name, str(limits.tmpfs_bytes)]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert driver.stdout is not None
    with driver.stdout:
        assert driver.stdout.readline() == b"ready\n"
        had = len(guests(limits))
        driver.kill()
        driver.wait()
    began = time.monotonic()
    if isinstance(backend, Docker):
        backend.reap()
    while (left := guests(limits) | containers(backend, driver.pid)) and time.monotonic() < began + KILL_SECONDS:
        time.sleep(0.01)
    return {"processes_killed": had, "gone_after_s": time.monotonic() - began, "left_after_kill": len(left)}


def be_killed(name: str, mark: str) -> None:
    """The driver that is killed."""
    from threading import Thread

    with Pool(make(name), Limits(tmpfs_bytes=int(mark), update_seconds=60), size=2) as pool, pool.lease() as session:
        session.load(BUSY, 0)
        for waiting in list(pool._warm):
            waiting.result()
        Thread(target=session.update, args=(TRAJECTORY,), daemon=True).start()
        time.sleep(0.3)
        print("ready", flush=True)
        time.sleep(60)


def marked(number: int) -> Limits:
    """Limits by which this script knows its own guests."""
    return Limits(tmpfs_bytes=Limits().tmpfs_bytes + 4096 * (os.getpid() % 1000 * 2 + number))


def remains(backend: Backend, limits: Limits) -> set[str]:
    """What guests may leave: processes, containers, mounts and files."""
    found = {f"process {pid}" for pid in guests(limits)}
    found |= {f"container {each}" for each in containers(backend, os.getpid())}
    found |= {f"mount {each}" for each in mounts(backend)}
    return found | {f"file {each}" for each in Path(tempfile.gettempdir()).rglob("*")}


def guests(limits: Limits) -> set[str]:
    """Processes of guests with these limits, and of what started them."""
    mark = str(limits.tmpfs_bytes).encode()
    return {str(pid) for pid in processes(lambda _, line: b"sandbox.guest.serve" in line and mark in line)}


def open_descriptors() -> int:
    """How many this process has; connections to an engine are kept, a few of them."""
    return len(list(Path("/proc/self/fd").iterdir()))


def containers(backend: Backend, owner: int) -> set[str]:
    """Containers of a driver, those that have ended too."""
    if not isinstance(backend, Docker):
        return set()
    found = backend.engine.client.api.containers(all=True, filters={"label": f"{LABEL}.pid={owner}"})
    return {str(each["Id"]) for each in found}


def mounts(backend: Backend) -> set[str]:
    """Mounts of this machine, but for those of containers that are there: they may be another user's."""
    found = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    if not isinstance(backend, Docker):
        return {mount for mount in found if "/docker/" not in mount}
    api = backend.engine.client.api
    for each in api.containers(all=True):
        with suppress(NotFound):  # removed meanwhile
            described = api.inspect_container(each["Id"])
            found -= {described["GraphDriver"]["Data"]["MergedDir"], described["NetworkSettings"]["SandboxKey"]}
    return found


def processes(wanted: Callable[[str, bytes], bool]) -> Iterator[int]:
    """Processes by name and command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted((folder / "comm").read_text().strip(), (folder / "cmdline").read_bytes()):
                yield int(folder.name)


if __name__ == "__main__":
    main()
