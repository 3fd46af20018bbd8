"""Make what guests start from ahead of time: `python -m sandbox.image`. Where no engine answers, the folders alone."""

from __future__ import annotations

import logging

from sandbox.docker import Docker
from sandbox.image.layers import guest_layer, interpreter_root

log = logging.getLogger("sandbox.image")


def main() -> None:
    """Make the two folders, and the image if a Docker engine answers."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("Python and the wheels: %s", interpreter_root())
    log.info("the guest package: %s", guest_layer())
    engine = Docker()
    reason = engine.available()
    log.info("the Docker image: %s", engine.image() if reason is None else f"not built, {reason}")


if __name__ == "__main__":
    main()
