"""The forms in which a model answers. What a field means is said here, once: the schema carries it to the model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Part = Literal["encode", "store", "retrieve", "manage", "instructions"]


class Form(BaseModel):
    """Every field is required, and none may be added."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Assessment(Form):
    """Whether what was retrieved in one episode helped."""

    task: str = Field(description="id of the task")
    label: Literal["useful", "potentially useful", "irrelevant", "empty or badly formed"]
    why: str = Field(description="what was retrieved when, what the agent made of it, and what would have helped")


class Change(Form):
    """One change worth making."""

    priority: Literal["high", "medium", "low"]
    part: Part
    what: str
    why: str = Field(description="the evidence: episodes, task flips, or what was tried before")


class Plan(Form):
    """What the evidence says, and what should be changed."""

    learned: list[str] = Field(description="what the lineage log and the example of an improvement teach")
    episodes: list[Assessment] = Field(description="one for each episode that was shown")
    content_problems: list[str] = Field(description="what is kept or told and should not be, or the other way round")
    structure_problems: list[str] = Field(description="what is wrong with how it is built: coherence, order, cost")
    changes: list[Change] = Field(description="best first")


class Manifest(Form):
    """What a change is to achieve; it is compared with what happens."""

    hypothesis: str = Field(description="one falsifiable sentence: what is changed, and why that should help")
    part: Part = Field(description="the part of the design that is touched most")
    improves: list[str] = Field(description="ids of tasks that should come out better, from those that were shown")
    at_risk: list[str] = Field(description="ids of tasks that may come out worse")


class Edit(Form):
    """One place to be changed."""

    find: str = Field(
        description="whole lines of the code as it stands, letter by letter, enough of them to occur only once"
    )
    replace: str = Field(description="what stands there afterwards; empty to delete the lines")


class Implementation(Form):
    """A new design, as edits of a given one or as a whole module."""

    manifest: Manifest
    change: str = Field(description="one line on what was changed, for the log that later proposals read")
    edits: list[Edit] = Field(description="to be made one after the other; empty where `module` is given")
    module: str = Field(
        description="the whole new module, where nothing is there to be edited or little of it stays; else empty"
    )
