"""What methods found among crowds through indexes, beside the exact scan, over their seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.indexes import KINDS
from harness.results import EVALUATIONS, EvaluationRecord, crowd_name
from harness.results.crowd_index import (
    COSTS,
    FIGURES,
    INDEX,
    JUDGED,
    read_index_table,
    refused_points,
)
from leaderboard.crowds.curves import Crowd, find_crowds
from leaderboard.records.load import Ground, Run
from leaderboard.typography import plain


@dataclass(frozen=True)
class Indexed:
    """What a method found through an index at one size: means over seeds."""

    method: str
    index: str  # of `harness.indexes.KINDS`
    settings: str
    library: str  # with its version
    seeds: tuple[int, ...]
    distractors: int
    gallery: int  # images, with those of the crowd
    values: Mapping[str, float]  # `FIGURES` in percent, and `COSTS`


def find_indexed(ground: Ground, crowd: Crowd) -> Iterator[Indexed]:
    """Yield what methods of a crowd found, by method, index and size.

    An index counts where every seed went through it, beside the exact scan that is shown.
    """
    for method, scanned in crowd.methods.items():
        runs = [run for run in ground.full(method) if run.finished]
        for kind in KINDS:
            kept = [_read(run, crowd.content, scanned.sizes[-1], kind) for run in runs]
            sound = [one for one in kept if one is not None]
            if len(sound) == len(runs) and _are_alike([of_seed for _, of_seed in sound]):
                seeds = tuple(run.record.seed for run in runs)
                yield from _means(method, kind, seeds, sound)


def _are_alike(stored: Sequence[Any]) -> bool:
    """Tell whether seeds were asked at the same sizes beside the same gallery."""
    sizes = [[point["distractors"] for point in one["points"]] for one in stored]
    alike = all(one["gallery"] == stored[0]["gallery"] for one in stored)
    return alike and all(one == sizes[0] for one in sizes)


def _means(
    method: str, kind: str, seeds: tuple[int, ...], kept: Sequence[tuple[EvaluationRecord, Any]]
) -> Iterator[Indexed]:
    record, first = kept[0]
    for points in zip(*(stored["points"] for _, stored in kept), strict=True):
        size = points[0]["distractors"]
        yield Indexed(
            method,
            kind,
            plain(points[0]["settings"]),
            plain(record.crowd.get("library", "")),
            seeds,
            size,
            first["gallery"] + size,
            {name: fmean(point[name] for point in points) for name in (*FIGURES, *COSTS)},
        )


def _read(
    run: Run, content: str, count: int, kind: str
) -> tuple[EvaluationRecord, Mapping[str, Any]] | None:
    """Return what a run found through an index; None where it was not asked, or is damaged."""
    for name, one in run.further.items():
        told = one.crowd
        asked = told.get("content"), told.get("count"), told.get("index")
        exact = run.further.get(crowd_name(str(told.get("name"))))
        if one.error or asked != (content, count, kind) or exact is None:
            continue
        place = run.stored.path / EVALUATIONS / name
        try:
            stored = json.loads((place / JUDGED).read_text(encoding="utf-8"))
            is_sound = not refused_points(stored, read_index_table(place / INDEX))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            is_sound = False  # `harness verify` tells of it
        if is_sound and told.get("exact") == exact.key:
            return one, stored
    return None


def indexed_points(ground: Ground) -> Iterator[dict[str, Any]]:
    """Yield every method through every index at every size, for the downloads."""
    for crowd in find_crowds(ground):
        for one in find_indexed(ground, crowd):
            yield {
                "suite": ground.suite,
                "dataset": ground.dataset,
                "method": one.method,
                "seeds": list(one.seeds),
                "crowd": plain(crowd.title),
                "distractors": one.distractors,
                "gallery": one.gallery,
                "index": one.index,
                "settings": one.settings,
                "library": one.library,
                **one.values,
            }
