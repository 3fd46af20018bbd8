"""`evolve tree`: a run's designs under those that they were asked of, with their values where the strategy has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.comparisons import comparison_json
from evolve.commands.show import estimate_text, safe_text, say, say_any, say_json, score_json
from evolve.commands.tables import chosen_run, config_of, reading
from evolve.results import DEPLOYMENT

if TYPE_CHECKING:
    from rich.tree import Tree

    from archive.history import Listed
    from archive.store import Archive
    from archive.tables import Run
    from evolve.comparing import Comparison
    from evolve.statistics import Estimate

LONGEST = 70
"""Characters of what was changed."""


@dataclass(slots=True)
class Node:
    """A design that was told of with a score."""

    line: Listed
    parent: Node | None
    visits: int
    """Requests for its own children; where the strategy is a tree search itself and all requests below."""
    value: float | None = None
    """Q, where the strategy has it."""
    comparison: Comparison | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Generations above it."""
        depth, node = 0, self.parent
        while node is not None:
            depth, node = depth + 1, node.parent
        return depth


def show_tree(path: Path, number: int | None, depth: int, *, as_json: bool) -> None:
    """A run's tree, to so many generations."""
    with reading(path) as archive:
        run = chosen_run(archive, number)
        found = nodes(archive, run)
    if as_json:
        strategy = config_of(run).strategy
        say_json({"run": run.id, "strategy": strategy, "nodes": [_json(node) for node in found if node.depth < depth]})
    elif not found:
        say(f"Run {run.id} has no evaluated designs yet.")
    else:
        _print(run, found, depth)


def nodes(archive: Archive, run: Run) -> list[Node]:
    """The designs in the order of telling, each linked to the one that it was asked of."""
    from archive.comparisons import comparisons
    from archive.history import listing
    from evolve.population import Population
    from evolve.strategies.evidence import Evidence
    from evolve.strategies.mcts import EmpiricalMcts
    from evolve.strategies.registry import COMPARING, make

    assert run.id is not None
    config = config_of(run)
    lines = {line.design: line for line in listing(archive, run.id, DEPLOYMENT) if line.number}
    order = [row.design_id for row in comparisons(archive, run.id)] or list(archive.results(run.id, DEPLOYMENT))
    population = Population()
    for request in archive.requests(run.id):
        population.ask(tuple(json.loads(request.payload)["parents"]))
    evidence = Evidence(archive, run.id, counted=config.reproducible, budget=config.memory_budget)
    made: dict[str, Node] = {}
    for design in order:
        if design not in lines or (score := lines[design].score) is None:
            continue
        rival = evidence.comparer.rival(design, population)
        population.tell(design, score)
        above = made.get(rival) if rival is not None else None
        made[design] = Node(lines[design], above, population.visits[design])
        if above is not None:
            above.children.append(made[design])
    strategy = make(config, evidence) if config.strategy in COMPARING else None
    if made and isinstance(strategy, EmpiricalMcts):
        strategy.take_in(population)
        values, visits = strategy.values(population)
        for place, node in enumerate(made.values()):
            node.value, node.visits = float(values[place]), int(visits[place])
            node.comparison = strategy.comparisons[place]
    return list(made.values())


def _print(run: Run, nodes: Sequence[Node], depth: int) -> None:
    from rich.tree import Tree

    strategy = config_of(run).strategy
    root = Tree(safe_text(f"run {run.id}: {strategy}, {len(nodes)} designs; score [95 % interval]{_legend(nodes)}"))
    shown: list[tuple[Node, Tree]] = [(node, root) for node in reversed(nodes) if node.parent is None]
    while shown:
        node, under = shown.pop()
        branch = under.add(_label(node))
        if node.depth + 1 >= depth and node.children:
            branch.add(f"... {_below(node)} more below")
            continue
        shown += [(child, branch) for child in reversed(node.children)]
    say_any(root)


def _legend(nodes: Sequence[Node]) -> str:
    has_values = any(node.value is not None for node in nodes)
    return ", Q and N, then its totals beside its parent" if has_values else ", N requests for children"


def _label(node: Node) -> Any:
    from rich.text import Text

    line = node.line
    text = Text(f"{line.design[:10]} ", style="bold")
    text.append(f"{estimate_text(_estimate(line))}", style="default")
    text.append(f"  Q {node.value:.2f}" if node.value is not None else "", style="cyan")
    text.append(f"  N {node.visits}", style="cyan")
    if (found := node.comparison) is not None:
        won = "green" if found.ours > found.theirs else "red" if found.ours < found.theirs else "default"
        text.append(f"  {found.ours:.2f} : {found.theirs:.2f} {found.decided_by}", style=won)
    return text.append("  " + safe_text(line.change, LONGEST).replace("\n", " "), style="dim")


def _below(node: Node) -> int:
    count, waiting = 0, list(node.children)
    while waiting:
        count += 1
        waiting += waiting.pop().children
    return count


def _estimate(line: Listed) -> Estimate | None:
    from evolve.statistics import Estimate

    if line.score is None or line.low is None or line.high is None or line.n is None:
        return None
    return Estimate(line.score, line.low, line.high, line.n)


def _json(node: Node) -> dict[str, Any]:
    return {
        "design": node.line.design,
        "number": node.line.number,
        "parent": node.parent.line.design if node.parent is not None else None,
        "depth": node.depth,
        "state": node.line.state,
        **score_json(_estimate(node.line)),
        "value": node.value,
        "visits": node.visits,
        "change": node.line.change,
        "comparison": comparison_json(node.comparison) if node.comparison is not None else None,
    }
