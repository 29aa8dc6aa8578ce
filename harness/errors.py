"""Errors that are meant for the user: shown as one message, without a traceback."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable


class HarnessError(Exception):
    """Something the user can mend: the message says what was wrong, what exists and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> HarnessError:
    """Return the error for a name that does not exist, with what was probably meant."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    exists = ", ".join(names) if names else "none"
    return HarnessError(f"There is no {kind} {name!r}.{meant} There are: {exists}.")


def describe_error(error: BaseException) -> dict[str, str]:
    """Return kind, message and traceback of an error as a record holds them."""
    lines = traceback.format_exception(error)
    kind = type(error).__name__
    return {"kind": kind, "message": str(error) or kind, "traceback": "".join(lines)}
