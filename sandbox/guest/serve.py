"""The guest's supervisor: holds the built memory, serves the host, and forks one child for each episode.

Run as `python -s -P -m sandbox.guest.serve [LIMITS]`, LIMITS being a JSON object as `confine` takes it. Requests come
in on stdin and answers leave on stdout; both are moved away before a design runs, so that its prints go to the log.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

from sandbox.guest import confine, frames, snapshot
from sandbox.guest.channel import Channel
from sandbox.guest.design import MemoryDesign, Trajectory
from sandbox.guest.episode import Episode, answer_of, flush_prints, fork_episode
from sandbox.guest.loading import describe_class, describe_error, load_class
from sandbox.guest.toolkit import GuestToolkit

PROTOCOL = 1


class Supervisor:
    """One poll loop over the host's pipe and the children's sockets."""

    def __init__(self, host: Channel) -> None:
        self._host = host
        self._pid = os.getpid()
        self._design: MemoryDesign | None = None
        self._seed = 0
        self._toolkit = GuestToolkit(self._ask, self._seed)
        self._episodes: dict[int, Episode] = {}
        self._poll = select.poll()
        self._poll.register(host.read_fd, select.POLLIN)

    def run(self) -> None:
        """Serve until the host closes its end."""
        self._host.send({"ready": PROTOCOL})
        while True:
            for fd, _ in self._poll.poll(self._patience()):
                if fd == self._host.read_fd:
                    try:
                        request = self._host.receive()
                    except EOFError:
                        return
                    self._serve(request)
                else:
                    self._relay(fd)
            self._enforce_deadlines()

    def _patience(self) -> float | None:
        """Milliseconds until the next deadline of a child."""
        waits = [each.deadline for each in self._episodes.values() if each.deadline and each.asked_at is None]
        return max(0.0, min(waits) - time.monotonic()) * 1000 + 1 if waits else None

    # --- requests of the host

    def _serve(self, request: dict[str, Any]) -> None:
        op = request["op"]
        if op in ("retrieve", "observe"):
            self._forward(request)
        elif op == "answer":
            self._pass_answer(request)
        else:
            actions: dict[str, Callable[[dict[str, Any]], Any]] = {
                "ping": lambda _: None,
                "load": self._load,
                "update": self._update,
                "manage": self._manage,
                "dump": self._dump,
                "restore": self._restore,
                "open": self._open,
                "close": self._close,
            }
            self._reply(request["id"], self._attempt(actions[op], request))

    def _attempt(self, action: Callable[[dict[str, Any]], Any], request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = {"result": action(request)}
            frames.encode(answer)
        except BaseException as error:  # noqa: BLE001  the sandbox boundary: SystemExit is an answer too
            answer = {"error": describe_error(error)}
        if os.getpid() != self._pid:  # a child that the design forked came back from its call
            os._exit(0)
        flush_prints()
        self._end_strays()
        return answer

    def _end_strays(self) -> None:
        """Nothing but the open episodes outlives a call."""
        confine.end_strays([each.pid for each in self._episodes.values()])

    def _reply(self, request_id: int, answer: dict[str, Any]) -> None:
        self._host.send({"id": request_id, **answer})

    def _ask(self, request: dict[str, Any]) -> Any:
        """A toolkit call of the supervisor's own design: while it runs, the next frame is the answer."""
        self._host.send({**request, "episode": None})
        return answer_of(self._host.receive())

    def _load(self, request: dict[str, Any]) -> Any:
        seed = self._seed = request["seed"]
        self._toolkit = GuestToolkit(self._ask, seed)
        confine.seed_everything(seed)
        design = load_class(request["source"])
        self._design = design(self._toolkit)
        return describe_class(design)

    def _built(self) -> MemoryDesign:
        if self._design is None:
            raise RuntimeError("no design is loaded")
        return self._design

    def _update(self, request: dict[str, Any]) -> None:
        self._built().update(frames.unpack(Trajectory, request["trajectory"]))

    def _manage(self, _: dict[str, Any]) -> None:
        self._built().manage()

    def _dump(self, request: dict[str, Any]) -> Any:
        return snapshot.dump(self._built(), self._toolkit.rng, self._seed, request["limit"])

    def _restore(self, request: dict[str, Any]) -> None:
        snapshot.restore(self._built(), self._toolkit.rng, request["state"])

    # --- episodes

    def _open(self, request: dict[str, Any]) -> None:
        ours = [self._host.read_fd, self._host.write_fd]
        ours += [each.socket.fileno() for each in self._episodes.values()]
        episode = fork_episode(self._built(), self._toolkit, ours)
        self._episodes[request["episode"]] = episode
        self._poll.register(episode.socket.fileno(), select.POLLIN)

    def _close(self, request: dict[str, Any]) -> None:
        if request["episode"] in self._episodes:
            self._end(request["episode"])

    def _end(self, number: int) -> int:
        episode = self._episodes.pop(number)
        self._poll.unregister(episode.socket.fileno())
        status = episode.end()
        self._end_strays()
        return status

    def _forward(self, request: dict[str, Any]) -> None:
        episode = self._episodes.get(request["episode"])
        if episode is None or episode.request is not None:
            self._refuse(request["id"], "EpisodeEnded", "this episode is not open, or still answers an earlier call")
            return
        episode.request = request["id"]
        episode.deadline = time.monotonic() + request["seconds"]
        self._to_child(episode, request)

    def _refuse(self, request_id: int, kind: str, message: str) -> None:
        self._reply(request_id, {"error": {"kind": kind, "message": message, "traceback": ""}})

    def _pass_answer(self, request: dict[str, Any]) -> None:
        episode = self._episodes.get(request["episode"])
        if episode is None or episode.asked_at is None:
            return
        if episode.deadline is not None:
            episode.deadline += time.monotonic() - episode.asked_at
        episode.asked_at = None
        self._to_child(episode, request)

    def _to_child(self, episode: Episode, request: dict[str, Any]) -> None:
        fd = episode.socket.fileno()
        try:
            Channel(fd, fd).send(request)
        except OSError:
            return  # it has ended; its end of file is read next

    def _relay(self, fd: int) -> None:
        number = next((key for key, each in self._episodes.items() if each.socket.fileno() == fd), None)
        if number is None:
            return
        episode = self._episodes[number]
        try:
            for message in episode.messages():
                self._pass_message(number, episode, message)
        except EOFError:
            self._fail(number, "Exit", "the episode's process ended")
        except (frames.FrameError, AttributeError, TypeError) as error:
            self._fail(number, "Protocol", f"the episode's process broke the protocol: {error}")

    def _pass_message(self, number: int, episode: Episode, message: dict[str, Any]) -> None:
        if episode.request is None:
            raise frames.FrameError("a message that nobody asked for")
        if "call" in message:
            episode.asked_at = time.monotonic()
            self._host.send({**message, "episode": number})
            return
        request_id, episode.request, episode.deadline = episode.request, None, None
        self._reply(request_id, {key: message[key] for key in ("result", "error") if key in message})

    def _fail(self, number: int, kind: str, message: str) -> None:
        request_id = self._episodes[number].request
        status = self._end(number)
        if request_id is not None:
            detail = f" by signal {-status}" if status < 0 else f" with status {status}"
            self._refuse(request_id, kind, message + detail if kind == "Exit" else message)

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for number, episode in list(self._episodes.items()):
            if episode.deadline is not None and episode.asked_at is None and now > episode.deadline:
                self._fail(number, "Timeout", "the episode's process was killed at its deadline")


def _take_protocol() -> Channel:
    """Move the protocol off stdin and stdout; what a design prints goes to the log."""
    host = Channel(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return host


def main() -> None:
    """Confine this process and serve."""
    host = _take_protocol()
    confine.confine(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    sys.argv[1:] = []
    Supervisor(host).run()


if __name__ == "__main__":
    main()
