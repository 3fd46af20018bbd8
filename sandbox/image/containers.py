"""The guest's image in a Docker engine, tagged by content: made once, found ever after."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.image.layers import GUEST_PATH, WHEELS, guest_layer, interpreter_root

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "palimpsest-guest"
BASE_REPOSITORY = "palimpsest-python"
PYTHON_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
BASE_VARIABLE = "PALIMPSEST_BASE_IMAGE"
"""Names an image with this Python to build on, where a registry answers; else the base is made here."""


def image_tag(client: DockerClient) -> str:
    """The image for the guest sources as they are now, built if the engine has it not yet."""
    named = os.environ.get(BASE_VARIABLE)
    keys = [guest_layer().name.partition("-")[2], interpreter_root().name.partition("-")[2]]
    tag = f"{REPOSITORY}:{'-'.join([*keys, *_tag_part(named)])}"
    if not _has(client, tag):
        _build(client, tag, named)
    return tag


def _tag_part(base: str | None) -> list[str]:
    return ["".join(c if c.isalnum() or c in "_.-" else "_" for c in base)] if base else []


def _build(client: DockerClient, tag: str, named_base: str | None) -> None:
    """Build the thin image; the guest's sources, and for a named base the wheels, are the context."""
    context: dict[str, Path] = {"sandbox": guest_layer() / "sandbox"}
    if named_base:
        wheels = interpreter_root() / GUEST_PATH.lstrip("/")
        context |= {each.name: each for each in wheels.iterdir() if each.name.startswith(WHEELS)}
    dockerfile = Path(__file__).with_name("Dockerfile").read_bytes()
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, path in context.items():
                archive.add(path, name)
            _add_bytes(archive, "Dockerfile", dockerfile)
            _add_bytes(archive, ".dockerignore", b"Dockerfile\n.dockerignore\n")
        file.seek(0)
        base = named_base or _base_tag(client)
        client.images.build(
            fileobj=file,
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            rm=True,
            forcerm=True,
            network_mode="none",
        )


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _base_tag(client: DockerClient) -> str:
    """The image of the interpreter's root, imported if the engine has it not yet."""
    root = interpreter_root()
    key = root.name.partition("-")[2]
    tag = f"{BASE_REPOSITORY}:{key}"
    if not _has(client, tag):
        client.api.import_image_from_stream(_as_tar(root), repository=BASE_REPOSITORY, tag=key)
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


def _has(client: DockerClient, tag: str) -> bool:
    import docker.errors

    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True
