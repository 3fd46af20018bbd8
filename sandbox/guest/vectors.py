"""Embeddings of lines, each asked for once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox.guest.design import Toolkit
from sandbox.guest.toolkit import MAX_CHARACTERS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

BATCH = 200
"""Lines that are embedded by one call."""
LONGEST = MAX_CHARACTERS // BATCH
"""Characters of a line that are embedded, so that a batch of the longest is still one call."""


class Vectors:
    """Unit vectors by text; those of new texts are asked for in batches, those of known ones are remembered."""

    def __init__(self, toolkit: Toolkit) -> None:
        self.toolkit = toolkit
        self._known: dict[str, Array] = {}
        self._texts: list[str] = []
        self._matrix: Array | None = None

    def matrix(self, texts: Sequence[str]) -> Array:
        """The vectors of at least one text, one a row."""
        import numpy as np

        wanted = list(texts)
        if self._matrix is None or wanted != self._texts:
            self._learn(wanted)
            self._matrix = np.stack([self._known[text] for text in wanted])
            self._texts = wanted
        return self._matrix

    def of_question(self, text: str) -> Array:
        """The vector of a text that is not worth remembering."""
        import numpy as np

        return np.asarray(self.toolkit.embed([text[:MAX_CHARACTERS]])[0])

    def _learn(self, texts: Sequence[str]) -> None:
        import numpy as np

        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            vectors = np.asarray(self.toolkit.embed([text[:LONGEST] for text in part]))
            self._known.update(zip(part, vectors, strict=True))
