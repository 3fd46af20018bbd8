"""Fixtures of the domain tests: a game cache that starts empty, and domains that the registry knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domains import registry
from domains.base import Domain


@pytest.fixture(scope="package", autouse=True)
def game_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALIMPSEST_CACHE", str(path))
        yield path


def conforming() -> Iterator[str]:
    """Installed domains that are made of others, of which all families are played, and the first family of each."""
    kinds = set()
    for name in (info.name for info in registry.available() if info.installed):
        kind = name.partition(":")[0], ":" in name
        if kind not in kinds:
            kinds.add(kind)
            yield name


@pytest.fixture(scope="session", params=list(conforming()))
def domain(request: pytest.FixtureRequest) -> Domain:
    return registry.load(request.param)
