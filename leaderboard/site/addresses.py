"""Where everything stands: the file of each method's page and the anchors within the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from leaderboard.records.load import Ground, Run
from leaderboard.typography import page_names, shorten
from leaderboard.views import Failure

LONGEST_TITLE = 120  # characters, in tables and links; the method's page shows it whole
LONGEST_MESSAGE = 4_000
LONGEST_TRACEBACK = 20_000  # the end is kept, where the error is
DIED = {"timeout": "it ran past its time limit", "killed": "its process was killed"}


@dataclass(frozen=True)
class Addresses:
    """Titles and file names by method; anchors by `Ground.label`."""

    titles: Mapping[str, str]
    files: Mapping[str, str]
    anchors: Mapping[str, str]

    def page(self, method: str) -> str:
        """Return the address of a method's page, as seen from the index."""
        return quote(self.files[method])

    def alias(self, method: str) -> str:
        """Return the registered name where another method has the same title."""
        shared = Counter(self.titles.values())[self.titles[method]] > 1
        return method if shared else ""


def find_addresses(grounds: Sequence[Ground]) -> Addresses:
    """Name a page for every method and an anchor for every ground; a title is the latest run's."""
    runs = sorted((run for g in grounds for run in g.runs), key=lambda run: run.record.started)
    titles = {run.record.method: run.record.title.strip() or run.record.method for run in runs}
    marks = {run.record.method: run.record.mark for run in runs}
    titles = {name: marked(shorten(title, LONGEST_TITLE), marks[name])
              for name, title in titles.items()}  # fmt: skip
    return Addresses(
        titles=titles,
        files={name: f"methods/{page}.html" for name, page in page_names(titles).items()},
        anchors=page_names(ground.label for ground in grounds),
    )


def marked(title: str, mark: str) -> str:
    """Return a title as it stands on every page: with what a row rests on that was handed in."""
    return f"{title} ({mark})" if mark else title


def list_failures(ground: Ground, method: str, addresses: Addresses) -> tuple[Failure, ...]:
    """Return the runs of a method that ended without a result, each with an anchor of its own."""
    failed = [run for run in ground.runs_of(method) if not run.finished]
    return tuple(
        _failure(run, f"failure-{addresses.anchors[ground.label]}-{number}", addresses)
        for number, run in enumerate(failed, start=1)
    )


def _failure(run: Run, anchor: str, addresses: Addresses) -> Failure:
    record = run.record
    return Failure(
        anchor=anchor,
        href=f"{addresses.page(record.method)}#{quote(anchor)}",
        method=addresses.titles[record.method],
        variant=record.variant,
        seed=record.seed,
        status=record.status,
        **error_texts(record.error, DIED.get(record.status, "no message was recorded")),
    )


def error_texts(error: Mapping[str, Any] | None, unsaid: str) -> dict[str, str]:
    """Return kind, message and traceback of an error; `unsaid` where there is no message."""
    known = error or {}
    return {
        "kind": str(known.get("kind") or ""),
        "message": shorten(str(known.get("message") or unsaid), LONGEST_MESSAGE),
        "traceback": str(known.get("traceback") or "")[-LONGEST_TRACEBACK:],
    }
