"""`harness verify`: whether stored results can be relied on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, Plugins
from harness.errors import HarnessError
from harness.progress import Show

if TYPE_CHECKING:
    from harness.data.declaration import Located
    from harness.verification import Finding, Report

RESULTS = Path("results")
TOLD = 3  # findings of a run that its line tells
LINES = 20  # of a kind of finding
LONGEST = 1000  # characters of a line


def verify(
    results: Annotated[Path, typer.Argument(help="The folder of the results.")] = RESULTS,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A dataset to compare with: a name or a folder; may be given again."),
    ] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="What came with the project, instead of results.")
    ] = False,
) -> None:
    """Recompute every stored figure and compare every file with its checksum.

    Tells what was damaged or changed by hand, what must not be compared, and what other code than
    this would give. Ends with status 1 where something is wrong; runs that are only stale, and
    what killed processes left, are told too. Where there are no results yet, those that came with
    the project are verified.

    Example: **harness verify results --dataset data/cuhk-pedes**
    """
    from harness import registry
    from harness.cli.display import shipped as display
    from harness.cli.display import terminal
    from harness.results import load_runs
    from harness.results.shipped import load_layered
    from harness.verification import verify as verify_results
    from harness.verification.shipped import check_about, promised

    folder = _choose(results, shipped)
    is_own = folder == results
    listings = registry.list_methods(plugins or []) if folder.is_dir() else []
    drawn = () if is_own else promised(load_runs(folder))
    with terminal.steps() as show:
        located = locate_datasets(dataset or [], show, folder)
        report = verify_results(folder, listings, located, show, promised=drawn)
    report.findings += () if is_own else check_about()
    if as_json:
        print(json.dumps(_plain(report), indent=1))
    else:
        _show(report)
    if is_own:
        display.say_outdated(load_layered(results))
    if report.problems:
        raise typer.Exit(1)


def _choose(results: Path, shipped: bool) -> Path:
    """Return the folder to verify: before there are results, the one that ships."""
    from harness.cli.display import terminal
    from harness.results.shipped import FOLDER

    ships = any(FOLDER.glob("*/*/*/*/seed-*"))
    if shipped and not ships:
        raise HarnessError("No results came with this copy of the project.")
    if not shipped and ships and results == RESULTS and not results.is_dir():
        terminal.note(f"There is no folder {results}: what came with the project is verified.")
        return FOLDER
    return FOLDER if shipped else results


def locate_datasets(names: list[str], show: Show, results: Path | None = None) -> list[Located]:
    """Return the datasets that are named, and those that are here.

    These are the folders that the runs of `results` were made on, and those of the catalogue.
    """
    from harness.data.catalogue import find_all_here, find_declaration, locate
    from harness.results import load_runs
    from harness.results.origin import folders_of

    named = [locate(find_declaration(name), show) for name in names]
    runs = load_runs(results) if results else ()
    by_name = {one.declaration.name: one for one in reversed(find_all_here(folders_of(runs)))}
    return list({**by_name, **{one.declaration.name: one for one in named}}.values())


def _show(report: Report) -> None:
    """Print a line for each run in which something is wrong, by kind, and a summary."""
    from harness.verification.findings import HEADINGS, Kind

    for kind in Kind:
        places = list(report.by_place(kind))
        if not places or kind is Kind.NOT_SEALED:
            continue
        print(f"{HEADINGS[kind]}.")
        if kind is Kind.NOT_CHECKED:
            _print_reasons(places)
            continue
        for path, findings in places[:LINES]:
            print(f"  {_line(path, findings)}")
        if len(places) > LINES:
            print(f"  and {len(places) - LINES} more; --json tells all.")
    print(_summary(report))


def _print_reasons(places: list[tuple[str, list[Finding]]]) -> None:
    """Print why things were not checked, which is the same for many runs."""
    from harness.printable import printable

    reasons = Counter(reason for _, found in places for reason in {one.message for one in found})
    for reason, count in reasons.most_common(LINES):
        print(f"  of {count} runs: {printable(reason)}")


def _line(path: str, findings: list[Finding]) -> str:
    from harness.printable import printable

    told = "; ".join(map(str, findings[:TOLD]))
    more = f"; and {len(findings) - TOLD} more" if len(findings) > TOLD else ""
    return f"{printable(path)}: {printable(told, LONGEST)}{more}"


def _summary(report: Report) -> str:
    from harness.verification.findings import Kind

    places = len({finding.path for finding in report.problems})
    wrong = f"{len(report.problems)} problems in {places} places" if places else "no problem"
    aside = {
        "not ranked beside newer ones": report.count(Kind.APART),
        "stale": report.count(Kind.STALE),
        "left over": report.count(Kind.LEFT_OVER),
        "not sealed": report.count(Kind.NOT_SEALED),
        "not checked in all": report.count(Kind.NOT_CHECKED),
    }
    rest = "".join(f", {count} {what}" for what, count in aside.items() if count)
    return f"{report.runs:,} runs verified, {report.figures:,} figures recomputed: {wrong}{rest}."


def _plain(report: Report) -> dict[str, object]:
    from harness.verification.findings import Kind

    return {
        "runs": report.runs,
        "figures": report.figures,
        "problems": len(report.problems),
        "counts": {kind.value: report.count(kind) for kind in Kind},
        "findings": [{**asdict(one), "problem": one.is_problem} for one in report.findings],
    }
