"""The cores of the machine, shared between the processes that run tests side by side."""

from __future__ import annotations

import os


def share_cores() -> None:
    """Let torch, here and in what is started from here, use this process's share of the cores."""
    beside = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if beside > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // beside)))
