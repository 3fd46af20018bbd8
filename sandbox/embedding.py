"""The host's embedder: static word vectors from inside the `wordllama` package, 256 numbers a text, no download."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

DIMENSION = 256
_DIGITS = 6


class Embedder:
    """Callable as the broker wants it. Texts are embedded one by one, so that a vector never depends on its batch."""

    def __init__(self, remembered_texts: int = 4096) -> None:
        self._model: Any = None
        self._loading = Lock()
        self._vector = lru_cache(remembered_texts)(self._computed)

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Unit vectors of the texts; a text without a single token gets zeros."""
        return [list(self._vector(text)) for text in texts]

    def _computed(self, text: str) -> tuple[float, ...]:
        with self._loading:
            if self._model is None:
                self._model = _load()
        if not text.strip():
            return (0.0,) * DIMENSION
        vector = self._model.embed([text])[0].astype("float64")
        norm = float(vector @ vector) ** 0.5
        return tuple((vector / norm).round(_DIGITS).tolist()) if norm else (0.0,) * DIMENSION


def _load() -> Any:
    """Load the model from the package's own files; its importer reconfigures logging, which is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import wordllama

    root.handlers[:], root.level = handlers, level
    # It looks for the tokenizer in a folder of another name than its package has, unless told to look here.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, dim=DIMENSION, disable_download=True)
