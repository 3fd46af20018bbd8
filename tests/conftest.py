"""What holds for all tests: the processes that they start may keep what they compile, as after an installation."""

from __future__ import annotations

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
