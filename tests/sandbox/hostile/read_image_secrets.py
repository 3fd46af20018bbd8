"""Searches the image that it runs in: private keys, credentials, histories, a checkout, files that it may not own."""

import os
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

NAMES = (".netrc", ".pypirc", ".git", ".ssh", ".env", ".aws", ".docker", ".bash_history", ".python_history", "id_rsa")
SKIPPED = ("/proc", "/sys", "/dev", "/opt/palimpsest/numpy", "/opt/palimpsest/networkx")


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        self.found = []
        for folder, folders, files in os.walk("/"):
            folders[:] = [name for name in folders if f"{folder.rstrip('/')}/{name}" not in SKIPPED]
            for name in (*folders, *files):
                path = f"{folder.rstrip('/')}/{name}"
                if name in NAMES or (name.endswith((".key", ".pem")) and b"PRIVATE" in Path(path).read_bytes()):
                    self.found.append(f"found {path}")
            if not folder.startswith("/tmp") and os.access(folder, os.W_OK):
                self.found.append(f"may write in {folder}")
        for path in ("/run/secrets", "/.dockerenv", "/etc/shadow", "/var/run/docker.sock"):
            if os.access(path, os.R_OK) and os.path.getsize(path):
                self.found.append(f"may read {path}")

    def retrieve(self, query: Query) -> Memory:
        return Memory(self.found)
