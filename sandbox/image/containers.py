"""The guest's image in a Docker engine, tagged by content: made once, found ever after.

It is built from the Dockerfile beside this file: on a named base where one was asked for and can be had, and else on
this machine's own interpreter, imported as an image. Both hold the same wheels and the same guest package.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.image.layers import GUEST_PATH, WHEELS, guest_key, guest_layer, interpreter_root, root_key

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "palimpsest-guest"
BASE_REPOSITORY = "palimpsest-python"
PYTHON_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
BASE_VARIABLE = "PALIMPSEST_BASE_IMAGE"
"""Names an image with this Python to build on, where a registry answers."""
SCRATCH = "scratch"
"""The base that is made here, from this machine's interpreter."""

_ASKED = "palimpsest.base"

log = logging.getLogger(__name__)


def image_id(client: DockerClient) -> str:
    """The id of the image for the guest sources as they are now, built if the engine has it not yet."""
    tag, base = guest_tag(), os.environ.get(BASE_VARIABLE)
    found = _find(client, tag)
    if found is None or base not in (None, found.labels.get(_ASKED)):
        return build(client, base or SCRATCH)
    return str(found.id)


def guest_tag() -> str:
    """The name under which guests find their image, whatever it was built on."""
    return f"{REPOSITORY}:{guest_key()}-{root_key()}"


def build(client: DockerClient, base: str) -> str:
    """Build the image on a base, and on this machine's own Python, with a sentence, where that cannot be had."""
    import docker.errors

    if base != SCRATCH:
        try:
            return _checked(client, _build(client, base, asked=base))
        except (docker.errors.BuildError, docker.errors.APIError, docker.errors.ContainerError) as error:
            reason = str(error).strip().splitlines()[-1]
            log.warning("%s cannot be built on (%s); the image holds this machine's own Python instead", base, reason)
    return _build(client, _scratch(client), asked=base)


def prune(client: DockerClient) -> list[str]:
    """Remove images of ours that this version does not use and no container needs, and say which."""
    import docker.errors

    kept = {guest_tag(), _scratch_tag()}
    removed = []
    for repository in (REPOSITORY, BASE_REPOSITORY):
        tags = {tag for image in client.images.list(repository) for tag in image.tags}
        for tag in sorted(tag for tag in tags - kept if tag.startswith(f"{repository}:")):
            try:
                client.images.remove(tag)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):  # gone already, or in use
                    raise
            else:
                removed.append(tag)
    return removed


def _build(client: DockerClient, base: str, asked: str) -> str:
    """Build and tag; the guest's sources, and for a named base the wheels, are the context."""
    context = {"sandbox": guest_layer() / "sandbox"}
    if base == asked:
        wheels = interpreter_root() / GUEST_PATH.lstrip("/")
        context |= {each.name: each for each in wheels.iterdir() if each.name.startswith(WHEELS)}
    dockerfile = Path(__file__).with_name("Dockerfile").read_bytes()
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, path in context.items():
                archive.add(path, name, filter=_owned_by_root)
            _add_bytes(archive, "Dockerfile", dockerfile)
            _add_bytes(archive, ".dockerignore", b"Dockerfile\n.dockerignore\n")
        file.seek(0)
        image, _ = client.images.build(
            fileobj=file,
            custom_context=True,
            tag=guest_tag(),
            buildargs={"BASE": base},
            labels={_ASKED: asked},
            rm=True,
            forcerm=True,
            network_mode="none",
        )
    return str(image.id)


def _checked(client: DockerClient, image: str) -> str:
    """See that the base has this Python and that the wheels load on it; else the image goes."""
    import docker.errors

    command = [PYTHON_NAME, "-s", "-P", "-c", "import numpy, networkx, sandbox.guest"]
    path = {"PYTHONPATH": GUEST_PATH}
    try:
        client.containers.run(image, command, environment=path, network_mode="none", remove=True)
    except (docker.errors.APIError, docker.errors.ContainerError):
        client.images.remove(image, force=True)
        raise
    return image


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _scratch_tag() -> str:
    return f"{BASE_REPOSITORY}:{root_key()}"


def _scratch(client: DockerClient) -> str:
    """The image of the interpreter's root, imported if the engine has it not yet."""
    tag = _scratch_tag()
    if _find(client, tag) is None:
        repository, _, key = tag.partition(":")
        client.api.import_image_from_stream(_as_tar(interpreter_root()), repository=repository, tag=key)
    return tag


def _as_tar(root: Path) -> Iterator[bytes]:
    """A folder as the bytes of an archive, everything owned by root."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(root, ".", filter=_owned_by_root)
        file.seek(0)
        while piece := file.read(1 << 20):
            yield piece


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _find(client: DockerClient, tag: str) -> Any:
    import docker.errors

    try:
        return client.images.get(tag)
    except docker.errors.ImageNotFound:
        return None
