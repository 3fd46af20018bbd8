"""What holds for all tests: the processes that they start keep what they compile, and can be interrupted."""

from __future__ import annotations

import os
import signal
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False  # as after an installation
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it that starts tests in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
