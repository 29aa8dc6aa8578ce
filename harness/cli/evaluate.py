"""`harness evaluate`: trained runs on another dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.execution import choose_options, execute_runs
from harness.cli.options import (
    WHAT,
    WHERE,
    Ablations,
    Datasets,
    Device,
    Every,
    Jobs,
    Methods,
    OnDevice,
    Plugins,
    Report,
    Results,
    Seeds,
    Site,
)
from harness.cli.planning import plan_runs
from harness.cli.report import write_reports
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.data.declaration import Declaration, Located
    from harness.plan import Suite
    from harness.plan.spec import RunSpec

NAMED = 5  # runs that are named where they are not trained
ALL = "all"  # kinds of index


On = Annotated[
    list[str] | None,
    typer.Option(
        help="A dataset's name, or a folder, of which a test split is enough; may be given again.",
        rich_help_panel=WHAT,
    ),
]
Distractors = Annotated[
    str | None,
    typer.Option(
        help="In place of --on: how many people to draw and to add to the gallery, a folder of "
        "images, or the name of a dataset.",
        rich_help_panel=WHAT,
    ),
]
Indexes = Annotated[
    list[str] | None,
    typer.Option(
        help="With --distractors: an index that they are searched through, too, beside the exact "
        "scan: flat, ivf, hnsw or all; may be given again.",
        rich_help_panel=WHAT,
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        help="In place of --on: weights of the method as its authors publish them (IRRA's "
        "best.pth), read without executing code, for a row of the test split of --dataset.",
        rich_help_panel=WHAT,
    ),
]
RowName = Annotated[
    str,
    typer.Option(
        help="What commands call the row of --weights; METHOD-elsewhere by default.",
        rich_help_panel=WHAT,
    ),
]
SuiteName = Annotated[
    str | None,
    typer.Option(
        help="The suite that they were trained in, demo by default; with --weights, the one "
        "that has the dataset.",
        rich_help_panel=WHAT,
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="--weights: take the place of a row.", rich_help_panel=WHERE),
]


def evaluate(
    methods: Methods = None,
    on: On = None,
    distractors: Distractors = None,
    index: Indexes = None,
    weights: WeightsFile = None,
    name: RowName = "",
    every: Every = False,
    suite: SuiteName = None,
    dataset: Datasets = None,
    seeds: Seeds = None,
    ablations: Ablations = False,
    jobs: Jobs = None,
    device: OnDevice = Device.AUTO,
    plugins: Plugins = None,
    results: Results = Path("results"),
    site: Site = Path("site"),
    report: Report = True,
    replace: Replace = False,
) -> None:
    """Score trained methods on the test split of another dataset, without training.

    Pages show what a method that was trained on one dataset does on the others. What is scored
    already is not scored again; the ranking stays as it is.

    With --distractors the test gallery is made larger with people whom nobody asks for, and
    figures are told as it grows; with --index also what an index of faiss misses and saves.

    With --weights a checkpoint of the method's authors is scored instead, and ranked as "trained
    elsewhere" beside what its paper prints.

    Example: **harness evaluate --all --on streetdolls**

    Example: **harness evaluate clip-itc --distractors 10000 --index hnsw**

    Example: **harness evaluate irra --weights best.pth --dataset cuhk-pedes**
    """
    from harness import plan, registry
    from harness.cli.display import running
    from harness.cli.display.crowds import show_crowds, show_indexes
    from harness.cli.display.evaluations import show_evaluations, show_failed_evaluations
    from harness.plan.collisions import refuse_other_evaluations

    if weights:
        from harness.cli.weights import evaluate_weights

        named = methods or [], weights, dataset or [], name, suite
        evaluate_weights(*named, device, plugins or [], results, replace)
        if report:
            write_reports(results, site)
        return
    suite = suite or "demo"
    _refuse_unclear(methods, every, on, distractors)
    indexes = _indexes(index or [], distractors)
    known = plan.read_suite(suite)
    declarations = {name: known.find_declaration(name) for name in on or []}  # before data is made
    listings = registry.list_methods(plugins or [])
    specs = plan_runs(
        methods or [], listings, suite, dataset, seeds, ablations, plugins=plugins or []
    )
    if distractors:
        asked = _among(_trained(specs, results), distractors, known, indexes)
    else:
        asked = _trained(_on(specs, declarations), results)
    refuse_other_evaluations(asked, results)
    waiting = [spec for spec in asked if not spec.is_complete(results)]
    running.say_plan(asked, waiting, results)
    if waiting:
        execute_runs(waiting, choose_options(results, jobs, device, specs=waiting))
    show_evaluations(asked, results)
    show_crowds(asked, results)
    show_indexes(asked, results)
    if report:
        write_reports(results, site)
    if show_failed_evaluations(asked, results):
        raise typer.Exit(1)


def _refuse_unclear(
    methods: Sequence[str] | None, every: bool, on: Sequence[str] | None, distractors: str | None
) -> None:
    """Refuse a call that does not say what is evaluated, or among what. Raises HarnessError."""
    if not on and not distractors:
        raise HarnessError(
            "Say --on and a dataset, which `harness list datasets` shows, or --distractors and how "
            "many."
        )
    if on and distractors:
        raise HarnessError("--on and --distractors are asked one after the other: give one.")
    if not methods and not every:
        raise HarnessError("Name methods to evaluate, or --all.")


def _indexes(named: Sequence[str], distractors: str | None) -> list[str]:
    """Return the kinds of index that are asked for, each once. Raises HarnessError."""
    from harness.indexes import KINDS, refuse_unknown, require_faiss

    if named and not distractors:
        raise HarnessError("--index is asked among distractors: say --distractors and how many.")
    for one in named:
        refuse_unknown(one, [ALL])
    if named:
        require_faiss()
    return [*KINDS] if ALL in named else list(dict.fromkeys(named))


def _on(specs: Sequence[RunSpec], declarations: Mapping[str, Declaration]) -> list[RunSpec]:
    """Return the runs that are to be evaluated on other datasets, which are found or made."""
    from harness.cli.display import terminal
    from harness.data.catalogue import locate
    from harness.plan.collisions import refuse_two_of_a_name

    with terminal.steps() as show:
        others = {name: locate(one, show) for name, one in declarations.items()}
    refuse_two_of_a_name([*(spec.located for spec in specs), *others.values()])
    return _elsewhere(specs, others)


def _among(
    specs: Sequence[RunSpec], distractors: str, suite: Suite, indexes: Sequence[str]
) -> list[RunSpec]:
    """Return the runs, each to be evaluated among distractors that fit its dataset.

    First by a scan of all, then through indexes.
    """
    from harness import plan
    from harness.cli.crowds import find_crowd, ways_to_search

    datasets = {spec.located.fingerprint: spec.located for spec in specs}
    crowds = {key: find_crowd(distractors, one, suite) for key, one in datasets.items()}
    ways = {key: ways_to_search(crowd, indexes) for key, crowd in crowds.items()}
    return [plan.evaluated_among(spec, ways[spec.located.fingerprint]) for spec in specs]


def _elsewhere(specs: Sequence[RunSpec], others: Mapping[str, Located]) -> list[RunSpec]:
    """Return the runs that have something to be evaluated on. Raises HarnessError: none has."""
    from harness import plan

    asked = [plan.evaluated_on(spec, others) for spec in specs]
    if found := [spec for spec in asked if spec.evaluations]:
        return found
    methods = ", ".join(dict.fromkeys(spec.method for spec in specs))
    raise HarnessError(
        f"{', '.join(others)} is no other data to {methods}: its dataset or a stage trains there, "
        "or on images that are tested there."
    )


def _trained(specs: Sequence[RunSpec], results: Path) -> list[RunSpec]:
    """Return the runs that are there; name those that are not."""
    from harness.cli.display import terminal

    missing = [spec for spec in specs if not spec.is_trained(results)]
    found = [spec for spec in specs if spec not in missing]
    if missing:
        names = ", ".join(str(spec) for spec in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        told = f"Not trained as they stand now: {names}{more}. `{missing[0].command}` trains one."
        if not found:
            raise HarnessError(told)
        terminal.note(told)
    return found
