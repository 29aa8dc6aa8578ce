"""What `harness list` shows: methods, datasets, suites and runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.results import StoredRun
from harness.results.origin import read_origin
from harness.results.shipped import is_shipped, say_shipped

if TYPE_CHECKING:
    from harness.data.declaration import Declaration
    from harness.plan import Suite
    from harness.registry import Listing
from harness.cli.display.running import show_doubts
from harness.cli.display.terminal import note, print_table

OUTDATED, NOT_COMPARED = "outdated", "ok?"
SHIPPED = "shipped"  # where others name who submitted a run


def show_methods(listings: Sequence[Listing], as_json: bool) -> None:
    """Show methods; a broken plugin in place of its method, with its error."""
    if as_json:
        print(json.dumps([_method(listing) for listing in listings], indent=1))
        return
    rows = []
    for listing in listings:
        method = _method(listing)
        if listing.error:
            what = f"does not import: {listing.error['kind']}: {listing.error['message']}"
            rows.append((listing.name, what, "", "", ""))
        else:
            count = str(len(method["variants"]))
            recipes = ", ".join(method["recipes"])
            rows.append((listing.name, method["title"], method["supervision"], recipes, count))
    print_table(("name", "title", "supervision", "recipes", "variants"), rows)


def _method(listing: Listing) -> dict[str, Any]:
    description = listing.description or {}
    return {
        "name": listing.name,
        "title": description.get("title", listing.name),
        "summary": description.get("summary", ""),
        "paper": description.get("paper", ""),
        "url": description.get("url", ""),
        "supervision": description.get("supervision"),
        "variants": [variant["label"] for variant in description.get("variants", [])],
        "recipes": list(description.get("scales", {})),
        "source": str(listing.plugin.module.path),
        "error": listing.error,
    }


def show_datasets(declarations: Sequence[Declaration], as_json: bool) -> None:
    """Show datasets with where they come from."""
    if as_json:
        print(json.dumps([asdict(declaration) for declaration in declarations], indent=1))
        return
    rows = [(d.name, d.title, _source(d), d.licence) for d in declarations]
    print_table(("name", "title", "source", "licence"), rows)


def _source(declaration: Declaration) -> str:
    if declaration.drawn:
        return "drawn by the project"
    if declaration.hub:
        return f"hub: {declaration.hub} at {declaration.revision}"
    there = "" if Path(declaration.folder or "").is_dir() else " (not there)"
    return f"folder: {declaration.folder}{there}"


def show_suites(suites: Sequence[Suite], as_json: bool) -> None:
    """Show suites."""
    if as_json:
        print(json.dumps([asdict(suite) for suite in suites], indent=1))
        return
    rows = [
        (s.name, s.title, ", ".join(s.datasets), s.scale, ", ".join(map(str, s.seeds)))
        for s in suites
    ]
    print_table(("name", "title", "datasets", "scale", "seeds"), rows)


def show_runs(
    runs: Sequence[StoredRun], outdated: Mapping[Path, str | None], as_json: bool
) -> None:
    """Show recorded runs; of those that would be made again today, why (None: not compared)."""
    if as_json:
        print(json.dumps([_run(run, outdated) for run in runs], indent=1))
        return
    rows = []
    for run in runs:
        record, origin = run.record, read_origin(run.path)
        r1 = f"{record.metrics['r1']:.2f}" if "r1" in record.metrics else ""
        seconds = f"{record.total_seconds:.0f}"
        name = (record.suite, record.dataset, record.method, record.variant, str(record.seed))
        who = (origin.by or "nobody named") if origin else SHIPPED if is_shipped(run) else ""
        rows.append((*name, _status(run, outdated), r1, seconds, record.mark, who))
    headers = ("suite", "dataset", "method", "variant", "seed", "status", "R1", "seconds")
    origins = {row[-1] for row in rows} - {""}
    further = ("rests on", "origin" if SHIPPED in origins else "submitted by")
    shown = [len(headers) + at for at in range(len(further)) if any(row[-2 + at] for row in rows)]
    columns = [*range(len(headers)), *shown]
    named = (*headers, *further)
    print_table([named[at] for at in columns], [[row[at] for at in columns] for row in rows])
    if said := say_shipped(runs):
        count = sum(row[-1] == SHIPPED and row[5] == OUTDATED for row in rows)
        note(f"{said} Outdated of those: {count:,}." if count else said)
    show_doubts(run.record for run in runs)
    found = {row[5] for row in rows}
    if OUTDATED in found:
        note(
            "Outdated: made by other code, settings or data than are here (--json says which). "
            "`harness run` makes such a run again, `harness drop --outdated` removes it."
        )
    if NOT_COMPARED in found:
        note(f"{NOT_COMPARED}: the method or the data is not here to compare; --plugins may help.")


def _status(run: StoredRun, outdated: Mapping[Path, str | None]) -> str:
    """Return the status of a run; of a finished one, whether it is what would be made today."""
    if run.record.status != "ok" or run.path not in outdated:
        return run.record.status
    return OUTDATED if outdated[run.path] else NOT_COMPARED


def _run(run: StoredRun, outdated: Mapping[Path, str | None]) -> dict[str, Any]:
    why = outdated.get(run.path)
    compared = run.record.status == "ok" and outdated.get(run.path, "") is not None
    own = {
        "path": str(run.path),
        "origin": _origin(run),
        "shipped": is_shipped(run),
        "outdated": why,
        "compared": compared,
    }
    return {**asdict(run.record), **own}


def _origin(run: StoredRun) -> dict[str, str] | None:
    origin = read_origin(run.path)
    return asdict(origin) if origin else None
