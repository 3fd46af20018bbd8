"""Which models a run asks, in which roles, and with which settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from evolve.llm.base import Settings
from evolve.llm.models import is_spec

if TYPE_CHECKING:
    from evolve.config import RunConfig

AGENT = "agent"
MEMORY = "memory"
EMBED = "embed"
PROPOSE = "propose"
REFLECT, IMPLEMENT, REPAIR = "reflect", "implement", "repair"
DIAGNOSE = "diagnose"
COMPARE = "compare"
INSIGHTS = "insights"
TACTICS = "tactics"

STATIC = "static"
"""The embedder that is no language model of a provider."""
AGENTIC = "agent:"
"""How the name of a proposer begins that calls tools."""

DEFAULTS = {
    REFLECT: Settings(max_tokens=16_000),
    IMPLEMENT: Settings(max_tokens=24_000),
    REPAIR: Settings(max_tokens=24_000),
    PROPOSE: Settings(max_tokens=24_000),
    DIAGNOSE: Settings(max_tokens=16_000),
    COMPARE: Settings(max_tokens=16_000),
    INSIGHTS: Settings(max_tokens=8_000),
    TACTICS: Settings(max_tokens=8_000),
    AGENT: Settings(max_tokens=1_024),
    MEMORY: Settings(max_tokens=1_024),
}
"""How models answer in each role, where the run says nothing else; a bound, not a wish: reasoning counts too."""


def settings_of(config: RunConfig, role: str) -> Settings:
    """How a model answers in a role: what the run's configuration says of it, else the role's default."""
    default = DEFAULTS.get(role, Settings())
    given = config.roles.get(role)
    chosen = {each.name: getattr(given, each.name, None) for each in fields(Settings)}
    return Settings(**{name: getattr(default, name) if value is None else value for name, value in chosen.items()})


def models_of(config: RunConfig) -> dict[str, str]:
    """The models that a run asks, by role; empty where it asks none."""
    found = {}
    agentic = config.proposer.startswith(AGENTIC)
    proposer = config.proposer.removeprefix(AGENTIC)
    if is_spec(proposer):
        found.update(dict.fromkeys((PROPOSE,) if agentic else (REFLECT, IMPLEMENT, REPAIR), proposer))
        if config.strategy == "memevolve":
            found[DIAGNOSE] = proposer
        if config.strategy == "empirical-mcts" and config.pe_emp:
            found[COMPARE] = proposer
        if config.insights:
            found[INSIGHTS] = proposer
        if config.tactics:
            found[TACTICS] = proposer
    if is_spec(config.agent):
        found[AGENT] = config.agent
    if config.memory_model is not None:
        found[MEMORY] = config.memory_model
    if config.embedder != STATIC:
        found[EMBED] = config.embedder
    return found
