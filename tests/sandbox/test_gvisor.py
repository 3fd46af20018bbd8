"""Guests under gVisor's `runsc`, in an engine of the test's own that has it."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack

import pytest

from sandbox.backend import MachineFault
from sandbox.backends import choose
from sandbox.pool import Pool
from tests.engines import own_engine, why_not
from tests.sandbox.samples import TRAJECTORY, design, query

KERNEL = design(
    "def update(self, trajectory):\n    self.kept = ' '.join(step.action for step in trajectory.steps)",
    "def retrieve(self, query):\n    import os\n    return [os.uname().release, self.kept]",
)


def test_a_guest_meets_another_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    runsc = shutil.which("runsc")
    reason = why_not() or (None if runsc else "runsc is not installed; on Debian: apt-get install runsc")
    if reason is not None:
        pytest.skip(reason)
    with own_engine({"runsc": [str(runsc), "--network=none"]}) as engine, ExitStack() as stack:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        backend = choose(runtime="runsc")
        assert backend.extra == "runtime runsc (gVisor: guests talk to a kernel of its own, not to the host's)"
        pool = stack.enter_context(Pool(backend))
        try:
            session = stack.enter_context(pool.lease())
        except MachineFault as fault:
            pytest.skip(f"runsc does not run in here: {fault}")
        session.load(KERNEL, seed=1)
        session.update(TRAJECTORY)
        with session.episode() as episode:
            release, actions = (item.text for item in episode.retrieve(query()))
        assert (release != os.uname().release, actions) == (True, "take knife look")
