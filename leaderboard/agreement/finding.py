"""The claims about what ran on a ground, each beside the comparison that the pages show of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from harness.data.catalogue import read_catalogue
from harness.errors import unknown
from harness.results.agreement import Agreement, Claim, PrintedFigure, TriedClaim
from harness.significance import Order, measure_order
from leaderboard.agreement.printed import Papers, Printed, find_printed, printed_datasets
from leaderboard.agreement.rows import find_row_claims
from leaderboard.records.contest import Contest, difference
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.load import FULL, Ground, load_grounds
from leaderboard.reported.tables import FOLDER, load_papers

DEFAULT = "cuhk-pedes"  # what stands in for a dataset that no paper measured: all report on it


def find_agreements(
    results: Path, on: str = DEFAULT, suite: str | None = None, datasets: Collection[str] = ()
) -> list[Agreement]:
    """Hold the results of a folder against papers, by suite and dataset.

    A dataset that papers measured is compared with what they print for it, any other with what they
    print for the dataset `on`. Takes the suite and the datasets to look at, by default all.

    Raises:
        ValueError: there is no run.
        HarnessError: there is no such suite or dataset, or no paper prints `on`.
    """
    papers = load_papers(FOLDER)
    if on not in (known := printed_datasets(papers)):
        raise unknown("dataset that papers print", on, known)
    grounds = _chosen(load_grounds(results), suite, datasets)
    return [find_agreement(one, Contest(one, results), papers, on) for one in grounds]


def find_agreement(
    ground: Ground, contest: Contest, papers: Papers, on: str = DEFAULT
) -> Agreement:
    """Hold what ran on a ground against papers; `on` stands in where none measured its dataset."""
    is_same = ground.dataset in printed_datasets(papers)
    dataset = ground.dataset if is_same else on
    title = read_catalogue()[dataset].title
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
    rows, misprints = _try_rows(ground, contest, papers, dataset)
    return Agreement(
        suite=ground.suite,
        dataset=ground.dataset,
        printed_on=title,
        is_same=is_same,
        figures=tuple(_figure(contest, method, found) for method, found in compared.items()),
        pairs=pairs,
        rows=rows,
        order=_order(contest, compared, [one.claim for one in pairs if not one.claim.is_tie]),
        misprints=misprints,
        left_out=tuple(
            (method, _why_left_out(contest, method, method in printed, title))
            for method in sorted(ground.methods)
            if method not in compared
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


def _try_rows(
    ground: Ground, contest: Contest, papers: Papers, dataset: str
) -> tuple[tuple[TriedClaim, ...], int]:
    """Return the claims about rows, judged table by table, and how many are misprints."""
    found = [find_row_claims(p, ground, dataset) for m, p in papers.items() if m in ground.methods]
    tried = (
        TriedClaim(claims[pair], comparison)
        for of_paper in found
        for claims in of_paper.tables
        for pair, comparison in contest.ledger.compare(list(claims), PRIMARY).items()
    )
    return tuple(tried), sum(of_paper.misprints for of_paper in found)


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
    silent = contest.silent.get((method, FULL), "it was not run as published.")
    return silent.rstrip(".")
