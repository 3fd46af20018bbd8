"""The dashboard: web pages over an archive, which they only read, also while a run writes it.

`app.create_app` makes the application; `evolve dashboard` serves it. A page is a function from a read-only snapshot
to a pydantic model (`pages`), shown by a template and, under `/api`, as JSON. Tables are sorted, filtered and paged by
SQL (`listing`), charts are models too (`charts`). What is computed with the search's statistics is handed in by the
command, for nothing here imports `evolve`.
"""
