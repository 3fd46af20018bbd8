"""ALFWorld's engine without what it does again and again; the tests hold it against the stock engine, letter by letter.

The stock engine (textworld.envs.PddlEnv) translates the game twice on each load and twice on each reset, and at every
step parses the text of each rule of its grammar, copies each context deeply, and words every command anew. Here

- a game is translated once, and kept on disk (`alfworld_translate`);
- a reset puts the first state back, or the translated game where another was played in between;
- what is parsed, and the wording of commands that no action can change, is kept;
- contexts are copied one level deep: nothing writes into what lies below;
- facts stay sorted until one of their kind changes.

Only the child process of an environment imports the engine: its parser is not safe among threads.
"""

from __future__ import annotations

import copy
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from domains.alfworld_translate import keeping

Fact = tuple[str, ...]
"""A predicate and what it holds of; `not_` before the predicate where a step made it false."""

_QUERY = re.compile(r"\|([^\]}]*)")
_PREDICATE = re.compile(r"(\w+)\(")


@cache
def hasten() -> None:
    """Have the engine's modules keep what they parse, and copy no deeper than needed; once in a process."""
    textgen: Any = import_module("textworld.envs.pddl.textgen")
    rule = import_module("textworld.logic").Rule
    textgen._parse_and_convert = lru_cache(maxsize=None)(textgen._parse_and_convert)
    textgen.deepcopy = _shallow
    rule.parse_conjunctive_query = lru_cache(maxsize=None)(rule.parse_conjunctive_query)
    downward: Any = import_module("fast_downward")
    downward.pddl2sas = keeping(downward.pddl2sas)
    downward.load_lib = cache(downward.load_lib)


def _shallow(value: Any) -> Any:
    """A copy in which no context of a symbol is shared; symbols below the first level get theirs right before use."""
    return [copy.copy(symbol) for symbol in value] if isinstance(value, list) else copy.copy(value)


class Known(NamedTuple):
    """An operator of the game, worded; `id` and `nb_effect_atoms` are what the engine asks of it."""

    id: int
    nb_effect_atoms: int
    name: str
    command: str
    action: Any


class FastGame:
    """One game of many, of which one is played at a time: the state of that one is in the planner's library."""

    def __init__(self, path: Path) -> None:
        hasten()
        textworld = import_module("textworld")
        environment = import_module("textworld.envs").PddlEnv(textworld.EnvInfos())
        environment.load(str(path))
        self._infos = environment._entity_infos
        demangler = import_module("alfworld.agents.utils.misc").Demangler(game_infos=self._infos, shuffle=False)
        for info in self._infos.values():
            info.name = demangler.demangle_alfred_name(info.id)
        self._names = {symbol: info.name for symbol, info in self._infos.items()}
        self._state = environment._pddl_state
        self._library = environment.downward_lib
        self._grammar = environment._logic.grammar
        self._state.facts_with_signature = self._sorted_facts
        self._sorted: dict[Any, list[Any]] = {}
        self._first_facts = {signature: frozenset(facts) for signature, facts in self._state._facts.items()}
        self._first_state = int(self._library.get_state_id())
        self._changing = {predicate for action in self._state._actions.values() for predicate in action.changes}
        self._translated = zlib.compress(self._state.sas.encode())
        self._state.task = self._state.sas = self._state.sas_replan = None  # megabytes that nobody reads again
        self._library.game = self
        self._known: dict[int, Known] = {}
        self._listed: dict[str, Known] = {}

    def reset(self) -> tuple[str, list[Fact]]:
        """Back to the start: what is said there, and all that holds."""
        facts: dict[Any, set[Any]] = defaultdict(set)
        facts.update((signature, set(kept)) for signature, kept in self._first_facts.items())
        self._state._facts = facts
        self._sorted.clear()
        if self._library.game is self:
            self._library.set_state_id(self._first_state)
        else:
            self._library.load_sas(zlib.decompress(self._translated))
            self._library.game = self
        text = self._say("#intro#", {})
        self._list()
        return text, [self._told(fact) for fact in self._state.facts]

    def step(self, command: str) -> tuple[str, list[Fact]]:
        """Take a listed command: what is said, and what changed."""
        known = self._listed[command]
        self._state._operators = {known.id: known}
        changes = self._state.apply(known.action)
        for change in changes:
            self._sorted.pop(change.signature, None)
            self._sorted.pop(change.negate().signature, None)
        text = self._say(known.action.feedback_rule, known.action.mapping)
        self._list()
        return text, [self._told(change) for change in changes]

    @property
    def commands(self) -> list[str]:
        """What may be done now, in order."""
        return sorted(self._listed)

    @property
    def won(self) -> bool:
        """Whether the goal is met."""
        return bool(self._library.check_goal())

    def _say(self, rule: str, mapping: Any) -> str:
        variables = {placeholder.name: self._infos[variable.name] for placeholder, variable in mapping.items()}
        context = {
            "state": self._state,
            "facts": (),  # copied along, and never read
            "variables": variables,
            "mapping": mapping,
            "entity_infos": self._infos,
        }
        return str(self._grammar.derive(rule, context))

    def _list(self) -> None:
        """What may be done now. Of several operators with one command, the first is meant, as in the stock engine."""
        downward = import_module("fast_downward")
        operators = (downward.Operator * self._library.get_applicable_operators_count())()
        self._library.get_applicable_operators(operators)
        self._listed = {}
        seen = set()
        for operator in operators:
            known = self._known.get(operator.id) or self._word(operator)
            if known.name not in seen:
                seen.add(known.name)
                self._listed.setdefault(known.command, known)

    def _word(self, operator: Any) -> Known:
        """Word an operator; kept where its words do not depend on what may change."""
        name, *arguments = operator.name.split()
        logic = import_module("textworld.logic")
        action = logic.Action(name=name, preconditions=[], postconditions=[])
        action.id = operator.id
        action.mapping = {
            logic.Placeholder(parameter.name.strip("?"), parameter.type_name): logic.Variable(
                argument, parameter.type_name
            )
            for parameter, argument in zip(self._state._actions[name].parameters, arguments, strict=False)
        }
        words = self._state._logic.actions[name]
        action.feedback_rule = words.feedback_rule
        action.command_template = self._say(words.template, action.mapping)
        command = action.format_command(self._names)
        known = Known(operator.id, operator.nb_effect_atoms, operator.name, command, action)
        if self._changing.isdisjoint(_predicates(words.template)):
            self._known[operator.id] = known
        return known

    def _sorted_facts(self, signature: Any) -> Iterable[Any]:
        """In place of the state's own: the engine sorts what it gets here, which is quick if it is sorted already."""
        facts = self._sorted.get(signature)
        if facts is None:
            facts = self._sorted[signature] = sorted(self._state._facts.get(signature, ()))
        return facts

    def _told(self, fact: Any) -> Fact:
        return (fact.name, *(self._names[argument.name].strip() for argument in fact.arguments))


def _predicates(template: str) -> set[str]:
    """The predicates that the wording of a command asks for.

    >>> _predicates("go to [{r.name | receptacleatlocation(r:receptacle, lend:location)}]"), _predicates("open {r}")
    ({'receptacleatlocation'}, set())
    """
    return {name for query in _QUERY.findall(template) for name in _PREDICATE.findall(query)}
