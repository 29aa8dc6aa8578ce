"""`harness score`: a row from features, similarities or rankings that others made."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import HOW, WHAT, Report, Results, Site, parse_seeds
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.data.declaration import Located
    from harness.handed_in.about import About
    from harness.handed_in.matching import Others
    from harness.handed_in.opening import Opened
    from harness.handed_in.row import Place
    from harness.handed_in.scoring import Scored
    from harness.plan import Suite
    from harness.results import RunRecord

DEFAULT_SUITE = "demo"
WHO = "Of the method"


class SplitName(StrEnum):
    """A split that can be scored."""

    TEST = "test"
    VAL = "val"


class Similarity(StrEnum):
    """How features are compared."""

    COSINE = "cosine"
    DOT = "dot"


class Supervision(StrEnum):
    """What a method was trained with."""

    NONE = "none"
    PAIRS = "pairs"
    IDENTITY = "identity"


Files = Annotated[
    list[Path],
    typer.Argument(
        help="Features (.npz, .safetensors, .pt, or two .npy: captions, then images), a matrix "
        "of similarities (a caption a row), or a TREC run (.txt). With --seeds, those of each."
    ),
]
Dataset = Annotated[
    str, typer.Option(help="The dataset: a name, or a folder.", rich_help_panel=WHAT)
]
Name = Annotated[str, typer.Option(help="What commands call the row.", rich_help_panel=WHO)]
Title = Annotated[
    str, typer.Option(help="What tables print; the name by default.", rich_help_panel=WHO)
]
Authors = Annotated[str, typer.Option(help='"Ding Jiang, Mang Ye".', rich_help_panel=WHO)]
PaperTitle = Annotated[str, typer.Option(help="Its paper's title.", rich_help_panel=WHO)]
Venue = Annotated[str, typer.Option(help="Where it appeared.", rich_help_panel=WHO)]
Year = Annotated[int | None, typer.Option(help="And when.", rich_help_panel=WHO)]
Link = Annotated[str, typer.Option(help="Its page or code.", rich_help_panel=WHO)]
TrainedWith = Annotated[
    Supervision | None,
    typer.Option(help="What it was trained with; undisclosed by default.", rich_help_panel=WHO),
]
Backbone = Annotated[str, typer.Option(help="Its encoders.", rich_help_panel=WHO)]
OfExtraData = Annotated[
    list[str] | None,
    typer.Option(
        help="What it was trained on beside the benchmark: weights=, pairs=, captions= or "
        "people= (images of people seen before) and what, as in people=MALS; none. May be "
        "given again. Undisclosed by default.",
        rich_help_panel=WHO,
    ),
]
AboutFile = Annotated[
    Path | None,
    typer.Option(
        help="A YAML file with the same: name, title, authors, paper, venue, year, link, "
        "supervision, backbone, extra_data, summary.",
        rich_help_panel=WHO,
    ),
]
OnSplit = Annotated[
    SplitName, typer.Option(help="val shows figures and makes no row.", rich_help_panel=WHAT)
]
SuiteName = Annotated[
    str | None,
    typer.Option(
        help="The suite whose runs the row stands beside; the one that has the dataset.",
        rich_help_panel=WHAT,
    ),
]
OfSeeds = Annotated[
    str | None, typer.Option(help="The seeds of the files: 0,1,2 or 0-4.", rich_help_panel=WHAT)
]
ComparedBy = Annotated[
    Similarity | None, typer.Option(help="How features are compared.", rich_help_panel=HOW)
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Take the place of a row of its name.", rich_help_panel=HOW),
]


def score(
    files: Files,
    dataset: Dataset,
    name: Name = "",
    title: Title = "",
    authors: Authors = "",
    paper: PaperTitle = "",
    venue: Venue = "",
    year: Year = None,
    link: Link = "",
    supervision: TrainedWith = None,
    backbone: Backbone = "",
    extra_data: OfExtraData = None,
    about: AboutFile = None,
    split: OnSplit = SplitName.TEST,
    suite: SuiteName = None,
    seeds: OfSeeds = None,
    similarity: ComparedBy = None,
    replace: Replace = False,
    results: Results = Path("results"),
    site: Site = Path("site"),
    report: Report = True,
) -> None:
    """Score what another method made of a dataset, and rank it beside the others.

    The row is marked "scores only". Rows of a file are matched by the ids in it, image_ids and
    query_ids, or qids and gids; without any they are taken in the order of the annotation file,
    and the row is not tested against others. Nothing in a file is executed.

    Example: **harness score irra.npz --dataset cuhk-pedes --name their-irra --similarity cosine**
    """
    from harness.cli.display import scoring
    from harness.cli.report import write_reports
    from harness.handed_in.about import parse_extra_data, read_about
    from harness.handed_in.row import is_there, make_record, refuse_taken, write_row

    groups = _by_seed(files, seeds)
    told = {
        "name": name, "title": title, "paper": paper, "venue": venue, "year": year, "link": link,
        "authors": [one.strip() for one in authors.split(",") if one.strip()],
        "supervision": supervision and supervision.value, "backbone": backbone,
        "extra_data": parse_extra_data(extra_data or []),
    }  # fmt: skip
    method = read_about(about, {key: value for key, value in told.items() if value is not None})
    _refuse_registered(method)
    place = open_place(results, suite, dataset, split.value)
    how = similarity.value if similarity else ""
    opened = _open(groups, place, how, seeds is not None)
    if split is SplitName.VAL:
        _show_val(opened, place, method)
        return
    command = _command(files, place, seeds, method, how)
    records = {
        seed: make_record(place, method, one.handed_in, seed, command)
        for seed, one in opened.items()
    }
    refuse_taken(place, list(records.values()), replace)
    waiting = {s: r for s, r in records.items() if not is_there(place, r)}
    if there := [r for s, r in records.items() if s not in waiting]:
        scoring.show_known(there)
    scored = {seed: _score(opened[seed], place) for seed in waiting}
    if any(one.at_most is not None for one, _ in scored.values()):
        _show_cut([one for one, _ in scored.values()])
        raise typer.Exit(1)
    written = {s: write_row(place, waiting[s], *one).record for s, one in scored.items()}
    if written:
        _show_written(written, method, place)
    if report:
        write_reports(results, site)


def _by_seed(files: Sequence[Path], seeds: str | None) -> dict[int, list[Path]]:
    """Return the files of each seed, in their order: one, or two."""
    chosen = parse_seeds(seeds) if seeds else (0,)
    each, rest = divmod(len(files), len(chosen))
    if rest or each not in (1, 2):
        said = f"{len(chosen)} seeds" if seeds else "no --seeds"
        raise HarnessError(
            f"{len(files)} files and {said}: give one file a seed, or two, of captions and of "
            "images; --seeds 0,1,2 names the seeds of several."
        )
    return {seed: list(files[n * each : (n + 1) * each]) for n, seed in enumerate(chosen)}


def _refuse_registered(about: About) -> None:
    """Refuse the name of a method that is here: its rows are what was trained."""
    from harness import registry

    names = {listing.name.casefold() for listing in registry.list_methods([])}
    if about.name.casefold() in names:
        raise HarnessError(
            f"{about.name} is a method that is here, whose rows are trained: take another name, "
            f"as in their-{about.name}."
        )


def open_place(results: Path, suite: str | None, dataset: str, split: str) -> Place:
    """Return where rows of a dataset are put; the data is found, or made, first."""
    from harness.cli.display import terminal
    from harness.cli.planning import refuse_unfit
    from harness.data.catalogue import locate
    from harness.data.loading import load_split
    from harness.handed_in.row import Place

    known = _find_suite(suite, dataset)
    with terminal.steps() as show:
        located = locate(known.find_declaration(dataset), show)
    refuse_unfit(located)
    return Place(results, known, located, load_split(located, split), _others(located, split))


def _find_suite(name: str | None, dataset: str) -> Suite:
    """Return the suite that is named, or the first that has the dataset."""
    from harness import plan

    if name:
        return plan.read_suite(name)
    having = (suite for suite in plan.list_suites() if dataset in suite.datasets)
    return next(having, None) or plan.read_suite(DEFAULT_SUITE)


def _others(located: Located, split: str) -> Others:
    """Return what reads the other splits, once, where a message needs them."""
    from functools import cache

    from harness.data.loading import load_split

    names = [name for name in located.files if name != split]
    return cache(lambda: {name: load_split(located, name) for name in names})


def _open(
    groups: Mapping[int, list[Path]], place: Place, how: str, seeded: bool
) -> dict[int, Opened]:
    from harness.handed_in.opening import open_files

    return {
        seed: open_files(files, place.split, place.others, how, seeded)
        for seed, files in groups.items()
    }


def _score(opened: Opened, place: Place) -> tuple[Scored, float]:
    """Return what files score, and in how many seconds."""
    from harness.cli.display import terminal

    began = time.perf_counter()
    with terminal.steps() as show:
        scored = opened.score(place.split, place.others, show)
    return scored, time.perf_counter() - began


def _show_val(opened: Mapping[int, Opened], place: Place, about: About) -> None:
    from harness.cli.display import scoring, terminal
    from harness.handed_in.scoring import figures_of

    found = {seed: _score(one, place)[0] for seed, one in opened.items()}
    if any(one.at_most is not None for one in found.values()):
        _show_cut(list(found.values()))
        return
    figures = {seed: figures_of(one.text_to_image) for seed, one in found.items()}
    first = next(iter(opened.values())).handed_in
    scoring.show_rows(about.title, f"val of {place.located.declaration.title}", figures, first)
    terminal.note("Val is not ranked: no row was made.")


def _show_cut(found: Sequence[Scored]) -> None:
    from harness.cli.display import scoring
    from harness.handed_in.scoring import figures_of

    for one in found:
        if one.at_most is not None:
            ends = figures_of(one.text_to_image), figures_of(one.at_most)
            scoring.show_bounds(one.depth, *ends)


def _show_written(written: Mapping[int, RunRecord], about: About, place: Place) -> None:
    from harness.cli.display import scoring

    figures = {seed: record.metrics for seed, record in written.items()}
    first = next(iter(written.values())).handed_in
    assert first is not None
    scoring.show_rows(about.title, place.located.declaration.title, figures, first)


def _command(files: Sequence[Path], place: Place, seeds: str | None, about: About, how: str) -> str:
    """Return the command that makes a row again, but for what is said of its method."""
    words = [
        "harness", "score", *(file.name for file in files),
        "--dataset", place.located.declaration.argument,
        "--suite", place.suite.argument or place.suite.name,
        "--name", about.name,
        *(["--seeds", seeds] if seeds else []),
        *(["--similarity", how] if how else []),
    ]  # fmt: skip
    return shlex.join(words)
