"""How many tokens a run sends to its models, and how many it would send without reuse and without prompt caching.

    .venv/bin/python -m scripts.bench_prompts --designs 20

A run on `recall` whose designs and whose actions come from a server on loopback, which answers as a model would and
keeps prompts as providers do: what a request has in common with an earlier one from the first token on, schema
included, counts as cached, in blocks of 128 tokens and from 1,024 on. How good the answers are does not matter here;
the game does: in long ones the episodes of a prompt are longer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sqlite3
import sys
import tempfile
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import make as make_strategy
from tests.author import BREAKS, Author
from tests.model_server import Ask, ModelServer, Response, Say

BLOCK = 128
LEAST = 1024
"""Tokens: prompts that are shorter are not kept."""
CACHED_PRICE = 0.1
"""Of a cached token, as a share of the others' price: what most providers take."""
_TOKEN = re.compile(r"\w{1,8}|[^\w\s]")

PROPOSER, AGENT = "role IN ('reflect', 'implement', 'repair')", "role = 'agent'"
PER_EPISODE = "SELECT AVG(tokens_in) FROM episode"
SCORED = "SELECT COUNT(*) FROM outcome WHERE episode IS NOT NULL"
DISTINCT = "SELECT COUNT(DISTINCT episode) FROM outcome"
EVALUATED = "SELECT COUNT(DISTINCT design_id) FROM evaluation"


class Keeper:
    """Answers as author and as player, and knows how much of each prompt a provider would have kept."""

    def __init__(self) -> None:
        self.author = Author(("", *BREAKS))
        self.known: set[bytes] = set()

    def __call__(self, ask: Ask) -> Response:
        """An answer with the share of its prompt that was seen before."""
        listed = ((ask.schema or {}).get("properties", {}).get("action") or {}).get("enum")
        if listed:
            said: Response = Say(value={"thought": "", "action": listed[zlib.crc32(ask.text.encode()) % len(listed)]})
        else:
            said = self.author(ask)
        assert isinstance(said, Say)
        return replace(said, cached=self.cached(ask))

    def cached(self, ask: Ask) -> int:
        """Tokens of the longest beginning that an earlier request had, in whole blocks."""
        schema = len(_TOKEN.findall(json.dumps(ask.schema)))
        tokens = _TOKEN.findall(json.dumps(ask.schema) + ask.text)
        digest, longest = hashlib.blake2b(digest_size=8), 0
        for end in range(BLOCK, len(tokens) + 1, BLOCK):
            digest.update(" ".join(tokens[end - BLOCK : end]).encode())
            if digest.digest() in self.known:
                longest = end
            self.known.add(digest.digest())
        return max(0, longest - schema) if longest >= LEAST else 0


def main() -> None:
    """Run, and print what was sent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--designs", type=int, default=20)
    parser.add_argument("--context", default="traces")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ModelServer(Keeper()) as server:
        path = Path(folder) / "prompts.db"
        config = RunConfig(
            domain="recall",
            collection=20,
            deployment=16,
            designs=arguments.designs,
            finalists=0,
            workers=0,
            context=arguments.context,
            proposer=server.spec(),
            agent=server.spec("player"),
        )
        with sit_down(config, path, lambda progress: None) as sitting:
            search = sitting.search
            specs = search.prepare(Role.DEPLOYMENT, config.deployment)
            search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
            Conversation(search, make_strategy(config), make_proposer(config), specs).run()
        report(path, config)


def report(path: Path, config: RunConfig) -> None:
    """Print tokens with and without."""
    with closing(sqlite3.connect(path)) as archive:
        requests = _one(archive, "SELECT COUNT(*) FROM request")
        for name, where in (("proposer", PROPOSER), ("agent", AGENT)):
            sums = f"SELECT COUNT(*), SUM(tokens_in), SUM(cached) FROM call WHERE hit_of IS NULL AND {where}"
            calls, sent, cached = archive.execute(sums).fetchone()
            fresh = sent - cached + CACHED_PRICE * cached
            _say(f"{name}: {calls} calls, {sent:,} tokens in, {cached / sent:.0%} of them in kept prefixes")
            _say(f"  price with prompt caching: that of {fresh:,.0f} tokens, {sent / fresh:.1f} times less")
            if name == "proposer":
                each, others = sent / requests, (sent - cached) / requests
                _say(f"  tokens in a request: {each:,.0f}, without the kept ones {others:,.0f}")
        collected = config.collection * config.collection_repeats
        queries = (SCORED, DISTINCT, EVALUATED, PER_EPISODE)
        scored, distinct, designs, tokens = (_one(archive, query) for query in queries)
        with_it, without = distinct + collected, scored + designs * collected
        _say(
            f"episodes: {distinct:,} different ones of {scored:,} scored, and {collected} collected once for all of"
            f" {designs} designs"
        )
        _say(f"  tokens of the agent a design: {tokens * without / designs:,.0f} if each design played all of its own,")
        _say(f"  {tokens * with_it / designs:,.0f} as it is: {without / with_it:.1f} times less")


def _one(archive: sqlite3.Connection, query: str) -> Any:
    return archive.execute(query).fetchone()[0]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
