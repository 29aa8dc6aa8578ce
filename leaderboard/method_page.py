"""A method's page: what it is, and on every dataset its results, training, settings and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leaderboard.addresses import Addresses, list_failures
from leaderboard.dataset_card import SHORT_KEY, dataset_card
from leaderboard.estimates import PRIMARY
from leaderboard.load import FULL, Ground, Run, finite
from leaderboard.render import render_page
from leaderboard.reported_figures import explain_reported, own_figures, reported_section
from leaderboard.reported_tables import Paper
from leaderboard.result_tables import ablation_tables, evaluation_table
from leaderboard.site import File, Site
from leaderboard.training_curves import pair_charts, seed_legend, training_charts
from leaderboard.typography import ABSENT, day, fixed, plain, web_address
from leaderboard.views import MethodPage, MethodSection, Note, RunRow, Setting

DEEPEST = 4  # levels of nested settings that are laid out; what lies deeper is written in a line
HARDWARE = ("hardware", "device", "cpu", "gpu")  # what an environment may call its machine


def make_files(site: Site) -> dict[str, File]:
    """Return the page of every method."""
    return {
        file: render_page(
            "method", method_page(method, site.grounds, site.addresses, site.papers), file
        )
        for method, file in site.addresses.files.items()
    }


def method_page(
    method: str, grounds: Sequence[Ground], addresses: Addresses, papers: Mapping[str, Paper]
) -> MethodPage:
    """Show a method on every ground where it ran, and what its paper reports."""
    present = [ground for ground in grounds if method in ground.methods]
    latest = _latest([run for ground in present for run in ground.runs_of(method)]).record
    return MethodPage(
        title=latest.title.strip() or method,
        name=method,
        summary=latest.summary,
        paper=latest.paper,
        url=web_address(latest.url),
        supervision=latest.supervision,
        sections=tuple(_section(method, ground, addresses, papers) for ground in present),
        reported=reported_section(papers.get(method), addresses),
    )


def _section(
    method: str, ground: Ground, addresses: Addresses, papers: Mapping[str, Paper]
) -> MethodSection:
    anchor = addresses.anchors[ground.label]
    variants, runs, full = ground.methods[method], ground.runs_of(method), ground.full(method)
    failures = list_failures(ground, method, addresses)
    paper = own_figures(papers, method, ground)
    results = evaluation_table(variants, paper)
    environments = [_environment(run.record.environment) for run in runs]
    shared = len(set(environments)) == 1
    anchors = {(failure.variant, failure.seed): failure.anchor for failure in failures}
    return MethodSection(
        card=dataset_card(ground, anchor, runs),
        results=((results,) if results else ()) + ablation_tables(variants, paper),
        notes=() if results else (Note("The method as published has no finished run here."),),
        about_reported=explain_reported(papers, method, ground),
        legend=seed_legend(full),
        charts=training_charts(full, anchor),
        pair_charts=pair_charts(full, anchor),
        about_pairs=_about_pairs(_latest(full or runs).record.supervision),
        settings=tuple(_setting_groups(_latest(full or runs))),
        environment=environments[0] if shared else "",
        runs=tuple(_run_row(run, anchors, shared_environment=shared) for run in runs),
        failures=failures,
    )


def _about_pairs(supervision: str) -> str:
    seen = "identities" if supervision == "identity" else "identities, which the method never saw"
    return (
        "While training, the method reported pairs of an image and a caption that it took to show"
        f" one person. The harness scored them against the {seen}."
    )


def _latest(runs: Sequence[Run]) -> Run:
    return max(runs, key=lambda run: run.record.started)


def _setting_groups(run: Run) -> Iterator[Setting]:
    record = run.record
    of_variant = "" if record.variant == FULL else f" of the variant {record.variant}"
    groups = {
        f"Configuration{of_variant}": record.config,
        f"Recipe{of_variant}, scale {record.scale}": record.recipe,
        "Protocol": record.protocol,
        "Environment of the latest run": record.environment,
    }
    for name, values in groups.items():
        if values:
            yield Setting(name, parts=_settings(values, DEEPEST))


def _settings(values: Mapping[str, Any], depth: int) -> tuple[Setting, ...]:
    return tuple(_setting(name, value, depth) for name, value in values.items())


def _setting(name: str, value: Any, depth: int) -> Setting:
    """Lay out mappings and lists of mappings, whose items are numbered from 1."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        value = {str(number): item for number, item in enumerate(value, start=1)}
    if isinstance(value, Mapping) and value and depth:
        return Setting(name, parts=_settings(value, depth - 1))
    return Setting(name, plain(value))


def _run_row(
    run: Run, failure_anchors: Mapping[tuple[str, int], str], *, shared_environment: bool
) -> RunRow:
    record = run.record
    primary = run.metric(PRIMARY) if run.finished else None
    return RunRow(
        variant=record.variant,
        seed=record.seed,
        status=record.status,
        failure=failure_anchors.get((record.variant, record.seed), ""),
        primary=ABSENT if primary is None else fixed(primary, 2),
        selected_epoch=ABSENT if record.selected_epoch is None else str(record.selected_epoch),
        train_seconds=_rounded(record.train_seconds),
        peak_memory=_rounded(record.peak_memory),
        date=day(record.started),
        key=record.key[:SHORT_KEY],
        environment="" if shared_environment else _environment(record.environment),
        command=record.command,
    )


def _rounded(value: float) -> str:
    number = finite(value)
    return fixed(number, 0) if number else ABSENT


def _environment(environment: Mapping[str, Any]) -> str:
    """Name what decides whether a run repeats: torch, the commit and the machine."""
    groups = [value for value in environment.values() if isinstance(value, Mapping)]
    known = {name: value for group in (*groups, environment) for name, value in group.items()}
    named = {
        "torch": plain(known.get("torch", "")),
        "commit": plain(known.get("commit", ""))[:SHORT_KEY],
        "on": next((plain(known[name]) for name in HARDWARE if known.get(name)), ""),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)
