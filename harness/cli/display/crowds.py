"""How evaluations among crowds are shown in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.cli.display.terminal import note, print_table
from harness.indexes import KINDS
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.results import evaluation_path, read_evaluation
from harness.results.crowd import CURVE, FIGURES
from harness.results.crowd_index import COSTS, JUDGED
from harness.results.crowd_index import FIGURES as JUDGED_BY


def show_crowds(specs: Sequence[RunSpec], results: Path) -> None:
    """Show the figures as the gallery grows, means over seeds, and what is to be known of them."""
    groups: dict[tuple[str, str], list[Any]] = {}
    left_aside: set[str] = set()
    for spec in specs:
        for evaluation in spec.evaluations:
            if _is_scanned(evaluation) and (curve := _read(spec, evaluation, CURVE, results)):
                groups.setdefault((spec.dataset, spec.name), []).append(curve)
                if _leaves_aside(spec, evaluation, results):
                    left_aside.add(spec.name)
    for (dataset, name), curves in groups.items():
        rows = [_row(points, curves[0]["gallery"]) for points in zip(*_points(curves), strict=True)]
        title = f"{name} on {dataset}, as its gallery grows (%)"
        print_table(("gallery", *FIGURES.values()), rows, title)
    if left_aside:
        names = ", ".join(sorted(left_aside))
        note(f"By cosine alone: the second look of {names} at its first candidates is left aside.")


def show_indexes(specs: Sequence[RunSpec], results: Path) -> None:
    """Show what indexes miss beside an exact scan, and what both take; means over seeds."""
    rows: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for (dataset, name, index), kept in _indexed(specs, results).items():
        points = zip(*(one["points"] for one in kept), strict=True)
        rows.setdefault((dataset, name), []).extend(
            _index_row(index, of_size, kept[0]["gallery"]) for of_size in points
        )
    columns = "index", "gallery", *(f"{name} %" for name in JUDGED_BY.values()), *COSTS.values()
    for (dataset, name), of_method in rows.items():
        print_table(columns, of_method, f"{name} on {dataset}, through an index")
    if rows:
        note(
            "Recall@1 and @10: of the exact nearest one and ten, what the index gave. Times are of "
            "single queries in one thread, on this machine as busy as it was."
        )


def _indexed(specs: Sequence[RunSpec], results: Path) -> dict[tuple[str, str, str], list[Any]]:
    """Return what was found through indexes, by dataset, method and index; a value a seed."""
    found: dict[tuple[str, str, str], list[Any]] = {}
    for spec in specs:
        for one in spec.evaluations:
            index = one.crowd.index if one.crowd else ""
            if index and (kept := _read(spec, one, JUDGED, results)):
                found.setdefault((spec.dataset, spec.name, index), []).append(kept)
    return found


def _index_row(index: str, points: Sequence[Any], gallery: int) -> tuple[str, ...]:
    figures = (fmean(point[name] for point in points) for name in JUDGED_BY)
    costs = {name: fmean(point[name] for point in points) for name in COSTS}
    return (
        KINDS[index].title,
        f"{gallery + points[0]['distractors']:,}",
        *(f"{figure:.2f}" for figure in figures),
        f"{costs['milliseconds']:.2f}",
        f"{costs['scan_milliseconds']:.2f}",
        f"{costs['build_seconds']:,.1f}",
        f"{costs['bytes'] / 1e6:,.1f}",
    )


def _is_scanned(evaluation: FurtherEvaluation) -> bool:
    return evaluation.crowd is not None and not evaluation.crowd.index


def _points(curves: Sequence[Any]) -> list[Any]:
    return [curve["curve"] for curve in curves]


def _row(points: Sequence[Any], gallery: int) -> tuple[str, ...]:
    means = (fmean(point[name] for point in points) for name in FIGURES)
    return f"{gallery + points[0]['distractors']:,}", *(f"{mean:.2f}" for mean in means)


def _read(spec: RunSpec, evaluation: FurtherEvaluation, name: str, results: Path) -> Any:
    """Return what a file of an evaluation as it was asked for holds; None where there is none."""
    run = spec.path(results)
    if not evaluation.is_stored(run):
        return None
    file = evaluation_path(run, evaluation.name) / name
    return json.loads(file.read_text(encoding="utf-8"))


def _leaves_aside(spec: RunSpec, evaluation: FurtherEvaluation, results: Path) -> bool:
    record = read_evaluation(evaluation_path(spec.path(results), evaluation.name))
    return record is not None and bool(record.crowd.get("second_look_left_aside"))
