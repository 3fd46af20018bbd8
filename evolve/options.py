"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ArchiveOption = Annotated[Path, typer.Option("--archive", "-a", help="The archive, an SQLite file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over a file that is there and holds something else.")]
RunOption = Annotated[int | None, typer.Option("--run", "-r", help="Number of the run; by default the newest.")]
DomainOption = Annotated[str | None, typer.Option(help="What is played; `evolve domains` lists them.")]
SandboxOption = Annotated[str | None, typer.Option(help="docker, bubblewrap or process; by default the best here.")]
RuntimeOption = Annotated[str | None, typer.Option(help="docker: one of the engine's runtimes, runsc (gVisor) say.")]
WorkersOption = Annotated[int | None, typer.Option(min=0, help="Worker processes; by default one a core, 0: none.")]
AddressOption = Annotated[str | None, typer.Option(help="Work on a running Ray cluster: HOST:PORT, or auto.")]
UnsafeOption = Annotated[bool, typer.Option("--allow-unsafe", help="Let untrusted code run on `process`.")]
ModeOption = Annotated[str | None, typer.Option(help="static, or dynamic: designs learn from scored episodes too.")]
InsightsOption = Annotated[
    bool | None, typer.Option("--insights/--no-insights", help="Learn from this and earlier runs, and keep it.")
]
PeEmpOption = Annotated[
    bool | None, typer.Option("--pe-emp/--no-pe-emp", help="empirical-mcts: go by what its comparisons find.")
]
TacticsOption = Annotated[
    bool | None, typer.Option("--tactics/--no-tactics", help="Try other operators when nothing gets better.")
]
AgentOption = Annotated[str | None, typer.Option(help="Who plays: lexical, or a model, openai:MODEL say.")]
MemoryModelOption = Annotated[str | None, typer.Option(help="The model that designs may ask.")]
MemoryTokensOption = Annotated[int | None, typer.Option(help="Tokens that a design may spend on it.")]
EmbedderOption = Annotated[str | None, typer.Option(help="Behind `toolkit.embed`: static, or openai:MODEL.")]
RolesOption = Annotated[
    list[str] | None, typer.Option("--role", help="How models answer in a role: reflect.effort=high, say.")
]
DollarsOption = Annotated[float | None, typer.Option(help="Dollars that the run may spend on models.")]
TokensOption = Annotated[int | None, typer.Option(help="Tokens that it may spend on models.")]
ConcurrencyOption = Annotated[int | None, typer.Option(help="Calls of a provider under way at once.")]
PricesOption = Annotated[Path | None, typer.Option(help="A TOML file with dollars per million tokens, by model.")]
ARCHIVE = Path("palimpsest.db")
