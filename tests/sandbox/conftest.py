from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.backend import Backend, Limits
from sandbox.backends import BACKENDS, make
from sandbox.embedding import Embedder
from sandbox.pool import Pool
from sandbox.session import DesignSession

LIMITS = Limits(
    load_seconds=2.0,
    update_seconds=3.0,
    manage_seconds=2.0,
    retrieve_seconds=0.5,
    observe_seconds=0.5,
    episode_seconds=2.0,
)


@pytest.fixture(scope="session", params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn; those that cannot run here are skipped with their own reason."""
    made = make(request.param)
    reason = made.available()
    if reason is not None:
        pytest.skip(f"{request.param}: {reason}")
    return made


@pytest.fixture(scope="session")
def pool(backend: Backend) -> Iterator[Pool]:
    with Pool(backend, LIMITS, embed=Embedder(), embed_allowance=50) as made:
        yield made


@pytest.fixture
def session(pool: Pool) -> Iterator[DesignSession]:
    with pool.lease() as leased:
        yield leased
