"""What planned runs would take, together and one by one, from probes of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.pixels import cache_bytes, cache_file, pixel_folder
from harness.plan.spec import RunSpec
from harness.run.costs import Costs

WEIGHTS_KEPT = {"none": 0, "selected": 1, "all": 2}  # of a run, as `--keep` has it


@dataclass(frozen=True)
class Forecast:
    """What a run would take; without costs the reason why nothing is known of it."""

    spec: RunSpec
    costs: Costs | None
    seconds: float = 0.0
    reason: str = ""


def forecast_runs(
    specs: Iterable[RunSpec], costs: Mapping[str, Costs | str], results: Path
) -> list[Forecast]:
    """Return what runs would take in the order in which they start.

    `costs`, by `str` of a run, has those of its probe, or the reason why there are none. A stage
    that runs share is counted for the first of them, and not where its checkpoint is there.
    """
    found: list[Forecast] = []
    shared: set[Path] = set()
    for spec in specs:
        known = costs[str(spec)]
        if isinstance(known, str):
            found.append(Forecast(spec, None, reason=known))
            continue
        stages = spec.shared_stages(results)
        done = sum(stage in shared or stage.is_dir() for stage in stages)
        shared.update(stages)
        found.append(Forecast(spec, known, _seconds(spec, known, done, results)))
    return found


def _seconds(spec: RunSpec, costs: Costs, stages_done: int, results: Path) -> float:
    if spec.is_trained(results) or spec.stored_training(results):
        return costs.seconds_scored_anew()
    return costs.seconds(stages_done)


def time_of_all(seconds: Sequence[float], jobs: int) -> float:
    """Return when the last of runs ends that start in order, so many at a time."""
    ends = [0.0] * max(1, jobs)
    for took in seconds:
        heapq.heapreplace(ends, ends[0] + took)
    return max(ends)


def memory_of_all(megabytes: Sequence[float], jobs: int) -> float:
    """Return the most that so many runs at a time hold together: the largest."""
    return sum(sorted(megabytes, reverse=True)[:jobs])


@dataclass(frozen=True)
class Pixels:
    """A cache of decoded images that runs would fill."""

    dataset: str
    size: tuple[int, int]  # height and width
    bytes: int


def missing_pixels(specs: Iterable[RunSpec]) -> list[Pixels]:
    """Return the caches that runs would fill, each once."""
    found: dict[tuple[str, tuple[int, int]], Pixels] = {}
    for spec in specs:
        height, width = spec.config["image_size"]
        place = spec.located.fingerprint, (height, width)
        if place not in found:
            size = _missing_bytes(spec, (height, width))
            found[place] = Pixels(spec.dataset, (height, width), size)
    return [one for one in found.values() if one.bytes]


def _missing_bytes(spec: RunSpec, size: tuple[int, int]) -> int:
    from pyarrow import parquet

    folder = pixel_folder(spec.located.fingerprint)
    rows = sum(
        parquet.read_metadata(file).num_rows
        for split, files in spec.located.files.items()
        if split in spec.splits and not cache_file(folder, split, size).is_file()
        for file in files
    )
    return cache_bytes(rows, size)


def stored_bytes(forecasts: Iterable[Forecast], keep: str, jobs: int) -> int:
    """Return what runs leave in the results, with the checkpoints of those that go on at a time."""
    known = [one.costs for one in forecasts if one.costs]
    left = sum(one.stored + WEIGHTS_KEPT[keep] * one.weights for one in known)
    under_way = sorted((one.checkpoint + one.weights for one in known), reverse=True)[:jobs]
    return left + sum(under_way)
