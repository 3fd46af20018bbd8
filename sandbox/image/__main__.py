"""Make what guests start from ahead of time, or remove what older versions left."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from sandbox.docker import Docker
from sandbox.engine import engine_faults
from sandbox.image import containers, layers

if TYPE_CHECKING:
    from docker import DockerClient

log = logging.getLogger("sandbox.image")

_BASE = f"""an image with the same minor version of Python to build on, python:3.11-slim say, where a registry answers;
where none does, and for `{containers.SCRATCH}`, the image holds this machine's own Python. It stays until the guest's
sources change; the environment's {containers.BASE_VARIABLE} names the base of those that are built after that."""
_PRUNE = """remove the roots, guest packages and images that this version does not use and that no living process and
no container needs. Nothing is ever removed without being asked for."""


def main() -> None:
    """Make the folders and, where a Docker engine answers, the image; or prune."""
    parser = argparse.ArgumentParser("python -m sandbox.image", description=__doc__)
    parser.add_argument("--base", metavar="IMAGE", help=_BASE)
    parser.add_argument("--prune", action="store_true", help=_PRUNE)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    backend = Docker()
    reason = backend.available()
    client = backend.engine.client if reason is None else None
    if arguments.prune:
        _prune(client)
        return
    log.info("Python and the wheels: %s", layers.interpreter_root())
    log.info("the guest package: %s", layers.guest_layer())
    log.info("their digest: %s", layers.layers_digest())
    if client is None:
        log.info("the Docker image: not built, %s", reason)
        return
    with engine_faults("build the guest's image"):
        digest = containers.build(client, arguments.base) if arguments.base else containers.image_id(client)
    log.info("the Docker image: %s %s", containers.guest_tag(), digest)


def _prune(client: DockerClient | None) -> None:
    removed = [str(folder) for folder in layers.prune()]
    if client is not None:
        with engine_faults("remove images"):
            removed += containers.prune(client)
    for name in removed:
        log.info("removed %s", name)
    log.info("removed %d in all", len(removed))


if __name__ == "__main__":
    main()
