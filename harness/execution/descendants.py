"""The processes that come from one, in whatever groups and sessions, and how processes end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

import psutil

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
    """Kill all that come from a process, but not itself."""
    for _ in range(ROUNDS):
        alive = _descendants(process)
        if not alive:
            return
        for one in alive:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                one.kill()
        time.sleep(PAUSE_SECONDS)


def end_group() -> None:
    """End this process with all that come from it and all that share its group."""
    kill_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


def describe_end(code: int) -> str:
    """Say how a process ended, as `subprocess` counts: below 0 is a signal."""
    if code < 0:
        return f"was killed by signal {-code}{_name_of_signal(-code)}"
    return f"exited with status {code}"


def _name_of_signal(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:  # most real-time signals have no name
        return ""


def _descendants(process: int) -> list[psutil.Process]:
    """Return the living processes that come from one, children before theirs."""
    try:
        found = psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [one for one in found if _is_alive(one)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
