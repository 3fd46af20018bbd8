"""The command line. Importing this module costs nothing heavy; each command imports what it uses."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from evolve import cli_dashboard, cli_domains, cli_exchange, cli_history, cli_insights, cli_search, cli_see
from evolve.errors import InputError, StandstillError
from evolve.options import (
    ARCHIVE,
    AddressOption,
    AgentOption,
    ArchiveOption,
    ConcurrencyOption,
    DollarsOption,
    DomainOption,
    EmbedderOption,
    InsightsOption,
    JsonOption,
    MemoryModelOption,
    MemoryTokensOption,
    ModeOption,
    PeEmpOption,
    PricesOption,
    RolesOption,
    RunOption,
    RuntimeOption,
    SandboxOption,
    TacticsOption,
    TokensOption,
    UnsafeOption,
    WorkersOption,
)

app = typer.Typer(
    name="evolve",
    help="Evolve memory designs for agents, as executable Python in real sandboxes.",
    epilog="Commands that print take --json; `python -m pydoc evolve.commands` lists the fields and the exit codes.",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    invocation: typer.Context,
    config: Annotated[Path | None, typer.Option(help="A TOML file with any of these options.")] = None,
    archive: ArchiveOption = ARCHIVE,
    domain: DomainOption = None,
    agent: AgentOption = None,
    strategy: Annotated[
        str | None, typer.Option(help="alma, memevolve, empirical-mcts, best-of-n, random or sequential.")
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
    novelty: Annotated[float | None, typer.Option(help="alma, empirical-mcts: weight of being unlike others.")] = None,
    elite: Annotated[int | None, typer.Option(help="sequential: how many of the best may be parents.")] = None,
    survivors: Annotated[int | None, typer.Option(help="memevolve: how many have descendants at a time.")] = None,
    descendants: Annotated[int | None, typer.Option(help="memevolve: how many each of them has.")] = None,
    diagnosed: Annotated[int | None, typer.Option(help="memevolve: tasks that they are diagnosed by.")] = None,
    exploration: Annotated[float | None, typer.Option(help="empirical-mcts: C of its upper bound.")] = None,
    global_share: Annotated[float | None, typer.Option(help="empirical-mcts: alpha, of global ranks.")] = None,
    backup: Annotated[float | None, typer.Option(help="empirical-mcts: gamma, of children's values.")] = None,
    children: Annotated[int | None, typer.Option(help="empirical-mcts: most that one design has.")] = None,
    pe_emp: PeEmpOption = None,
    insights: InsightsOption = None,
    tactics: TacticsOption = None,
    memory_model: MemoryModelOption = None,
    memory_tokens: MemoryTokensOption = None,
    embedder: EmbedderOption = None,
    context: Annotated[
        str | None, typer.Option(help="What a proposing model is shown: scores, summaries or traces.")
    ] = None,
    roles: RolesOption = None,
    budget_usd: DollarsOption = None,
    budget_tokens: TokensOption = None,
    concurrency: ConcurrencyOption = None,
    cache: Annotated[
        bool | None, typer.Option("--cache/--no-cache", help="Answer equal calls from the archive's record.")
    ] = None,
    llm: Annotated[str | None, typer.Option(help="live; or replay: recorded calls only, none is paid.")] = None,
    prices: PricesOption = None,
    reproducible: Annotated[
        bool | None, typer.Option("--reproducible", help="Same seed, same run, on any number of workers.")
    ] = None,
    in_flight: Annotated[int | None, typer.Option(help="reproducible: requests that are open at once.")] = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start another run of the same configuration.")] = False,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run, or go on with it: the same options on the same archive are the same run.

    Example: evolve run --domain textworld:cooking --designs 24
    """
    from evolve.commands.run import run_search

    flags = {name: value for name, value in invocation.params.items() if name not in NOT_CONFIGURATION}
    run_search(config, flags, archive, fresh=fresh, allow_unsafe=allow_unsafe, as_json=as_json)


NOT_CONFIGURATION = frozenset({"config", "archive", "fresh", "allow_unsafe", "as_json"})
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


@app.command()
def costs(
    run_number: Annotated[int | None, typer.Argument(metavar="RUN", help="By default the newest with calls.")] = None,
    archive: ArchiveOption = ARCHIVE,
    by: Annotated[str, typer.Option(help="role, or design.")] = "role",
    calls: Annotated[bool, typer.Option("--calls", help="List the newest calls.")] = False,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many of them.")] = 50,
    call: Annotated[int | None, typer.Option(help="Show what was said in the call of this number.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run's calls of language models come to. Hits were answered by an earlier equal call, and are free.

    Example: evolve costs 1 --by design
    """
    from evolve.commands import costs as commands

    if call is not None:
        commands.show_call(archive, call, as_json=as_json)
    else:
        commands.show_costs(archive, run_number, commands.Wanted(by, calls, count), as_json=as_json)


for command in (*cli_history.COMMANDS, *cli_search.COMMANDS, *cli_insights.COMMANDS, *cli_see.COMMANDS):
    app.command()(command)
app.command()(cli_dashboard.dashboard)
app.add_typer(cli_insights.app, name="insights")


@app.command("eval")
def evaluate(
    invocation: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Python file with one MemoryDesign.")],
    archive: ArchiveOption = ARCHIVE,
    domain: DomainOption = None,
    agent: AgentOption = None,
    seed: Annotated[int | None, typer.Option(help="Draws the tasks, as in `evolve run`.")] = None,
    collection: Annotated[int | None, typer.Option(help="Tasks whose episodes fill the memory.")] = None,
    collection_repeats: Annotated[int | None, typer.Option(help="Episodes of each of them.")] = None,
    deployment: Annotated[int | None, typer.Option(help="Tasks that score the design.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Episodes of each of them.")] = None,
    mode: ModeOption = None,
    memory_model: MemoryModelOption = None,
    memory_tokens: MemoryTokensOption = None,
    embedder: EmbedderOption = None,
    roles: RolesOption = None,
    budget_usd: DollarsOption = None,
    budget_tokens: TokensOption = None,
    concurrency: ConcurrencyOption = None,
    prices: PricesOption = None,
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

    outside = NOT_CONFIGURATION | {"file"}
    flags = {name: value for name, value in invocation.params.items() if name not in outside}
    evaluate_file(file, flags, archive, allow_unsafe=allow_unsafe, as_json=as_json)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A Python file with one MemoryDesign.")],
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    episodes: Annotated[int, typer.Option(min=100, help="How many episodes judge growth, against a tenth.")] = 1000,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check that a design of your own does what every design has to do. Exit code 1 where it does not.

    Example: evolve check my_design.py
    """
    from evolve.commands.check import check_file

    check_file(file, sandbox, runtime, episodes, allow_unsafe=allow_unsafe, as_json=as_json)


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


app.command()(cli_exchange.export)
app.command("import")(cli_exchange.import_)
app.command()(cli_exchange.serve)
app.command()(cli_exchange.minimise)


app.add_typer(cli_domains.app, name="domains")
app.command()(cli_domains.play)


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
    from archive.ledger import LedgerError
    from archive.store import ArchiveError
    from domains.base import DomainError
    from sandbox.backend import MachineFault
    from sandbox.backends import NoBackendError
    from sandbox.source import SourceRejected

    ours = (InputError, StandstillError, ArchiveError, LedgerError, DomainError, MachineFault, NoBackendError)
    return *ours, SourceRejected, OSError


def _end(sentence: str) -> int:
    from evolve.commands.show import complain

    complain(sentence)
    return 2
