"""`harness run`: plan, execute, rank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.execution import Keep, choose_cluster, choose_options, execute_plan
from harness.cli.forecast import refuse_cluster, show_forecast
from harness.cli.options import (
    HOW,
    WHAT,
    WHERE,
    Ablations,
    Datasets,
    Device,
    DryRun,
    Every,
    Executor,
    Force,
    Jobs,
    MemoryLimit,
    Methods,
    OnDevice,
    OnExecutor,
    PixelCache,
    Plugins,
    Report,
    Results,
    Seeds,
    Site,
    SlurmOptions,
    SuiteName,
    Switch,
    TimeLimit,
    ToForecast,
    Trackers,
)
from harness.cli.planning import plan_runs
from harness.cli.report import write_reports
from harness.errors import HarnessError
from harness.run.tracking import require_trackers

AGAIN = "Score again"  # a heading of the help

Rerankings = Annotated[
    list[str] | None,
    typer.Option(
        "--rerank",
        help="Score each run again with a re-ranking, without training: k-reciprocal, "
        "visual-neighbours, with settings as in visual-neighbours:weight=0.05,nearest=10. "
        "May be given again.",
        rich_help_panel=AGAIN,
    ),
]
Queries = Annotated[
    list[str] | None,
    typer.Option(
        help="Score each run again with other queries, without training: masked-nouns drops "
        "the nouns that are most like the image; words stands for wrong-attribute, synonyms, "
        "typos, word-order and german; several asks two and three captions of a person together; "
        "witness asks in rounds of questions (docs/witness.md). May be given again.",
        rich_help_panel=AGAIN,
    ),
]
AuditSelection = Annotated[
    bool | None,
    typer.Option(
        "--audit-selection/--no-audit-selection",
        help="Score every epoch on test too, never ranked: the protocol page then tells what "
        "choosing the epoch by test would have added. Costs an encoding of test an epoch. What "
        "is finished cannot be audited without training it again (--force). As the suite says "
        "by default.",
        rich_help_panel=HOW,
    ),
]
Noises = Annotated[
    list[str] | None,
    typer.Option(
        "--noise",
        help="Train with wrong pairs: a share of the training captions, as in 0.2, stands with "
        "images of other people, or an index file (.npy) says which. A variant of its own, ranked "
        "under noise alone. May be given again; 0 is without.",
        rich_help_panel=WHAT,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many processes train each run together, a GPU each; as --set processes=.",
        rich_help_panel=HOW,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(help="no, fp16 or bf16, on a GPU; as --set precision=.", rich_help_panel=HOW),
]
Chunks = Annotated[
    str | None,
    typer.Option(
        help="In how many chunks a batch is encoded, each twice: the same gradients in as much "
        "less memory, for a third more time. auto: as few as fit on the GPU. As --set chunks=.",
        rich_help_panel=HOW,
    ),
]
SettingsGiven = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="key=value for a config or stage field: --set epochs=1. To choose a value, "
        "`harness tune` looks at val alone.",
        rich_help_panel=WHAT,
    ),
]
Kept = Annotated[
    Keep,
    typer.Option(
        "--keep",
        help="Which weights to keep; none keeps no embeddings either.",
        rich_help_panel=WHERE,
    ),
]


def run(
    methods: Methods = None,
    every: Every = False,
    suite: SuiteName = "demo",
    dataset: Datasets = None,
    seeds: Seeds = None,
    ablations: Ablations = False,
    rerank: Rerankings = None,
    queries: Queries = None,
    settings: SettingsGiven = None,
    noise: Noises = None,
    audit_selection: AuditSelection = None,
    processes: Processes = None,
    precision: Precision = None,
    chunks: Chunks = None,
    force: Force = False,
    dry_run: DryRun = False,
    forecast: ToForecast = False,
    jobs: Jobs = None,
    device: OnDevice = Device.AUTO,
    executor: OnExecutor = Executor.LOCAL,
    slurm: SlurmOptions = None,
    timeout: TimeLimit = None,
    memory: MemoryLimit = None,
    track: Trackers = None,
    keep: Kept = Keep.SELECTED,
    pixel_cache: PixelCache = Switch.ON,
    plugins: Plugins = None,
    results: Results = Path("results"),
    site: Site = Path("site"),
    report: Report = True,
) -> None:
    """Train and score methods on a suite, then write the leaderboard.

    A run that is complete is never repeated; a changed method, block, config or dataset is run
    again. A run that fails is recorded while the others go on. Ctrl-C loses nothing: start again
    to go on. With --rerank and --queries, trained weights are scored again, never trained again.
    """
    from harness import registry
    from harness.cli.display import running
    from harness.cli.display.evaluations import show_evaluations, show_failed_evaluations
    from harness.cli.display.inflation import show_inflation
    from harness.plan.collisions import refuse_collisions
    from harness.run.broken_plugins import record_broken

    if not methods and not every:
        raise HarnessError("Name methods to run, or --all. `harness list methods` shows them.")
    require_trackers(track or [])  # refused before data is made
    cluster = choose_cluster(executor, slurm or [])
    if forecast:
        refuse_cluster(cluster)
    given = {"processes": processes, "precision": precision, "chunks": chunks}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    listings = registry.list_methods(plugins or [])
    broken = [listing for listing in listings if listing.error] if every else []
    specs = plan_runs(
        methods or [], listings, suite, dataset, seeds, ablations, [*(settings or []), *options],
        plugins or [], rerank or [], queries or [], audit_selection,
        noise or [], also_elsewhere=every and not dataset,
    )  # fmt: skip
    refuse_collisions(specs, results)
    failures = execute_plan(
        specs,
        results,
        lambda waiting: choose_options(
            results, jobs, device, keep, pixel_cache is Switch.ON, force, timeout, memory, cluster,
            track or [], waiting,
        ),
        force, dry_run, cluster, show_forecast if forecast else None,
    )  # fmt: skip
    if failures is None:
        return
    if every:
        record_broken(broken, specs, results)
    running.show_ranking(results, specs)
    show_evaluations(specs, results)
    show_inflation(specs, results)
    if report:
        write_reports(results, site)
    running.show_failures(failures, broken)
    running.show_doubts(running.records_of(specs, results))
    unevaluated = show_failed_evaluations(specs, results)
    if failures or broken or unevaluated:
        raise typer.Exit(1)
