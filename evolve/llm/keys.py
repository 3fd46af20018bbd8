"""Keys of providers: from the environment, else from `.env`, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

OPENAI = "OPENAI_API_KEY"
ANTHROPIC = "ANTHROPIC_API_KEY"
SERVER = "MODEL_SERVER_KEY"
"""Of a server that a model's name gives by address: a provider's own key is sent to that provider alone."""

NAMES = (OPENAI, ANTHROPIC, SERVER)
REDACTED = "[key]"

_withheld: dict[str, str] = {}


def find(name: str, folder: Path | None = None) -> str | None:
    """The key of that name; none where neither the environment nor `.env` of the folder (or the current one) has it."""
    return os.environ.get(name) or _withheld.get(name) or _of_file((folder or Path.cwd()) / ".env").get(name)


def withhold() -> None:
    """Take the keys out of this process's environment, so that no child inherits them; `find` still knows them."""
    _withheld.update({name: key for name in NAMES if (key := os.environ.pop(name, None))})


def redacted(text: str, key: str | None) -> str:
    """The text without the key."""
    return text.replace(key, REDACTED) if key else text


def _of_file(path: Path) -> dict[str, str]:
    """Lines such as `NAME=value`, `export NAME="value"` or `# a comment`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [line.strip().removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#")]
    return {name.strip(): value.strip().strip("\"'") for name, is_set, value in pairs if is_set}
