"""The command line. Importing this module costs nothing heavy; each command imports what it uses."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from evolve.errors import InputError, StandstillError

app = typer.Typer(
    name="evolve",
    help="Evolve memory designs for agents, as executable Python in real sandboxes.",
    epilog="Every command takes --json; `python -m pydoc evolve.commands` lists the fields and the exit codes.",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

ArchiveOption = Annotated[Path, typer.Option("--archive", "-a", help="The archive, an SQLite file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
RunOption = Annotated[int | None, typer.Option("--run", "-r", help="Number of the run; by default the newest.")]
DomainOption = Annotated[str | None, typer.Option(help="What is played; `evolve domains` lists them.")]
SandboxOption = Annotated[str | None, typer.Option(help="docker, bubblewrap or process; by default the best here.")]
RuntimeOption = Annotated[str | None, typer.Option(help="docker: one of the engine's runtimes, runsc (gVisor) say.")]
WorkersOption = Annotated[int | None, typer.Option(min=0, help="Worker processes; by default one a core, 0: none.")]
AddressOption = Annotated[str | None, typer.Option(help="Work on a running Ray cluster: HOST:PORT, or auto.")]
UnsafeOption = Annotated[bool, typer.Option("--allow-unsafe", help="Let untrusted code run on `process`.")]
ModeOption = Annotated[str | None, typer.Option(help="static, or dynamic: designs learn from scored episodes too.")]
ARCHIVE = Path("palimpsest.db")


@app.command()
def run(
    invocation: typer.Context,
    config: Annotated[Path | None, typer.Option(help="A TOML file with any of these options.")] = None,
    archive: ArchiveOption = ARCHIVE,
    domain: DomainOption = None,
    agent: Annotated[str | None, typer.Option(help="Who plays: lexical, or a model, openai:MODEL say.")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="What to try next: alma, best-of-n, random or sequential.")
    ] = None,
    proposer: Annotated[
        str | None, typer.Option(help="Who writes designs: genetic, a model, or agent:MODEL, which reads the archive.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Search seed: draws tasks, parents and edits.")] = None,
    designs: Annotated[int | None, typer.Option(help="Designs to try; a larger number extends a run.")] = None,
    collection: Annotated[int | None, typer.Option(help="Tasks whose episodes fill the memory.")] = None,
    collection_repeats: Annotated[int | None, typer.Option(help="Episodes of each of them.")] = None,
    deployment: Annotated[int | None, typer.Option(help="Tasks that score a design.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Episodes of each of them.")] = None,
    finalists: Annotated[int | None, typer.Option(help="Designs that play the confirmation tasks.")] = None,
    confirmation: Annotated[int | None, typer.Option(help="Tasks that confirm the finalists.")] = None,
    smoke: Annotated[int | None, typer.Option(help="Tasks whose retrieval must not fail.")] = None,
    small: Annotated[
        int | None, typer.Option(help="Tasks played first, to drop what is worse than its parent; 0: off.")
    ] = None,
    drop_margin: Annotated[float | None, typer.Option(help="Difference that a design must be sure to miss.")] = None,
    memory_budget: Annotated[int | None, typer.Option(help="Retrieved tokens an episode.")] = None,
    mode: ModeOption = None,
    reward_scale: Annotated[float | None, typer.Option(help="alma: lambda of its selection formula.")] = None,
    visit_penalty: Annotated[float | None, typer.Option(help="alma: alpha of its selection formula.")] = None,
    temperature: Annotated[float | None, typer.Option(help="alma: temperature of its softmax.")] = None,
    step_size: Annotated[int | None, typer.Option(help="alma: parents drawn without replacement.")] = None,
    elite: Annotated[int | None, typer.Option(help="sequential: how many of the best may be parents.")] = None,
    memory_model: Annotated[str | None, typer.Option(help="The model that designs may ask.")] = None,
    memory_tokens: Annotated[int | None, typer.Option(help="Tokens that a design may spend on it.")] = None,
    embedder: Annotated[str | None, typer.Option(help="Behind `toolkit.embed`: static, or openai:MODEL.")] = None,
    context: Annotated[
        str | None, typer.Option(help="What a proposing model is shown: scores, summaries or traces.")
    ] = None,
    roles: Annotated[
        list[str] | None, typer.Option("--role", help="How models answer in a role: reflect.effort=high, say.")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(help="Dollars that the run may spend on models.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Tokens that it may spend on models.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls of a provider under way at once.")] = None,
    cache: Annotated[
        bool | None, typer.Option("--cache/--no-cache", help="Answer equal calls from the archive's record.")
    ] = None,
    llm: Annotated[str | None, typer.Option(help="live; or replay: recorded calls only, none is paid.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A TOML file with dollars per million tokens, by model.")] = None,
    reproducible: Annotated[
        bool | None, typer.Option("--reproducible", help="Same seed, same run, on any number of workers.")
    ] = None,
    in_flight: Annotated[int | None, typer.Option(help="reproducible: requests that are open at once.")] = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start another run of the same configuration.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run, or go on with it: the same options on the same archive are the same run.

    Example: evolve run --domain textworld:cooking --designs 24
    """
    from evolve.commands.run import run_search

    flags = {name: value for name, value in invocation.params.items() if name not in NOT_CONFIGURATION}
    run_search(config, flags, archive, fresh=fresh, as_json=as_json)


NOT_CONFIGURATION = frozenset({"config", "archive", "fresh", "as_json"})
"""Options of `run` that are no fields of its configuration."""


@app.command()
def runs(archive: ArchiveOption = ARCHIVE, as_json: JsonOption = False) -> None:
    """List the archive's runs."""
    from evolve.commands.inspect import list_runs

    list_runs(archive, as_json=as_json)


@app.command()
def top(
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many designs.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show a run's best designs beside its baselines."""
    from evolve.commands.inspect import show_top

    show_top(archive, run_number, count, as_json=as_json)


@app.command()
def show(
    design: Annotated[str, typer.Argument(help="The leading characters of a design's id.")],
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a design: code, lineage, score by task, an example of what it tells, and why it failed if it did."""
    from evolve.commands.design import show_design

    show_design(archive, design, run_number, as_json=as_json)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="The leading characters of a design's id.")],
    b: Annotated[str, typer.Argument(help="The leading characters of another's.")],
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Show how the source of design B differs from that of design A."""
    from evolve.commands.inspect import diff_designs

    diff_designs(archive, a, b, as_json=as_json)


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(help="A Python file with one MemoryDesign.")],
    archive: ArchiveOption = ARCHIVE,
    domain: DomainOption = None,
    seed: Annotated[int | None, typer.Option(help="Draws the tasks, as in `evolve run`.")] = None,
    collection: Annotated[int | None, typer.Option(help="Tasks whose episodes fill the memory.")] = None,
    deployment: Annotated[int | None, typer.Option(help="Tasks that score the design.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Episodes of each of them.")] = None,
    mode: ModeOption = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a design of your own against no memory and the nearest trajectory. Exit code 1 where it fails.

    With --json: design, status (ok, failed, rejected), reason, score, interval, n, no_memory, gain, sandbox
    and more; `python -m pydoc evolve.commands` lists the fields of every command.

    Example: evolve eval my_design.py --domain recall
    """
    from evolve.commands.evaluate import evaluate_file

    flags = {
        "domain": domain,
        "seed": seed,
        "collection": collection,
        "deployment": deployment,
        "repeats": repeats,
        "mode": mode,
        "sandbox": sandbox,
        "runtime": runtime,
        "workers": workers,
        "ray_address": ray_address,
    }
    evaluate_file(file, flags, archive, allow_unsafe=allow_unsafe, as_json=as_json)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A Python file with one MemoryDesign.")],
    sandbox: SandboxOption = None,
    episodes: Annotated[int, typer.Option(min=100, help="How many episodes judge growth, against a tenth.")] = 1000,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check that a design of your own does what every design has to do. Exit code 1 where it does not.

    Example: evolve check my_design.py
    """
    from evolve.commands.check import check_file

    check_file(file, sandbox, episodes, allow_unsafe=allow_unsafe, as_json=as_json)


@app.command("test")
def held_out(
    run_number: Annotated[int, typer.Argument(metavar="RUN", help="Number of the run.")],
    archive: ArchiveOption = ARCHIVE,
    design: Annotated[str | None, typer.Option(help="Test this design instead of the run's best.")] = None,
    tasks: Annotated[int, typer.Option(min=2, help="Test tasks.")] = 40,
    repeats: Annotated[int, typer.Option(min=1, help="Episodes of each of them.")] = 2,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play the held-out test tasks with a run's best design. Every look is counted and printed.

    Example: evolve test 1
    """
    from evolve.commands.evaluate import test_run

    flags = {"sandbox": sandbox, "runtime": runtime, "workers": workers, "ray_address": ray_address}
    test_run(archive, run_number, design, tasks, repeats, flags, allow_unsafe=allow_unsafe, as_json=as_json)


@app.command()
def replay(
    run_number: Annotated[int, typer.Argument(metavar="RUN", help="Number of the run.")],
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Decide everything again from the archive, and say whether it comes out the same. Exit code 1 where it does not.

    The strategy chooses parents from the scores that it knew then, and the proposer writes from those parents. Nothing
    is played, and nothing is written.

    Example: evolve replay 1
    """
    from evolve.commands.replay import replay_run

    replay_run(archive, run_number, as_json=as_json)


@app.command()
def domains(as_json: JsonOption = False) -> None:
    """List the domains, whether they are installed, and how many tasks each role has."""
    from evolve.commands.inspect import list_domains

    list_domains(as_json=as_json)


@app.command()
def doctor(
    archive: Annotated[Path | None, typer.Argument(help="Check and mend this archive instead of the machine.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing on this machine, or wrong in an archive. Exit code 1 where something that is needed is.

    What can be mended in an archive is mended, after a copy of it was made.

    Example: evolve doctor palimpsest.db
    """
    if archive is not None:
        from evolve.commands.health import show_health

        show_health(archive, as_json=as_json)
        return
    from evolve.commands.inspect import show_findings

    show_findings(as_json=as_json)


def main() -> None:
    """Run the command line; whatever the user can mend ends in one sentence and exit code 2, never in a traceback."""
    arguments = sys.argv[1:]
    try:
        code = app(args=arguments or ["--help"], prog_name="evolve", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered has nowhere to go
        code = 0
    except typer.TyperException as error:
        code = _end(f"{error.format_message().rstrip('.')}; see `evolve --help`")
    except _known_errors() as error:
        code = _end(str(error))
    if code == INTERRUPTED:
        _end(f"Interrupted. What is done is kept; go on with: {going_on(arguments)}")
    sys.exit(code if isinstance(code, int) else 0)


INTERRUPTED = 130


def going_on(arguments: list[str]) -> str:
    """The command that goes on where the interrupted one stopped; `--fresh` would start again."""
    return shlex.join([program(), *(argument for argument in arguments if argument != "--fresh")])


def program() -> str:
    """How this program is called: its name where the shell would find it, else its path as it was given."""
    return "evolve" if shutil.which("evolve") else sys.argv[0]


def _known_errors() -> tuple[type[Exception], ...]:
    """The errors that name what to do about them; imported only when one was raised."""
    from archive.store import ArchiveError
    from domains.base import DomainError
    from sandbox.backend import MachineFault
    from sandbox.backends import NoBackendError
    from sandbox.source import SourceRejected

    ours = (InputError, StandstillError, ArchiveError, DomainError, MachineFault, NoBackendError, SourceRejected)
    return *ours, OSError


def _end(sentence: str) -> int:
    from evolve.commands.show import complain

    complain(sentence)
    return 2
