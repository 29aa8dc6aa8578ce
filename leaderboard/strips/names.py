"""Under which names the data and pictures of a ground's queries stand within the site."""

from __future__ import annotations

from leaderboard.records.contest import Contest
from leaderboard.records.ledger import Entry
from leaderboard.typography import page_names


def entry_names(contest: Contest) -> dict[Entry, str]:
    """Return a file name for every method and variant that can be compared."""
    labels = {entry: "\n".join(entry) for entry in contest.answers}  # no two are one label
    files = page_names(labels.values())
    return {entry: files[label] for entry, label in labels.items()}


def thumbnail_file(anchor: str, row: int) -> str:
    """Return the file of a gallery image; `anchor` is that of its ground."""
    return f"thumbnails/{anchor}/{row}.jpg"
