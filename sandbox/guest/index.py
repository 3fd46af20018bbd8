"""An inverted index over a store's records, so that a question touches only those that share a term with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from sandbox.guest.records import Record

_SLACK = 100


class Index:
    """Which records hold a term. It looks at the store's records when it is asked, and takes in what is new.

    >>> index = Index(lambda record: record.text.split())
    >>> records = {text: Record(text) for text in ("take lamp", "open door", "take old lamp")}
    >>> [(common, size, record.text) for common, size, record in index.sharing(records, {"lamp", "take"})]
    [(2, 2, 'take lamp'), (2, 3, 'take old lamp')]
    """

    def __init__(self, terms: Callable[[Record], Collection[str]]) -> None:
        self._terms = terms
        self._clear()

    def _clear(self) -> None:
        self._followed: list[str] = []
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = {}

    def drop(self, name: str) -> None:
        """Forget a record, so that it is new when it comes again."""
        self._numbers.pop(name, None)

    def follow(self, records: Mapping[str, Record]) -> None:
        """Be an index of these records, by name: numbers rise in their order, and nothing is done twice for one."""
        names = list(records)
        if names[: len(self._followed)] != self._followed:  # not only new ones at the end
            self._numbers = {name: number for name, number in self._numbers.items() if name in records}
            in_order = names[: len(self._numbers)] == list(self._numbers)
            if not in_order or len(self._names) > 2 * len(names) + _SLACK:
                self._clear()
        for name in names[len(self._numbers) :]:
            self._add(name, self._terms(records[name]))
        self._followed = names

    def sharing(self, records: Mapping[str, Record], asked: Iterable[str]) -> Iterator[tuple[int, int, Record]]:
        """Records with a term of `asked`, in their order, each after the numbers of shared terms and of its own."""
        self.follow(records)
        common: Counter[int] = Counter()
        for term in asked:
            common.update(self._holders.get(term, ()))
        for number in sorted(common):
            name = self._names[number]
            if self._numbers.get(name) == number:
                yield common[number], self._sizes[number], records[name]

    def _add(self, name: str, terms: Collection[str]) -> None:
        number = self._numbers[name] = len(self._names)
        self._names.append(name)
        self._sizes.append(len(terms))
        for term in terms:
            self._holders.setdefault(term, []).append(number)
