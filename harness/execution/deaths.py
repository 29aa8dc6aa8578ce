"""How processes end, in words."""

from __future__ import annotations

import signal


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
