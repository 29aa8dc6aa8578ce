"""`harness compare` and `harness plan-power`: which differences are real."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import AsJson, Results, parse_seeds
from harness.errors import HarnessError


class Metric(StrEnum):
    """A figure that every query has."""

    R1 = "r1"
    R5 = "r5"
    R10 = "r10"
    MAP = "map"
    MINP = "minp"


Suite = Annotated[str, typer.Option(help="The suite whose runs are compared.")]
Dataset = Annotated[list[str] | None, typer.Option(help="Only this dataset; may be given again.")]
MetricChoice = Annotated[Metric, typer.Option(help="The figure to compare.")]
Seeds = Annotated[str | None, typer.Option(help="Only these seeds: 0,1,2 or 0-4.")]
Noise = Annotated[
    str | None,
    typer.Option(
        help="Those that were trained with these wrong pairs: a share or an index file, as "
        "`harness run --noise` had it."
    ),
]


def compare(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Two or more methods (irra) or variants (dgia:B+LRC)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All methods as published.")] = False,
    suite: Suite = "demo",
    dataset: Dataset = None,
    metric: MetricChoice = Metric.R1,
    seeds: Seeds = None,
    noise: Noise = None,
    average: Annotated[
        bool, typer.Option("--average", help="Also the mean over the datasets.")
    ] = False,
    as_json: AsJson = False,
    results: Results = Path("results"),
) -> None:
    """Say which differences between methods are real.

    Differences are means over seeds and queries, in points. One question is answered: would the
    difference hold for other people and for other seeds of these methods? p-values and 95 %
    intervals follow from one standard error and are for all pairs compared at once: an interval
    holds zero exactly where p is 0.05 or more. How far seeds spread is learnt from all methods that
    ran on the dataset; of a mean over datasets, from those that are compared.

    Results that came with the project stand beside your own of the suite, and are marked.
    """
    from harness.cli.display.comparisons import show_families
    from harness.results.comparison import compare_methods

    if every == bool(methods):
        raise HarnessError("Name methods to compare (harness compare irra clip-itc), or --all.")
    chosen = parse_seeds(seeds) if seeds else None
    names = [under_noise(name, noise) for name in methods or []] if noise else methods or []
    if noise and every:
        raise HarnessError("Name the methods to compare under noise: --all takes those without.")
    families = compare_methods(results, suite, names, metric.value, dataset, chosen, average)
    show_families(families, as_json)


def under_noise(name: str, text: str) -> str:
    """Return the name of a method or variant that was trained with the noise that a text names."""
    from harness.data.noise import parse_noise
    from harness.results import FULL

    noise = parse_noise(text)
    method, _, variant = name.partition(":")
    return f"{method}:{variant or FULL} ({noise.label})" if noise else name


def plan_power(
    methods: Annotated[list[str], typer.Argument(help="Two methods or variants.")],
    suite: Suite = "demo",
    dataset: Dataset = None,
    metric: MetricChoice = Metric.R1,
    difference: Annotated[
        float, typer.Option(min=0.01, help="The true difference to find, in points.")
    ] = 0.5,
    seeds: Seeds = None,
    as_json: AsJson = False,
    results: Results = Path("results"),
) -> None:
    """Say how small a difference the runs at hand can find, and what a smaller one would take.

    Results that came with the project count among those of their suite.
    """
    from harness.cli.display.comparisons import show_power
    from harness.results.comparison import plan_comparison

    if len(methods) != 2:
        raise HarnessError("Name two methods, for example: harness plan-power irra clip-itc.")
    chosen = parse_seeds(seeds) if seeds else None
    plans = plan_comparison(results, suite, methods, metric.value, dataset, chosen, difference)
    show_power(plans, as_json)
