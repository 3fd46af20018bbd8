"""Ray clusters of a test's own: several nodes on this machine, each with its own environment, that can be killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.cache import cache_folder

SOON = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
}
"""When a node that does not answer counts as dead; by default only after some twenty seconds."""


class Nodes:
    """A head that does no work, and the nodes that do."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SOON}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address

    def add(self, environment: Mapping[str, str] | None = None, cpus: int = 1) -> Any:
        """Start another node, with what differs in its environment from ours."""
        return self._cluster.add_node(wait=False, num_cpus=cpus, env_vars=dict(environment or {}))

    def wait(self) -> None:
        """Until all that were added are there."""
        self._cluster.wait_for_nodes()

    def kill(self, node: Any) -> None:
        """End a node with all its processes, as a machine does that loses its power."""
        self._cluster.remove_node(node, allow_graceful=False)

    def lose_head(self) -> None:
        """End the process that all nodes answer to."""
        self._cluster.head_node.kill_gcs_server()

    def cache(self, name: str) -> Path:
        """A node's own cache without games, to which we lend what guests start from, because that takes a while."""
        folder = self.folder / name
        folder.mkdir()
        for made in cache_folder().iterdir():
            if made.name.startswith(("root-", "guest-")):
                (folder / made.name).symlink_to(made)
        return folder

    def close(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


@contextmanager
def cluster() -> Iterator[Nodes]:
    """A started head, which goes with all of its nodes."""
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    folder.chmod(0o755)
    nodes = Nodes(folder)
    try:
        yield nodes
    finally:
        nodes.close()
        shutil.rmtree(folder)


def until(happened: Any, seconds: float = 60.0) -> None:
    """Wait for something, not for ever."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
