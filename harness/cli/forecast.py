"""`harness run --forecast`: what planned runs would take here, by a few steps of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from harness.cli.execution import execute_each
from harness.cli.fetching import missing_by_run, tell_missing
from harness.data.downloads import names_of
from harness.errors import HarnessError
from harness.paths import cache_folder

if TYPE_CHECKING:
    from harness.plan.spec import Probe, RunSpec
    from harness.run.costs import Costs
    from harness.run.options import Options
    from harness.slurm.commands import Settings

SECONDS = 900.0  # that a probe may take where no --timeout is given
NOT_HERE = "it needs {}, which `harness fetch` brings"
SEVERAL = "is trained by {} processes, which are not tried: forecast it with --processes 1"


def refuse_cluster(cluster: Settings | None) -> None:
    """Refuse to tell what runs take on another machine. Raises HarnessError."""
    if cluster is not None:
        raise HarnessError(
            "--forecast tries steps on this machine, and jobs run on others: call it on a node, as "
            "in `srun --gpus=1 harness run ... --forecast`, without --executor slurm."
        )


def show_forecast(specs: Sequence[RunSpec], options: Options) -> None:
    """Try a few steps of each variant, and show what all runs would take."""
    from harness.cli.display import forecasting
    from harness.run.forecast import forecast_runs, missing_pixels

    lacking = missing_by_run(specs)
    if lacking:
        tell_missing(dict.fromkeys(one for of_run in lacking.values() for one in of_run))
    pixels = missing_pixels(specs) if options.pixel_cache else []
    forecasting.show_pixels(pixels, cache_folder())
    reasons = {name: NOT_HERE.format(names_of(of_run)) for name, of_run in lacking.items()}
    reasons |= {str(spec): told for spec in specs if (told := _why_not(spec))}
    costs = dict(_costs(specs, reasons, options))
    forecasts = forecast_runs(specs, costs, options.results)
    forecasting.show_runs(forecasts, options)
    if any(one.costs is None for one in forecasts):
        raise typer.Exit(1)


def _costs(
    specs: Sequence[RunSpec], reasons: Mapping[str, str], options: Options
) -> Iterator[tuple[str, Costs | str]]:
    """Yield each run with the costs of its probe, or with the reason why there are none.

    `reasons` has those of runs that are not tried.
    """
    from harness.plan import probe
    from harness.results import read_record
    from harness.run.costs import read_costs

    folder = cache_folder() / "forecasts"
    device = _name(options)
    probes = {
        str(spec): probe(spec, device, options.jobs) for spec in specs if str(spec) not in reasons
    }
    where = replace(
        options, results=folder, keep="none", force=False, trackers=(),
        timeout=options.timeout or SECONDS,
    )  # fmt: skip
    _execute({one.key: one for one in probes.values()}, where)
    for spec in specs:
        if reason := reasons.get(str(spec)):
            yield str(spec), reason
            continue
        path = probes[str(spec)].path(folder)
        record, costs = read_record(path), read_costs(path)
        error = (record.error if record else None) or {"kind": "none", "message": "was not tried"}
        yield str(spec), costs or f"{error['kind']}: {error['message']}"


def _why_not(spec: RunSpec) -> str:
    count = int(spec.recipe["processes"])
    return SEVERAL.format(count) if count > 1 else ""


def _execute(probes: dict[str, Probe], options: Options) -> None:
    """Execute the probes that are not there, one at a time: beside others each would be slower."""
    waiting = [one for one in probes.values() if not one.is_complete(options.results)]
    execute_each(waiting, options)


def _name(options: Options) -> str:
    """Return what a figure is of: the device, its software, and the machine around it."""
    import torch

    from harness.run.environment import device_name

    return f"{device_name(torch.device(options.device))}, torch {torch.__version__}"
