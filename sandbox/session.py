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
from sandbox.journal import OPS, Answer, Entry, Journal, ReplayError, ToolCall

T = TypeVar("T")
Call = Callable[[dict[str, Any], float, Callable[[Any], Any]], Any]

PROTOCOL = 1
PHASES = frozenset({"begin", "step"})
EPISODE_OPS = frozenset({"retrieve", "observe"})
"""The calls that an episode's forked child answers."""

_MAX_CREDIT = 60.0
"""Seconds that the host's own work for toolkit calls can add to one call's deadline."""
_ALLOWED = frozenset({"llm", "embed"})
"""Toolkit calls whose seconds come on top: models may make them wait, and the design's allowances bound them."""
_STATE_SPARE = 1024
"""Bytes of a frame with a dumped state that are not the state."""
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
        self.broker = broker
        self._answer: Answer = broker.answer
        self._lock = threading.RLock()
        self._episodes = 0
        self._seed = 0
        self._entries: list[Entry] = []
        self._asides: list[ToolCall] = []
        self.alive = True
        self.asked_llm = False
        """Whether the design asked for a language model, or whether there is one."""
        self.calls = 0
        self.seconds = 0.0
        self.spared: list[str] = []
        """Faults that a second try did not repeat, so that the machine is charged with them."""

    @property
    def embedded_texts(self) -> int:
        """How many texts the design has had embedded."""
        return self.broker.embedded_texts

    @property
    def toolkit_calls(self) -> int:
        """How often the design has called the host."""
        return self.broker.calls

    @property
    def tokens_llm(self) -> int:
        """Tokens that the language model took for the design, as the model counts them."""
        return self.broker.bucket.used

    @property
    def dollars(self) -> float | None:
        """What that cost; none where a price is not known."""
        return self.broker.dollars

    @property
    def journal(self) -> Journal:
        """How the memory was built so far; trajectories are referred to, not copied."""
        with self._lock:
            return Journal(self._seed, tuple(self._entries), tuple(self._asides))

    @property
    def log(self) -> str:
        """The tail of what the design printed."""
        return self._guest.log

    def load(self, source: str, seed: int) -> Loaded:
        """Run the module and construct its design: the journal begins here."""
        with self._lock:
            self._seed, self._entries, self._asides = seed, [], []
            return self._call({"op": "load", "source": source, "seed": seed}, self._limits.load_seconds, _loaded)

    def update(self, trajectory: Trajectory) -> None:
        """Give the design a finished episode."""
        request = {"op": "update", "trajectory": frames.pack(trajectory)}
        self._call(request, self._limits.update_seconds, _nothing, trajectory)

    def manage(self) -> None:
        """Let the design consolidate."""
        self._call({"op": "manage"}, self._limits.manage_seconds, _nothing)

    def dump(self) -> Any:
        """The built memory as a JSON value that `restore` takes; None where the design cannot, or it is too large."""
        request = {"op": "dump", "limit": self._limits.frame_bytes - _STATE_SPARE}
        return self._call(request, self._limits.manage_seconds, lambda state: state)

    def restore(self, state: Any) -> None:
        """Put a dumped memory in the place of what a freshly loaded design would be given to build it."""
        self._call({"op": "restore", "state": state}, self._limits.manage_seconds, _nothing, state)

    @contextmanager
    def answered_by(self, answer: Answer) -> Iterator[None]:
        """Have toolkit calls answered by something else than the broker: by what was recorded, in a replay."""
        with self._lock:
            before, self._answer = self._answer, answer
            try:
                yield
            finally:
                self._answer = before

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

    def resident_bytes(self) -> int:
        """Memory that the guest holds now, by the kernel's count."""
        with self._lock:
            return self._guest.resident_bytes()

    def close(self) -> None:
        """End the guest."""
        self.alive = False
        self._guest.kill()

    # --- one call

    def _call(self, request: dict[str, Any], seconds: float, read: Callable[[Any], T], argument: Any = None) -> T:
        """Send a request and read what comes back; `read` checks the result, which is a claim like the rest.

        What may change the memory goes to the journal, with its `argument`, also where it fails.
        """
        op, fault = request["op"], ""
        calls: list[ToolCall] = []
        with self._lock:
            if not self.alive:
                raise DesignFault(op, "Exit", "the guest of this design has ended")
            try:
                return self._checked(request, seconds, read, calls)
            except DesignFault as raised:
                fault = raised.kind
                raise
            finally:
                self.asked_llm = self.asked_llm or any(call.asks_llm for call in calls)
                if op in OPS:
                    self._entries.append(Entry(op, argument, tuple(calls), fault))
                else:
                    self._asides += calls

    def _checked(self, request: dict[str, Any], seconds: float, read: Callable[[Any], T], calls: list[ToolCall]) -> T:
        op = request["op"]
        self.calls += 1
        request = {**request, "id": self.calls}
        payload = frames.encode(request)
        began = time.monotonic()
        try:
            with self._claims(op):
                reply = self._exchange(request, payload, began + seconds, calls)
        finally:
            self.seconds += time.monotonic() - began
        if "error" in reply:
            raise _fault(op, reply["error"])
        with self._claims(op):
            return read(reply["result"])

    def _exchange(
        self, request: dict[str, Any], payload: bytes, deadline: float, calls: list[ToolCall]
    ) -> dict[str, Any]:
        self._guest.send(payload, deadline)
        latest = deadline + _MAX_CREDIT
        episode = request["episode"] if request["op"] in EPISODE_OPS else None
        while True:
            reply = frames.decode(self._guest.receive(deadline))
            if not isinstance(reply, dict):
                raise frames.FrameError("a reply must be an object")
            if "call" not in reply:
                break
            if type(reply.get("episode")) is not type(episode) or reply.get("episode") != episode:
                raise frames.FrameError("a toolkit call of an episode that was not asked")
            spent = self._answer_toolkit(reply, deadline, calls)
            if reply["call"] in _ALLOWED:
                latest += spent
            deadline = min(deadline + spent, latest)
        if reply.get("id") != request["id"] or not ("error" in reply or "result" in reply):
            raise frames.FrameError("a reply to something that was not asked")
        return reply

    def _answer_toolkit(self, call: dict[str, Any], deadline: float, calls: list[ToolCall]) -> float:
        """Answer a call, and return the seconds of the host's own work, for which the design does not pay."""
        if self.broker.is_exhausted:
            raise frames.FrameError(f"more than {self.broker.calls} toolkit calls")
        began = time.monotonic()
        payload = frames.encode({"op": "answer", "episode": call.get("episode"), **self._answer(call)})
        calls.append(ToolCall.of(call, payload))
        spent = time.monotonic() - began
        self._guest.send(payload, max(deadline, time.monotonic() + self._limits.grace_seconds))
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
        except ReplayError as error:
            self.close()
            raise DesignFault(at, "Impure", str(error)) from None
        except BaseException:  # the machine, an interrupt: the guest waits for an answer that will not come
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
