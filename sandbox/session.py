"""One design in one guest, seen from the host. Every reply is a claim and is checked before it is believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sandbox.backend import DesignFault, Guest, GuestEndedError, Limits, MachineFault
from sandbox.broker import Broker
from sandbox.guest import frames
from sandbox.guest.design import Memory, Query, Step, Trajectory

T = TypeVar("T")
Call = Callable[[dict[str, Any], float, Callable[[Any], Any]], Any]

PROTOCOL = 1
PHASES = frozenset({"begin", "step"})

_MAX_CREDIT = 60.0
"""Seconds that toolkit calls can add to one call's deadline, all together."""
_MAX_NAME = 200
_MAX_INSTRUCTIONS = 16_384
_MAX_TRACEBACK = 8_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a design says of itself."""

    name: str
    instructions: str
    phases: frozenset[str]


class DesignSession:
    """Calls of one design, in order, one at a time (a lock holds other threads back); several episodes may be open.

    `DesignFault` charges the design; where it came from a deadline, an exit or a broken protocol the session is over
    (`alive` is false), where the design raised an exception the session goes on. `MachineFault` blames nobody.
    """

    def __init__(self, guest: Guest, limits: Limits, broker: Broker) -> None:
        self._guest = guest
        self._limits = limits
        self._broker = broker
        self._lock = threading.RLock()
        self._episodes = 0
        self.alive = True
        self.calls = 0
        self.seconds = 0.0

    @property
    def embedded_texts(self) -> int:
        """How many texts the design has had embedded."""
        return self._broker.embedded_texts

    @property
    def toolkit_calls(self) -> int:
        """How often the design has called the host."""
        return self._broker.calls

    @property
    def log(self) -> str:
        """The tail of what the design printed."""
        return self._guest.log

    def load(self, source: str, seed: int) -> Loaded:
        """Run the module and construct its design."""
        return self._call({"op": "load", "source": source, "seed": seed}, self._limits.load_seconds, _loaded)

    def update(self, trajectory: Trajectory) -> None:
        """Give the design a finished episode."""
        self._call({"op": "update", "trajectory": frames.pack(trajectory)}, self._limits.update_seconds, _nothing)

    def manage(self) -> None:
        """Let the design consolidate."""
        self._call({"op": "manage"}, self._limits.manage_seconds, _nothing)

    @contextmanager
    def episode(self) -> Iterator[EpisodeSession]:
        """Fork the built memory for one episode; what happens in it leaves no trace in the design."""
        with self._lock:
            self._episodes += 1
            number = self._episodes
        self._call({"op": "open", "episode": number}, self._limits.episode_seconds, _nothing)
        try:
            yield EpisodeSession(self._call, self._limits, number)
        finally:
            if self.alive:
                with suppress(DesignFault):
                    self._call({"op": "close", "episode": number}, self._limits.episode_seconds, _nothing)

    def close(self) -> None:
        """End the guest."""
        self.alive = False
        self._guest.kill()

    # --- one call

    def _call(self, request: dict[str, Any], seconds: float, read: Callable[[Any], T]) -> T:
        """Send a request and read what comes back; `read` checks the result, which is a claim like the rest."""
        with self._lock:
            if not self.alive:
                raise DesignFault(request["op"], "Exit", "the guest of this design has ended")
            self.calls += 1
            payload = frames.encode({**request, "id": self.calls})
            began = time.monotonic()
            try:
                with self._claims(request["op"]):
                    reply = self._exchange(payload, self.calls, began + seconds)
            finally:
                self.seconds += time.monotonic() - began
        if "error" in reply:
            raise _fault(request["op"], reply["error"])
        with self._claims(request["op"]):
            return read(reply["result"])

    def _exchange(self, payload: bytes, number: int, deadline: float) -> dict[str, Any]:
        self._guest.send(payload, deadline)
        latest = deadline + _MAX_CREDIT
        while True:
            reply = frames.decode(self._guest.receive(deadline))
            if not isinstance(reply, dict):
                raise frames.FrameError("a reply must be an object")
            if "call" not in reply:
                break
            deadline = min(deadline + self._answer_toolkit(reply, deadline), latest)
        if reply.get("id") != number or not ("error" in reply or "result" in reply):
            raise frames.FrameError("a reply to something that was not asked")
        return reply

    def _answer_toolkit(self, call: dict[str, Any], deadline: float) -> float:
        """Answer a call, and return the seconds of the host's own work, for which the design does not pay."""
        episode = call.get("episode")
        if episode is not None and type(episode) is not int:
            raise frames.FrameError("a toolkit call of no episode")
        if self._broker.is_exhausted:
            raise frames.FrameError(f"more than {self._broker.calls} toolkit calls")
        began = time.monotonic()
        answer = self._broker.answer(call)
        spent = time.monotonic() - began
        patience = max(deadline, time.monotonic() + self._limits.grace_seconds)
        self._guest.send(frames.encode({"op": "answer", "episode": episode, **answer}), patience)
        return spent

    @contextmanager
    def _claims(self, at: str) -> Iterator[None]:
        """Turn what the transport and the checks raise into faults; all of them end the guest."""
        try:
            yield
        except TimeoutError:
            self.close()
            raise DesignFault(at, "Timeout", "the guest was killed at the host's deadline") from None
        except frames.FrameError as error:
            self.close()
            raise DesignFault(at, "Protocol", str(error)) from None
        except GuestEndedError as error:
            self.close()
            raise DesignFault(at, error.kind, str(error)) from None
        except MachineFault:
            self.close()
            raise


class EpisodeSession:
    """The calls of one episode, served by a forked child of the built memory."""

    def __init__(self, call: Call, limits: Limits, number: int) -> None:
        self._call = call
        self._limits = limits
        self._number = number

    def retrieve(self, query: Query) -> Memory:
        """Ask the design for its memory, items best first; nothing is cut yet."""
        seconds = self._limits.retrieve_seconds
        request = {"op": "retrieve", "episode": self._number, "seconds": seconds, "query": frames.pack(query)}
        return cast(Memory, self._call(request, seconds + self._limits.grace_seconds, frames.unpack_memory))

    def observe(self, step: Step) -> None:
        """Show the design one step of the episode."""
        seconds = self._limits.observe_seconds
        request = {"op": "observe", "episode": self._number, "seconds": seconds, "step": frames.pack(step)}
        self._call(request, seconds + self._limits.grace_seconds, _nothing)


def await_ready(guest: Guest, deadline: float) -> None:
    """Wait for a started guest's first frame; before it no design has run, so a failure is the machine's."""
    try:
        claim = frames.decode(guest.receive(deadline))
        problem = None if claim == {"ready": PROTOCOL} else "it speaks another protocol"
    except (TimeoutError, GuestEndedError, frames.FrameError) as error:
        problem = str(error) or "it did not answer in time"
    if problem is not None:
        guest.kill()
        raise MachineFault(f"a guest did not start: {problem}; its log: {guest.log[-500:].strip() or 'empty'}")


def still_answers(guest: Guest, deadline: float) -> bool:
    """Whether a guest that has waited for work is still there; it is killed if not."""
    try:
        guest.send(frames.encode({"op": "ping", "id": 0}), deadline)
        if frames.decode(guest.receive(deadline)) == {"id": 0, "result": None}:
            return True
    except (TimeoutError, GuestEndedError, frames.FrameError, MachineFault):
        pass
    with suppress(MachineFault):
        guest.kill()
    return False


def _nothing(claim: Any) -> None:
    if claim is not None:
        raise frames.FrameError("a result where none is expected")


def _loaded(claim: Any) -> Loaded:
    match claim:
        case {"name": str(name), "instructions": str(instructions), "phases": [*phases]} if len(claim) == 3:
            if len(name) > _MAX_NAME or len(instructions) > _MAX_INSTRUCTIONS:
                raise frames.FrameError(f"instructions of {len(instructions)} characters are too long")
            if not all(isinstance(phase, str) and phase in PHASES for phase in phases):
                raise frames.FrameError("phases that do not exist")
            return Loaded(name, instructions, frozenset(phases))
    raise frames.FrameError("load: expected a name, instructions and phases")


def _fault(at: str, claim: Any) -> DesignFault:
    match claim:
        case {"kind": str(kind), "message": str(message), "traceback": str(traceback)}:
            return DesignFault(at, kind[:100], message[:1000], traceback[-_MAX_TRACEBACK:])
    return DesignFault(at, "Protocol", "an error without a kind, a message and a traceback")
