from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.backend import Backend
from sandbox.cache import cache_folder
from sandbox.docker import Docker
from sandbox.image import GUEST_PATH, PYTHON, guest_layer, interpreter_root
from sandbox.image.containers import BASE_VARIABLE, image_tag
from sandbox.image.layers import _made


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


def test_an_image_is_built_on_a_named_base(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(backend, Docker):
        pytest.skip(f"{backend.name} has no images")
    client = backend._client()
    usual = image_tag(client)
    monkeypatch.setenv(BASE_VARIABLE, usual)
    tag = image_tag(client)
    try:
        assert tag != usual
        output = client.containers.run(
            tag,
            [f"python{sys.version_info.major}.{sys.version_info.minor}", "-c", "import numpy, sandbox.guest"],
            environment={"PYTHONPATH": GUEST_PATH},
            network_mode="none",
            remove=True,
        )
        assert output == b""
    finally:
        client.images.remove(tag)
