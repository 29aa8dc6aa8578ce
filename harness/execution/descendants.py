"""The processes that come from one, whatever groups and sessions they have made for themselves."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path

ADOPT = 36  # PR_SET_CHILD_SUBREAPER, in Linux's <sys/prctl.h>
ROUNDS = 100  # of killing: what is killed may just have started another
PAUSE_SECONDS = 0.01


def adopt_orphans() -> None:
    """Become the parent of what loses its own among this process's descendants, on Linux.

    So they stay its descendants, as a daemon would not.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)


def kill_descendants(process: int) -> None:
    """Kill all that come from a process, but not itself. Without /proc nothing is found."""
    for _ in range(ROUNDS):
        alive = _descendants(process)
        if not alive:
            return
        for one in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


def end_group() -> None:
    """End this process with all that come from it and all that share its group."""
    kill_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    """Return the living processes that come from one, children before theirs."""
    children = defaultdict(list)
    states = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name before the last parenthesis may hold anything.
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            states[int(entry.parent.name)] = state
            children[int(parent)].append(int(entry.parent.name))
    found = list(children[process])
    for one in found:
        found += children[one]
    return [one for one in found if states[one] not in "ZX"]
