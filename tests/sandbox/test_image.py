from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox.cache import cache_folder
from sandbox.docker import Docker
from sandbox.image import GUEST_PATH, PYTHON, containers, guest_layer, interpreter_root, layers
from sandbox.image.layers import _digest, _made


def test_the_cache_goes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    assert cache_folder().is_dir()


def test_the_root_holds_an_interpreter_and_the_same_wheels() -> None:
    root = interpreter_root()
    assert os.access(root / PYTHON.lstrip("/"), os.X_OK)
    inside = root / GUEST_PATH.lstrip("/")
    import networkx
    import numpy

    assert f'version = "{numpy.__version__}"' in (inside / "numpy/version.py").read_text()
    assert (inside / f"networkx-{networkx.__version__}.dist-info").is_dir()
    assert not list(root.rglob("site-packages"))
    assert not (inside / "sandbox/guest").exists()


def test_an_unprivileged_user_can_read_all_of_it() -> None:
    closed = [
        path for path in interpreter_root().rglob("*") if not path.is_symlink() and not path.stat().st_mode & 0o004
    ]
    assert not closed


def test_the_guest_layer_is_compiled_and_holds_nothing_else_of_ours() -> None:
    layer = guest_layer()
    assert [path.name for path in layer.iterdir()] == ["sandbox"]
    assert (layer / "sandbox/__init__.py").read_text() == ""
    assert len(list((layer / "sandbox/guest/__pycache__").glob("serve.*.pyc"))) == 1
    assert {path.name for path in (layer / "sandbox").iterdir()} == {"__init__.py", "__pycache__", "guest"}


def test_a_layer_that_is_made_twice_at_once_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))

    def fill(folder: Path) -> None:
        for number in range(50):
            (folder / str(number)).write_text("x")

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: _made("thing", "key", fill), range(16)))
    assert set(made) == {tmp_path / "thing-key"}
    assert len(list(made[0].iterdir())) == 50
    assert [path.name for path in tmp_path.iterdir()] == ["thing-key"]


def test_a_layer_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))

    def fill(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        _made("thing", "key", fill)
    assert list(tmp_path.iterdir()) == []


def test_the_interpreter_needs_nothing_outside_its_root() -> None:
    """Each library that the copied binary loads is one of the root's own."""
    chroot = shutil.which("chroot")
    if os.geteuid() != 0 or chroot is None:
        pytest.skip("only root may change its root")
    script = "import ctypes, sqlite3, ssl, zlib, hashlib, sys; sys.stdout.write(sys.prefix)"
    done = subprocess.run(
        [chroot, str(interpreter_root()), PYTHON, "-s", "-S", "-P", "-c", script],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("/usr", "")


def test_the_digest_is_that_of_the_contents_and_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "thing-key"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/file").write_text("x")
    digest = _digest(folder)
    (folder / "inner/file").write_text("y")
    assert _digest(folder) == digest, "a layer never changes, so it is read once"
    shutil.copytree(folder, tmp_path / "other")
    (tmp_path / "other/compiled.pyc").write_text("holds a time")
    assert _digest(tmp_path / "other") != digest
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "other",
        "other.sha256",
        "thing-key",
        "thing-key.sha256",
    ]


def test_only_what_nobody_uses_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    for name in ("root-old", "root-used", "guest-old", ".root-draft"):
        (tmp_path / name).mkdir()
    (tmp_path / "root-old.sha256").write_text("digest")
    script = "from sandbox.image.layers import _held; _held('root', 'used', print); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert {path.name for path in layers.prune()} == {"root-old", "guest-old", ".root-draft"}
    assert [path.name for path in tmp_path.iterdir()] == ["root-used"]
    holder.communicate(b"\n")
    assert [path.name for path in layers.prune()] == ["root-used"]


@pytest.fixture(scope="module")
def client() -> Any:
    docker = Docker()
    reason = docker.available()
    if reason is not None:
        pytest.skip(f"docker: {reason}")
    return docker.engine.client


@pytest.fixture
def own_tag(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name of this test's own for the image, so that what other guests start from is left alone."""
    usual, tag = containers.image_id(client), f"{containers.REPOSITORY}:test-{os.getpid()}"
    client.images.get(usual).tag(containers.BASE_REPOSITORY, f"test-{os.getpid()}")
    monkeypatch.setattr(containers, "guest_tag", lambda: tag)
    yield f"{containers.BASE_REPOSITORY}:test-{os.getpid()}"
    for name in (tag, f"{containers.BASE_REPOSITORY}:test-{os.getpid()}"):
        if containers._find(client, name) is not None:
            client.images.remove(name)


def test_an_image_is_built_on_a_named_base_and_found_again(
    client: Any, own_tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(containers.BASE_VARIABLE, own_tag)
    digest = containers.image_id(client)
    assert digest.startswith("sha256:")
    assert client.images.get(containers.guest_tag()).labels["palimpsest.base"] == own_tag
    assert containers.image_id(client) == digest
    monkeypatch.delenv(containers.BASE_VARIABLE)
    assert containers.image_id(client) == digest


def test_where_the_registry_does_not_answer_a_sentence_says_what_is_built_instead(
    client: Any, own_tag: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    base = "127.0.0.1:9/nowhere/python:3.11-slim"
    monkeypatch.setenv(containers.BASE_VARIABLE, base)
    digest = containers.image_id(client)
    assert f"{base} cannot be built on" in caplog.text
    assert "the image holds this machine's own Python instead" in caplog.text
    caplog.clear()
    assert containers.image_id(client) == digest
    assert not caplog.text, "it is not asked for again before the guest's sources change"


def test_old_images_are_pruned_and_those_in_use_are_left(client: Any) -> None:
    names = [f"{containers.REPOSITORY}:test-{use}-{os.getpid()}" for use in ("old", "used")]
    for name in names:
        with io.BytesIO() as content:
            with tarfile.open(fileobj=content, mode="w") as archive:
                containers._add_bytes(archive, "name", name.encode())
            repository, _, tag = name.partition(":")
            client.api.import_image_from_data(content.getvalue(), repository=repository, tag=tag)
    container = client.containers.create(names[1], "/none")

    def listed(repository: str) -> list[Any]:
        return [each for each in client.images.list(repository) if {*names} & {*each.tags}]

    only_ours = cast(Any, SimpleNamespace(images=SimpleNamespace(list=listed, remove=client.images.remove)))
    assert containers.prune(only_ours) == [names[0]]
    container.remove()
    assert containers.prune(only_ours) == [names[1]]


def test_the_command_says_what_it_pruned(tmp_path: Path) -> None:
    (tmp_path / "guest-old").mkdir()
    environment = {**os.environ, "PALIMPSEST_CACHE": str(tmp_path), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    command = [sys.executable, "-m", "sandbox.image", "--prune"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [f"removed {tmp_path / 'guest-old'}", "removed 1 in all"]
    assert list(tmp_path.iterdir()) == []
