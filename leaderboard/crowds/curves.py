"""What methods as published found among crowds, size by size, over their seeds.

Shapes: S seeds, Q queries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.results import EVALUATIONS, EvaluationRecord
from harness.results.crowd import BASE, CROWD, CURVE, FIGURES, CrowdTable, read_crowd
from harness.significance import Family, compare_all, compare_pairs
from leaderboard.records.load import Ground, Run

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Crowded:
    """What a method found among one crowd, with each of its seeds."""

    method: str
    record: EvaluationRecord  # of one of them
    seeds: tuple[int, ...]  # S
    gallery: int  # images of the gallery alone
    tables: tuple[CrowdTable, ...]  # S, of the same queries and sizes

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many strangers stood in the gallery."""
        return self.tables[0].sizes

    @property
    def leaves_aside(self) -> bool:
        """Whether the method's second look at its first candidates is left aside."""
        return bool(self.record.crowd.get("second_look_left_aside"))

    @cached_property
    def _values(self) -> Mapping[int, Mapping[str, Floats]]:
        return {size: self._read(level) for level, size in enumerate(self.sizes)}

    def _read(self, level: int) -> dict[str, Floats]:
        found = [table.by_query(level) for table in self.tables]
        return {name: np.stack([one[name] for one in found]) for name in FIGURES}

    def values(self, size: int, figure: str) -> Floats:
        """Return a figure at a size by seed and query, in percent: (S, Q)."""
        return self._values[size][figure]

    def mean(self, size: int, figure: str) -> float:
        """Return a figure at a size: the mean over seeds and queries, in percent."""
        return float(self.values(size, figure).mean())

    def foretold(self, size: int) -> float | None:
        """Return what 10,000 strangers let expect of R1 at a size; None where nothing is told."""
        if size <= BASE:
            return None
        found = [table.foretell(self.gallery, size) for table in self.tables]
        known = [value for value in found if value is not None]
        return fmean(known) if len(known) == len(found) else None


@dataclass(frozen=True)
class Crowd:
    """The methods of a ground that were asked among one crowd."""

    content: str
    methods: Mapping[str, Crowded]
    _families: dict[tuple[int, str], Family] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """What the largest of it is called."""
        largest = max(self.methods.values(), key=lambda one: one.sizes[-1])
        return str(largest.record.crowd.get("title", ""))

    def family(self, size: int, figure: str) -> Family:
        """Compare the methods at a size, those that answered the same queries with like seeds."""
        if (size, figure) not in self._families:
            known = {
                name: one.values(size, figure)
                for name, one in self.methods.items()
                if size in one.sizes
            }
            people = next(iter(self.methods.values())).tables[0].people
            several = len(known) > 1
            self._families[size, figure] = (
                compare_all(known, people) if several else compare_pairs(known, [], people)
            )
        return self._families[size, figure]

    def changes(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield who is ahead by R1 at first, who later, and the sizes between which they change."""
        for one, other in combinations(self.methods, 2):
            common = [s for s in self.methods[one].sizes if s in self.methods[other].sizes]
            lead = [self.methods[one].mean(s, "r1") - self.methods[other].mean(s, "r1")
                    for s in common]  # fmt: skip
            decided = [(size, ahead) for size, ahead in zip(common, lead, strict=True) if ahead]
            for (before, first), (after, then) in pairwise(decided):
                if (first > 0) != (then > 0):
                    yield (*((one, other) if first > 0 else (other, one)), before, after)


def find_crowds(ground: Ground) -> tuple[Crowd, ...]:
    """Return the crowds that methods as published were asked among, by first use.

    Of each method the largest of a crowd counts. Methods whose seeds are not those that most have
    are left out, as they are of a ranking.
    """
    found: dict[str, dict[str, Crowded]] = {}
    for method in ground.methods:
        for content, crowded in _of_method(method, ground.full(method)).items():
            found.setdefault(content, {})[method] = crowded
    return tuple(Crowd(content, _alike(methods)) for content, methods in found.items())


def _alike(methods: Mapping[str, Crowded]) -> dict[str, Crowded]:
    kinds = Counter((one.seeds, one.tables[0].people.tobytes()) for one in methods.values())
    seeds, people = kinds.most_common(1)[0][0]
    return {
        name: one
        for name, one in methods.items()
        if one.seeds == seeds and one.tables[0].people.tobytes() == people
    }


def _of_method(method: str, runs: Sequence[Run]) -> dict[str, Crowded]:
    """Return by content the largest crowd that every seed was asked among."""
    finished = [run for run in runs if run.finished]
    counts: dict[str, dict[int, list[tuple[Run, str]]]] = {}
    for run in finished:
        for name, one in run.further.items():
            content, count = one.crowd.get("content"), one.crowd.get("count")
            is_scanned = one.error is None and not one.crowd.get("index")
            if is_scanned and isinstance(content, str) and type(count) is int:
                counts.setdefault(content, {}).setdefault(count, []).append((run, name))
    found = {}
    for content, by_count in counts.items():
        whole = {count: runs for count, runs in by_count.items() if len(runs) == len(finished)}
        read = _read(method, whole[max(whole)]) if whole else None
        if read:
            found[content] = read
    return found


def _read(method: str, runs: Sequence[tuple[Run, str]]) -> Crowded | None:
    """Read the tables of all seeds; None where one of them is damaged or of other queries."""
    places = [run.stored.path / EVALUATIONS / name for run, name in runs]
    try:
        tables = [read_crowd(place / CROWD) for place in places]
        curve = json.loads((places[0] / CURVE).read_text(encoding="utf-8"))
        gallery = curve["gallery"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # `harness verify` tells of it
    first = tables[0]
    same = all(
        one.sizes == first.sizes and np.array_equal(one.people, first.people) for one in tables
    )
    is_gallery = type(gallery) is int and gallery > first.hit_counts.max()
    if not same or not is_gallery or len(np.unique(first.people)) < 2:
        return None
    run, name = runs[0]
    seeds = tuple(one.record.seed for one, _ in runs)
    return Crowded(method, run.further[name], seeds, gallery, tuple(tables))


def crowd_points(ground: Ground) -> Iterator[dict[str, Any]]:
    """Yield every method at every size, with the intervals of its figures, for the downloads."""
    for crowd in find_crowds(ground):
        for method, one in crowd.methods.items():
            for size in one.sizes:
                yield {
                    "suite": ground.suite,
                    "dataset": ground.dataset,
                    "method": method,
                    "seeds": list(one.seeds),
                    "crowd": str(one.record.crowd.get("title", "")),
                    "distractors": size,
                    "gallery": one.gallery + size,
                    **_figures(crowd, method, size),
                    "r1_foretold": one.foretold(size),
                    "second_look_left_aside": one.leaves_aside,
                }


def _figures(crowd: Crowd, method: str, size: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for figure in FIGURES:
        family = crowd.family(size, figure)
        low, high = family.intervals[method]
        found |= {figure: family.means[method], f"{figure}_low": low, f"{figure}_high": high}
    return found
