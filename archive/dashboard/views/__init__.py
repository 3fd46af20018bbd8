"""The pages, one module each. A module declares its `PAGES`; the order here is that in which addresses are matched."""

from archive.dashboard.views import calls, collection, compare, design, designs, episode, insights, lineage, run, runs

ALL = (
    runs.PAGES,
    run.PAGES,
    designs.PAGES,
    lineage.PAGES,
    collection.PAGES,
    design.PAGES,
    episode.PAGES,
    compare.PAGES,
    insights.PAGES,
    calls.PAGES,
)
