"""The episodes that fill the memories of a run: played without memory, the same for all of its designs."""

from __future__ import annotations

from pydantic import BaseModel

from archive.dashboard.derivations import Collected
from archive.dashboard.pages import Db, Derived, Pages
from archive.dashboard.reading import run_row

PAGES = Pages()


class CollectionPage(BaseModel):
    """A run's collection."""

    run: int
    episodes: list[Collected]

    def tasks(self) -> dict[str, list[Collected]]:
        """The episodes of each task, by repeat."""
        found: dict[str, list[Collected]] = {}
        for each in sorted(self.episodes, key=lambda each: (each.task, each.repeat)):
            found.setdefault(each.task, []).append(each)
        return found


@PAGES.page("/runs/{run}/collection", "collection.html")
def collection(db: Db, derived: Derived, run: int) -> CollectionPage:
    """The episodes from which the designs of a run build their memories."""
    run_row(db, run)
    return CollectionPage(run=run, episodes=list(derived.collection(run)))
