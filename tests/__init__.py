"""The tests. `PALIMPSEST_THOROUGH=1` adds the slowest repeats of what the suite shows once."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("PALIMPSEST_THOROUGH"))
