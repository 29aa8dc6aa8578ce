"""From where a hub on this machine is called."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .server import Hub

NOWHERE = "http://127.0.0.1:9"  # nothing answers there: as a proxy, no request gets outside


@dataclass(frozen=True)
class Caller:
    """A machine with a home and caches of its own, that reaches one hub and nothing else."""

    hub: Hub
    home: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a process there."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return {
            **own, "HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.home / "huggingface"),
            "HF_HUB_DISABLE_XET": "1", "HARNESS_CACHE": str(self.home / "cache"),
            "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1",
            **variables,
        }  # fmt: skip

    def call(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python with arguments."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)], env=self.environment(**variables),
            cwd=self.home, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
