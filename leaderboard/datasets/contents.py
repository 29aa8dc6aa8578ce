"""The contents of datasets that runs saw, each with its digest where the results hold one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.digest import Digest
from harness.data.shipped_digest import find_digest
from harness.files import slug
from leaderboard.records.load import Ground, Run, finite
from leaderboard.site.site import Site
from leaderboard.typography import plain


@dataclass(frozen=True)
class Content:
    """A dataset as some runs saw it; another content of the same name is another dataset."""

    dataset: str
    fingerprint: str
    grounds: tuple[Ground, ...]
    runs: tuple[Run, ...]  # by start
    digest: Digest | None

    @property
    def declared(self) -> Mapping[str, Any]:
        """What the latest run recorded of the dataset."""
        return self.runs[-1].record.data

    @property
    def about(self) -> Mapping[str, Any]:
        """What is known of the whole; empty without a digest."""
        return self.digest.about if self.digest else {}


def find_contents(site: Site) -> list[Content]:
    """Return every content that a run saw, by dataset and then the latest first."""
    seen: dict[tuple[str, str], list[tuple[Ground, Run]]] = {}
    for ground in site.grounds:
        for run in ground.runs:
            key = ground.dataset, plain(run.record.data.get("fingerprint", ""))
            seen.setdefault(key, []).append((ground, run))
    contents = [_content(site.results, *key, found) for key, found in seen.items()]
    contents.sort(key=lambda content: content.runs[-1].record.started, reverse=True)
    return sorted(contents, key=lambda content: content.dataset)


def look_up(values: Any, *path: str) -> Any:
    """Return what lies at a path of names; None where there is nothing."""
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def count_at(values: Any, *path: str) -> int | None:
    """Return the count that lies at a path of names; None where there is none."""
    number = finite(look_up(values, *path))
    return None if number is None else int(number)


def _content(
    results: Path, dataset: str, fingerprint: str, found: list[tuple[Ground, Run]]
) -> Content:
    grounds = {ground.label: ground for ground, _ in found}
    runs = sorted((run for _, run in found), key=lambda run: run.record.started)
    digests = (_digest(results, ground, fingerprint) for ground in grounds.values())
    return Content(
        dataset=dataset,
        fingerprint=fingerprint,
        grounds=tuple(grounds.values()),
        runs=tuple(runs),
        digest=next((digest for digest in digests if digest), None),
    )


def _digest(results: Path, ground: Ground, fingerprint: str) -> Digest | None:
    """Read the digest of a content; what a folder of its name holds may be of another."""
    if slug(fingerprint) != fingerprint:  # no file of ours has such a name
        return None
    digest = find_digest(results, ground.suite, ground.dataset, fingerprint)
    return digest if digest and digest.about.get("fingerprint") == fingerprint else None
