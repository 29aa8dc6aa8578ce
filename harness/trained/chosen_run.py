"""Which trained run is asked: the best that still has its weights, or the one that is named."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from harness.errors import HarnessError, unknown
from harness.results import (
    RECORD,
    SELECTED,
    WEIGHTS,
    StoredRun,
    load_runs,
    read_record,
)
from harness.results.origin import read_origin


def choose_run(results: Path, named: str | None, methods: Container[str]) -> StoredRun:
    """Return a finished run that has its weights.

    Args:
        named: a method (irra), a variant (irra:+SDM) or the folder of a run. Of several seeds the
            best is taken; without a name, the best of all that no wrong pairs were given.
        methods: those that are installed: without a name, only their runs count, and of those
            what was trained here.

    Runs that were trained on photographs come before those of drawn people; then mAP decides.

    Raises:
        HarnessError: there is no such run, or its weights were not kept.
    """
    if named and (Path(named) / RECORD).is_file():
        return _only_run(Path(named))
    runs = [run for run in load_runs(results) if run.record.status == "ok"]
    if not runs:
        raise HarnessError(
            f"There is no finished run in {results}. `harness run --all` trains some; --results "
            "names another folder."
        )
    wanted = _of_name(runs, named) if named else _installed(runs, methods)
    usable = [run for run in wanted if has_weights(run)]
    if not usable:
        raise _without_weights(wanted)
    return max(usable, key=_merit)


def has_weights(run: StoredRun) -> bool:
    """Tell whether a run's weights are there: a method that is not trained needs none.

    Of what was handed in there are none: weights stay where they were read.
    """
    if run.record.handed_in:
        return False
    return not run.record.recipe.get("stages") or weights_file(run).is_file()


def weights_file(run: StoredRun) -> Path:
    """Return the file of the weights that were selected on val."""
    return run.path / WEIGHTS / SELECTED


def _only_run(folder: Path) -> StoredRun:
    record = read_record(folder)
    if record is None:
        raise HarnessError(f"{folder / 'run.json'} is no record that this version can read.")
    if record.status != "ok":
        raise HarnessError(
            f"The run {folder} was not finished ({record.status}): `{record.command}` repeats it."
        )
    run = StoredRun(record, folder)
    if not has_weights(run):
        raise _without_weights([run])
    return run


def _of_name(runs: Sequence[StoredRun], named: str) -> list[StoredRun]:
    known = {run.record.name for run in runs}
    if named in known:
        return [run for run in runs if run.record.name == named]
    if Path(named).is_dir():
        raise HarnessError(
            f"{named} is no folder of a run: that is the one with run.json, seed-0 below suite, "
            "dataset, method and variant."
        )
    raise unknown("finished run", named, known)


def _installed(runs: Sequence[StoredRun], methods: Container[str]) -> list[StoredRun]:
    found = [run for run in runs if run.record.method in methods]
    found = [run for run in found if not run.record.noise] or found
    # A bundle brings no weights unless it is asked to, and its figures are what a stranger says.
    found = [run for run in found if read_origin(run.path) is None] or found
    if not found:
        missing = ", ".join(sorted({run.record.method for run in runs}))
        raise HarnessError(
            f"The methods of the finished runs are not installed here: {missing}. --plugins FILE "
            "brings a method."
        )
    return found


def _merit(run: StoredRun) -> tuple[bool, float]:
    return not run.record.data.get("drawn"), run.record.metrics.get("map", 0.0)


def _without_weights(runs: Sequence[StoredRun]) -> HarnessError:
    names = ", ".join(sorted({run.record.name for run in runs}))
    if all(run.record.handed_in for run in runs):
        return HarnessError(f"{names} is {runs[0].record.mark}: there are no weights of it here.")
    return HarnessError(
        f"The weights of {names} were not kept. Train again with them, for example: "
        f"{runs[0].record.command} --force --keep selected"
    )
