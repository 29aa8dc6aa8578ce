"""How evaluations among crowds are shown in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.cli.display.terminal import note, print_table
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.results import evaluation_path, read_evaluation
from harness.results.crowd import CURVE, FIGURES


def show_crowds(specs: Sequence[RunSpec], results: Path) -> None:
    """Show the figures as the gallery grows, means over seeds, and what is to be known of them."""
    groups: dict[tuple[str, str], list[Any]] = {}
    left_aside: set[str] = set()
    for spec in specs:
        for evaluation in spec.evaluations:
            if evaluation.crowd and (curve := _read(spec, evaluation, results)):
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


def _points(curves: Sequence[Any]) -> list[Any]:
    return [curve["curve"] for curve in curves]


def _row(points: Sequence[Any], gallery: int) -> tuple[str, ...]:
    means = (fmean(point[name] for point in points) for name in FIGURES)
    return f"{gallery + points[0]['distractors']:,}", *(f"{mean:.2f}" for mean in means)


def _read(spec: RunSpec, evaluation: FurtherEvaluation, results: Path) -> Any:
    """Return the curve of an evaluation as it was asked for; None where there is none."""
    run = spec.path(results)
    if not evaluation.is_stored(run):
        return None
    file = evaluation_path(run, evaluation.name) / CURVE
    return json.loads(file.read_text(encoding="utf-8"))


def _leaves_aside(spec: RunSpec, evaluation: FurtherEvaluation, results: Path) -> bool:
    record = read_evaluation(evaluation_path(spec.path(results), evaluation.name))
    return record is not None and bool(record.crowd.get("second_look_left_aside"))
