"""Where things are kept that can be made again: one folder, overridden by PALIMPSEST_CACHE."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache's folder, made if missing. For root it lies where an unprivileged user can read it."""
    named = os.environ.get("PALIMPSEST_CACHE")
    if named:
        folder = Path(named).absolute()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/palimpsest")
    else:
        folder = Path.home() / ".cache" / "palimpsest"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
