"""Text from plugins, datasets and stored results, made fit to be shown."""

from __future__ import annotations


def printable(text: str, longest: int = 200) -> str:
    """Return one line that can go to a terminal, whatever a name or a value holds."""
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


def printable_lines(text: str, longest: int = 2_000) -> str:
    """Return text whose lines can go to a terminal."""
    return "\n".join(printable(line, longest) for line in text.split("\n"))


def refuse_unprintable(what: str, text: str, longest: int) -> None:
    """Refuse a name that would garble tables.

    Raises:
        ValueError: it holds control characters or line breaks, or is too long.
    """
    if not text.isprintable():
        raise ValueError(f"{what} {text!r} holds control characters or line breaks")
    if len(text) > longest:
        raise ValueError(f"{what} {text[:40]!r}... has {len(text)} characters, more than {longest}")
