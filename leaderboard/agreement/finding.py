"""The claims about what ran on a ground, each beside the comparison that the pages show of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from harness.errors import unknown
from harness.results import variant_name
from harness.results.agreement import Agreement, Claim, PrintedFigure, TriedClaim
from harness.results.shipped import say_shipped
from harness.significance import Order, measure_order
from leaderboard.agreement.printed import Papers, Printed, find_printed, printed_datasets
from leaderboard.agreement.rows import RowClaims, find_row_claims
from leaderboard.records.contest import Contest, difference
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL, Ground, load_grounds
from leaderboard.reported.tables import FOLDER, dataset_titles, load_papers

FAILED = "its runs failed"
UNREAD = "it began a run, of which there is no record that can be read"
DEFAULT = "cuhk-pedes"  # what stands in for a dataset that no paper measured: all report on it


def find_agreements(
    results: Path, on: str = DEFAULT, suite: str | None = None, datasets: Collection[str] = ()
) -> list[Agreement]:
    """Hold the results of a folder against papers, by suite and dataset.

    A dataset that papers measured is compared with what they print for it, any other with what they
    print for the dataset `on`. Takes the suite and the datasets to look at, by default all; the
    runs of a suite that ship are looked at where it is named, or ran here, or nothing did.

    Raises:
        ValueError: there is no run.
        HarnessError: there is no such suite or dataset, or no paper prints `on`.
    """
    papers = load_papers(FOLDER)
    if on not in (known := printed_datasets(papers)):
        raise unknown("dataset that papers print", on, known)
    grounds = _chosen(load_grounds(results, suite is not None), suite, datasets)
    return [find_agreement(one, Contest(one, results), papers, on) for one in grounds]


def find_agreement(
    ground: Ground, contest: Contest, papers: Papers, on: str = DEFAULT
) -> Agreement:
    """Hold what ran on a ground against papers; `on` stands in where none measured its dataset."""
    is_same = ground.dataset in printed_datasets(papers)
    dataset = ground.dataset if is_same else on
    title = dataset_titles()[dataset]
    printed = {
        method: found
        for method in sorted(ground.methods)
        if (found := find_printed(papers, method, dataset))
    }
    compared = {
        method: found
        for method, found in sorted(printed.items(), key=lambda item: -item[1].value)
        if (method, FULL) in contest.answers
    }
    pairs = tuple(_try_pairs(contest, compared))
    claims = [find_row_claims(p, ground, dataset) for m, p in papers.items() if m in ground.methods]
    return Agreement(
        suite=ground.suite,
        dataset=ground.dataset,
        printed_on=title,
        is_same=is_same,
        is_drawn=ground.is_drawn,
        figures=tuple(_figure(contest, method, found) for method, found in compared.items()),
        pairs=pairs,
        rows=_try_rows(contest, claims),
        shipped=say_shipped([run.stored for run in ground.runs]),
        order=_order(contest, compared, [one.claim for one in pairs if not one.claim.is_tie]),
        misprints=sum(of_paper.misprints for of_paper in claims),
        left_out=(
            *(
                (method, _why_left_out(contest, method, method in printed, title))
                for method in sorted(ground.methods)
                if method not in compared
            ),
            *((method, UNREAD) for method in ground.unread),
            *_rows_left_out(contest, claims),
        ),
    )


def _chosen(
    grounds: Sequence[Ground], suite: str | None, datasets: Collection[str]
) -> list[Ground]:
    suites = {ground.suite for ground in grounds}
    if suite is not None and suite not in suites:
        raise unknown("suite with runs", suite, suites)
    found = [ground for ground in grounds if suite in (None, ground.suite)]
    there = {ground.dataset for ground in found}
    for dataset in datasets:
        if dataset not in there:
            raise unknown("dataset with runs", dataset, there)
    return [ground for ground in found if not datasets or ground.dataset in datasets]


def _try_pairs(contest: Contest, compared: Mapping[str, Printed]) -> Iterator[TriedClaim]:
    """Yield each pair of methods, the one that is better in print first."""
    family = contest.family(PRIMARY)
    if family is None:
        return
    for a, b in combinations(compared, 2):
        claim = Claim(
            a=a,
            b=b,
            difference=compared[a].value - compared[b].value,
            sources=(*compared[a].sources, *compared[b].sources),
        )
        yield TriedClaim(claim, difference(family, (a, FULL), (b, FULL)))


def _try_rows(contest: Contest, found: Sequence[RowClaims]) -> tuple[TriedClaim, ...]:
    """Return the claims about rows, judged table by table."""
    return tuple(
        TriedClaim(claims[pair], comparison)
        for of_paper in found
        for claims in of_paper.tables
        for pair, comparison in contest.ledger.compare(list(claims), PRIMARY).items()
    )


def _rows_left_out(contest: Contest, found: Sequence[RowClaims]) -> Iterator[tuple[str, str]]:
    """Yield the rows that are claimed of but have no answers, and why; methods are told of apart.

    A row that stands in several tables is told of once.
    """
    tables = (claims for of_paper in found for claims in of_paper.tables)
    claimed = dict.fromkeys(entry for claims in tables for pair in claims for entry in pair)
    for entry in claimed:
        if entry[1] != FULL and entry not in contest.answers:
            yield variant_name(*entry), _why_silent(contest, entry)


def _order(
    contest: Contest, compared: Mapping[str, Printed], claims: Sequence[Claim]
) -> Order | None:
    if len(compared) < 2:
        return None
    answers = {method: contest.answers[method, FULL] for method in compared}
    return measure_order(
        {method: one.values[PRIMARY] for method, one in answers.items()},
        [(claim.a, claim.b) for claim in claims],
        next(iter(answers.values())).people,
        contest.ledger.spreads[PRIMARY],
    )


def _figure(contest: Contest, method: str, printed: Printed) -> PrintedFigure:
    measured = float(contest.answers[method, FULL].values[PRIMARY].mean())
    return PrintedFigure(method, printed.value, measured, printed.sources, printed.suspect)


def _why_left_out(contest: Contest, method: str, is_printed: bool, title: str) -> str:
    if not is_printed:
        return f"no paper that is held here prints it for {title}"
    return _why_silent(contest, (method, FULL))


def _why_silent(contest: Contest, entry: Entry) -> str:
    """Say why nothing is known of what was run; of a method, also where only its rows were."""
    method, variant = entry
    variants = contest.ground.without_noise(method)
    runs = variants.get(variant) or [run for them in variants.values() for run in them]
    if runs and not any(run.finished for run in runs):
        return FAILED
    return contest.silent.get(entry, "it was not run as published.").rstrip(".")
