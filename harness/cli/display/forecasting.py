"""What `harness run --forecast` shows: time, memory and disk of planned runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.display.terminal import fail, note, print_table, write_duration, write_size

if TYPE_CHECKING:
    from harness.run.forecast import Forecast, Pixels
    from harness.run.options import Options

MEGABYTE = 2**20  # as records have it


def show_pixels(pixels: Sequence[Pixels], cache: Path) -> None:
    """Say how much room decoded images would take that are not there yet."""
    if not pixels:
        return
    told = ", ".join(
        f"{one.dataset} at {one.size[0]} x {one.size[1]} {write_size(one.bytes)}" for one in pixels
    )
    _say_room("Decoded images", sum(one.bytes for one in pixels), cache, f" ({told})")


def show_runs(forecasts: Sequence[Forecast], options: Options) -> None:
    """Show what each variant would take, and all runs together."""
    from harness.run.forecast import memory_of_all, stored_bytes, time_of_all

    known = [one for one in forecasts if one.costs]
    is_card = options.device == "cuda"
    groups: dict[tuple[str, str], list[Forecast]] = {}
    for one in known:
        groups.setdefault((one.spec.dataset, one.spec.name), []).append(one)
    headers = ["dataset", "method", "runs", "time of one", "images/s", "memory"]
    rows = [_row(*place, group, is_card) for place, group in groups.items()]
    if rows:
        print_table([*headers, *(["card"] if is_card else [])], rows)
    _say_unknown(forecasts)
    if not known:
        return
    jobs = min(options.jobs, len(known))
    seconds = [one.seconds for one in known]
    note(
        f"{len(known)} runs, {jobs} at a time: about {write_duration(time_of_all(seconds, jobs))} "
        f"({write_duration(sum(seconds))} one after the other). Measured by a few steps each, with "
        "the machine as busy as it was just now."
    )
    _say_memory(memory_of_all([one.costs.memory for one in known if one.costs], jobs))
    if is_card:
        _say_card(max(one.costs.device_memory for one in known if one.costs))
    stored = stored_bytes(known, options.keep, jobs)
    _say_room("Results, with weights and checkpoints under way,", stored, options.results)


def _row(dataset: str, method: str, group: Sequence[Forecast], is_card: bool) -> tuple[str, ...]:
    costs = group[0].costs
    assert costs is not None, "only what is known has a row"
    least, most = min(one.seconds for one in group), max(one.seconds for one in group)
    time = write_duration(most)
    if write_duration(least) != time:  # some take up a stage that another has trained
        time = f"{write_duration(least)} to {time}"
    pace = f"{costs.images_per_second:.0f}" if costs.images_per_second else "-"
    memory = [costs.memory, *([costs.device_memory] if is_card else [])]
    sizes = (write_size(megabytes * MEGABYTE) for megabytes in memory)
    return (dataset, method, str(len(group)), time, pace, *sizes)


def _say_unknown(forecasts: Sequence[Forecast]) -> None:
    """Name what could not be tried, each variant once, with the reason."""
    reasons = {
        (one.spec.dataset, one.spec.name): one.reason for one in forecasts if one.costs is None
    }
    for (dataset, name), reason in reasons.items():
        fail(f"no forecast for {dataset} {name}: {reason}")


def _say_memory(megabytes: float) -> None:
    import psutil

    there = psutil.virtual_memory().total
    told = f"Memory: {write_size(megabytes * MEGABYTE)} of the {write_size(there)} of this machine"
    if megabytes * MEGABYTE < there:
        note(f"{told}.")
    else:
        fail(f"{told}: too much. Give fewer --jobs.")


def _say_card(megabytes: float) -> None:
    import torch

    there = torch.cuda.get_device_properties(0).total_memory
    note(
        f"Graphics card: at most {write_size(megabytes * MEGABYTE)} of its {write_size(there)} by "
        "tensors, with --chunks as it was."
    )


def _say_room(what: str, needed: float, folder: Path, besides: str = "") -> None:
    """Say how much room something takes beside what is free, loudly where that is less."""
    nearest = next(one for one in (folder, *folder.parents) if one.is_dir())
    free = shutil.disk_usage(nearest).free
    told = f"{what} take {write_size(needed)}{besides}; {folder} has {write_size(free)} free"
    if needed < free:
        note(f"{told}.")
    else:
        fail(f"{told}: too little.")
