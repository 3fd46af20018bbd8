"""Texts written into a folder: under safe names, whole or not at all, never outside it, unchanged ones not again."""

from __future__ import annotations

import re
from pathlib import Path

from evolve.errors import InputError
from evolve.texts import clean

LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")


def safe_name(text: str) -> str:
    """A file's name for a foreign text: no path, nothing hidden, nothing that a shell or a terminal takes as an order.

    >>> safe_name("../../etc/passwd"), safe_name("the oar | rm -rf ~"), safe_name("..")
    ('_.._etc_passwd', 'the_oar_rm_-rf_', '_')
    """
    return _UNSAFE.sub("_", text)[:LONGEST_NAME].lstrip(".-") or "_"


class Folder:
    """A folder that is ours to write; it bears a mark that says of what it is a copy."""

    def __init__(self, path: Path, mark: str, content: str) -> None:
        """Take a new folder, an empty one, or one whose `mark` has the same content; raises `InputError`."""
        self.path = path
        self.written = 0
        """Files that were new or had changed."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            known = (path / mark).read_text("utf-8") if (path / mark).is_file() else None
            if known is None and any(path.iterdir()):
                raise InputError(f"{path} holds other files; name a folder that is new or empty")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be written ({error}); name another folder") from None
        if known not in (None, clean(content)):
            raise InputError(f"{path} holds the history of another run; name another folder")
        self.write((mark,), content)

    def write(self, parts: tuple[str, ...], text: str) -> None:
        """Write a file by the parts of its path, each of which is made a safe name; `OSError` where that fails."""
        place = self.path.joinpath(*map(safe_name, parts))
        data = clean(text, len(text)).encode("utf-8")
        if not place.parent.resolve().is_relative_to(self.path.resolve()):
            raise InputError(f"{place.parent} leads out of {self.path}; name another folder")
        if place.is_file() and not place.is_symlink() and place.read_bytes() == data:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        partial.unlink(missing_ok=True)  # what it may point to is not ours
        partial.write_bytes(data)
        partial.replace(place)
        self.written += 1

    def has(self, parts: tuple[str, ...]) -> bool:
        """Whether a file is there already, for what never changes once it is written."""
        return self.path.joinpath(*map(safe_name, parts)).is_file()
