"""Makes the page of every method, with a section for each dataset that it ran on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote

from harness.results import TIED, RunRecord
from harness.results.paper import UNDISCLOSED
from harness.results.shipped import say_shipped
from leaderboard.ablations.corrected import ABOUT_DIFFERENCES
from leaderboard.ablations.parts import part_table
from leaderboard.ablations.section import Hrefs
from leaderboard.ablations.sweeps import find_sweep, sweep_charts, sweep_words
from leaderboard.ablations.views import ResultTable
from leaderboard.dataset_card import dataset_card
from leaderboard.literature import method_address
from leaderboard.method.asked_otherwise import asked_tables
from leaderboard.method.cmc import cmc_view
from leaderboard.method.confusions import confusion_table
from leaderboard.method.evaluations import Evaluations, evaluation_table
from leaderboard.method.ground_statistics import GroundStatistics, measure
from leaderboard.method.highlights import highlight_section
from leaderboard.method.other_queries import query_tables
from leaderboard.method.result_tables import ablation_table
from leaderboard.method.runs import (
    environment_in_words,
    handed_in_words,
    latest,
    run_anchors,
    run_groups,
    setting_groups,
)
from leaderboard.method.slices import slice_table
from leaderboard.method.statement import judge
from leaderboard.method.training_curves import pair_charts, seed_legend, training_charts
from leaderboard.method.views import MethodPage, MethodSection, SweepView
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import summarize
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL, Ground, Run, Variants
from leaderboard.reported.figures import OwnFigures, explain_reported, own_figures, reported_section
from leaderboard.robustness import of_method
from leaderboard.site.addresses import list_failures, marked
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site
from leaderboard.strips.section import strip_section, why_nothing_retrieved
from leaderboard.typography import web_address
from leaderboard.views import Note


def make_files(site: Site) -> dict[str, File]:
    """Return the page of every method."""
    statistics = [measure(site.contests[ground.label], site.papers) for ground in site.grounds]
    return {
        file: render_page("method", method_page(method, site, statistics), file, site.stamp)
        for method, file in site.addresses.files.items()
    }


def method_page(method: str, site: Site, statistics: Sequence[GroundStatistics]) -> MethodPage:
    """Show a method on every ground where it ran, and what its paper reports."""
    present = [one for one in statistics if method in one.contest.ground.methods]
    runs = [run for one in present for run in one.contest.ground.runs_of(method)]
    record = latest(runs).record
    return MethodPage(
        title=marked(record.title.strip() or method, record.mark),
        name=method,
        summary=record.summary,
        paper=str(record.paper),
        url=web_address(record.url),
        supervision=record.supervision,
        extra_data=_extra_data([run.record for run in runs]),
        rests_on=handed_in_words(record),
        sections=tuple(_section(Subject(method, site, one)) for one in present),
        reported=reported_section(site.papers.get(method), site.addresses),
        reported_by_all=method_address(site.papers, method),
    )


SEEN_PEOPLE = {
    "with": "It had seen images of people before it was trained here.",
    "without": "It had seen no images of people before it was trained here.",
    UNDISCLOSED: "Whether it had seen images of people before is not said.",
}


def _extra_data(records: Sequence[RunRecord]) -> tuple[tuple[str, str], ...]:
    """Return, by scale, what a method was trained on beside the benchmark."""
    told = {record.scale: UNDISCLOSED for record in records}
    # Of several the latest tells, and of all variants the method as published.
    for one in sorted(records, key=lambda record: (record.variant == FULL, record.started)):
        if one.extra_data is not None:
            told[one.scale] = f"{one.extra_data}. {SEEN_PEOPLE[one.extra_data.seen_people]}"
    return tuple(told.items())


@dataclass(frozen=True)
class Subject:
    """A method on one ground, with what its figures stand beside and lead to."""

    method: str
    site: Site
    statistics: GroundStatistics

    @property
    def ground(self) -> Ground:
        return self.statistics.contest.ground

    @property
    def variants(self) -> Variants:
        return self.ground.methods[self.method]

    @cached_property
    def anchor(self) -> str:
        return self.site.addresses.anchors[self.ground.label]

    @cached_property
    def paper(self) -> OwnFigures:
        return own_figures(self.site.papers, self.method, self.ground)

    @cached_property
    def run_anchors(self) -> dict[Entry, str]:
        return run_anchors(self.method, self.variants, self.anchor)

    @cached_property
    def hrefs(self) -> Hrefs:
        return {entry: f"#{quote(anchor)}" for entry, anchor in self.run_anchors.items()}

    def where(self, entry: Entry) -> str:
        """Return the address of the runs of an entry, on this page or on that of its method."""
        if entry in self.hrefs:
            return self.hrefs[entry]
        page = self.site.addresses.files[entry[0]].rpartition("/")[2]
        return f"{quote(page)}#{quote(self.anchor)}"


def _section(subject: Subject) -> MethodSection:
    method, statistics, anchor = subject.method, subject.statistics, subject.anchor
    contest, ground, addresses = statistics.contest, subject.ground, subject.site.addresses
    runs, full = ground.runs_of(method), ground.full(method)
    failures = list_failures(ground, method, addresses)
    environments = {environment_in_words(run) for run in runs}
    evaluations = _evaluations(subject)
    results = evaluation_table(evaluations) if evaluations.runs else None
    ablations, sweeps = _ablations(subject)
    entry = (method, FULL)
    silence = statistics.ledger.silent.get(entry, "")
    section = MethodSection(
        card=dataset_card(ground, anchor, runs),
        contents=(),
        statement=judge(
            contest,
            method,
            statistics.places,
            subject.paper,
            silence,
            subject.site.addresses.titles,
        ),
        results=results,
        notes=(*_notes(full), *_why_no_strips(contest, method)),
        failed_evaluations=evaluations.failures,
        about_reported=explain_reported(subject.site.papers, method, ground),
        about_differences=_about_differences(results, ablations, sweeps),
        ablations=ablations,
        noise=of_method(ground, method, subject.site.papers, subject.where, f"noise-{anchor}"),
        asked=asked_tables(full, f"asked-{anchor}"),
        other_queries=query_tables(ground, method, subject.where, f"queries-{anchor}"),
        parts=part_table(
            statistics.contributions[method], statistics.ledger, subject.hrefs, f"parts-{anchor}"
        ),
        sweeps=sweeps,
        slices=slice_table(statistics.sliced, entry, f"slices-{anchor}"),
        cmc=cmc_view(statistics.curves, entry, addresses, f"cmc-{anchor}"),
        strips=strip_section(contest, method, anchor),
        confusions=confusion_table(statistics.mistakes, method, f"confusions-{anchor}"),
        highlights=highlight_section(contest, method, anchor),
        legend=seed_legend(full),
        charts=training_charts(full, anchor),
        pair_charts=pair_charts(full, anchor),
        about_pairs=_about_pairs(latest(full or runs).record.supervision),
        settings=tuple(setting_groups(latest(full or runs))),
        environment=environments.pop() if len(environments) == 1 else "",
        shipped=say_shipped([run.stored for run in runs]),
        runs=run_groups(subject.variants, subject.run_anchors, failures),
        failures=failures,
    )
    return replace(section, contents=tuple(_contents(section, anchor)))


def _notes(runs: Sequence[Run]) -> tuple[Note, ...]:
    """Say whether there is a ranked evaluation, and how many of its queries hang on a tie."""
    found = summarize(runs, TIED)
    if not any(run.finished for run in runs):
        return (Note("The method as published has no finished run here."),)
    if found is None:
        return (Note("It was not recorded how many queries hang on how ties break."),)
    share = f"Of all queries {found.mean:.3g} %" if found.mean else "No query"
    verb = "hang" if found.mean else "hangs"
    return (Note(f"{share} {verb} on how ties break."),)


def _why_no_strips(contest: Contest, method: str) -> tuple[Note, ...]:
    why = why_nothing_retrieved(contest, (method, FULL))
    return (Note(why),) if why else ()


def _evaluations(subject: Subject) -> Evaluations:
    return Evaluations(
        method=subject.method,
        runs=[run for run in subject.variants.get(FULL, []) if run.finished],
        results=subject.site.results,
        paper=subject.paper,
        href=subject.hrefs.get((subject.method, FULL), ""),
        anchor=f"results-{subject.anchor}",
    )


def _ablations(subject: Subject) -> tuple[tuple[ResultTable, ...], tuple[SweepView, ...]]:
    """Return the method's tables: those that vary one number with their curves, and the others."""
    tables, sweeps = [], []
    found = subject.statistics.ablations[subject.method]
    for number, ablation in enumerate(found, start=1):
        anchor = f"ablation-{subject.anchor}-{number}"
        ledger = subject.statistics.ledger
        table = ablation_table(ablation, ledger, subject.paper, subject.hrefs, anchor)
        sweep = find_sweep(ablation)
        charts = sweep_charts(sweep, ledger, f"sweep-{subject.anchor}-{number}") if sweep else ()
        if sweep and charts:
            sweeps.append(SweepView(sweep_words(sweep), charts, table))
        else:
            tables.append(table)
    return tuple(tables), tuple(sweeps)


def _about_differences(
    results: ResultTable | None, ablations: Sequence[ResultTable], sweeps: Sequence[SweepView]
) -> str:
    """Explain the differences of the ablations, unless the table of results did before."""
    tables = (*ablations, *(sweep.table for sweep in sweeps))
    is_said = results is not None and results.difference_columns
    has_any = any(table.difference_columns for table in tables)
    return ABOUT_DIFFERENCES if has_any and not is_said else ""


def _contents(section: MethodSection, anchor: str) -> Iterator[tuple[str, str]]:
    """Yield what a reader can jump to, in the order of the page."""
    tables = (section.results, *section.ablations, *(sweep.table for sweep in section.sweeps))
    named = [(table.anchor, table.title) for table in tables if table]
    before = 1 + len(section.ablations) if section.results else len(section.ablations)
    yield from named[:before]
    if section.parts:
        yield section.parts.anchor, "What each part adds"
    yield from named[before:]
    if section.noise:
        yield section.noise.anchor, "Under noise"
    yield from ((table.anchor, table.title) for table in section.asked)
    yield from ((table.anchor, table.title) for table in section.other_queries)
    if section.slices:
        yield section.slices.anchor, "Kinds of queries"
    if section.cmc:
        yield section.cmc.anchor, "Match curve"
    if section.strips:
        yield f"strips-{anchor}", "What it finds"
    if section.confusions:
        yield section.confusions.anchor, "What it confuses"
    if section.highlights:
        yield section.highlights.anchor, "Where it looks"
    if section.charts:
        yield f"training-{anchor}", "Training"
    yield f"runs-{anchor}", "Runs"
    if section.settings:
        yield f"settings-{anchor}", "Settings"


def _about_pairs(supervision: str) -> str:
    seen = "identities" if supervision == "identity" else "identities, which the method never saw"
    return (
        "While training, the method reported pairs of an image and a caption that it took to show"
        f" one person. The harness scored them against the {seen}."
    )
