"""How claims of papers are shown in the terminal, beside what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from harness.cli.display.comparisons import interval_decimals, write_probability, write_span
from harness.cli.display.terminal import note, print_table
from harness.results.agreement import (
    OF_METHODS,
    OF_ROWS,
    Agreement,
    Outcome,
    PrintedFigure,
    TriedClaim,
    count_outcomes,
    say_outcomes,
    table_of,
    total_concordance,
)
from harness.significance import Concordance

ABOUT = (
    "stands: whether the measured difference has the printed sign; what is printed less than 1.0 "
    "apart is a tie. p and 95 % are for all pairs of methods at once, or all differences of a "
    "table. Kendall's tau: 1 is the order of the papers, -1 its reverse."
)
WORDS = {Outcome.AGREES: "yes", Outcome.DISAGREES: "no", Outcome.TIED: "a tie in print"}


def show_agreements(agreements: Sequence[Agreement], as_json: bool) -> None:
    """Show what became of the claims, by suite and dataset."""
    if as_json:
        print(json.dumps(_plain_all(agreements), indent=1))
        return
    for agreement in agreements:
        _print_figures(agreement)
        _print_methods(agreement)
        _print_rows(agreement)
        _note_left_out(agreement)
    note(ABOUT)


def _print_figures(agreement: Agreement) -> None:
    rows = [
        (
            one.method,
            f"{one.printed:.2f}",
            f"{one.measured:.2f}",
            "; ".join([*map(str, one.sources), *_flag(one.suspect)]),
        )
        for one in agreement.figures
    ]
    title = f"{agreement.dataset} ({agreement.suite}), R1; papers: {agreement.printed_on}"
    print_table(("method", "papers", "here", "printed in"), rows, title)
    print()


def _flag(suspect: str) -> list[str]:
    return [f"suspect: {suspect}"] if suspect else []


def _print_methods(agreement: Agreement) -> None:
    if not agreement.pairs:
        return
    _print_claims(agreement.pairs, None)
    _print_counts(agreement.pairs, OF_METHODS, agreement)
    if agreement.concordance.tau is not None:
        print(_say_tau(agreement.concordance.tau, agreement.concordance.interval))
    print()


def _print_rows(agreement: Agreement) -> None:
    """Print the differences of rows, table by table, as they are judged."""
    if not agreement.rows:
        return
    for (paper, table), tried in groupby(agreement.rows, key=table_of):
        _print_claims(list(tried), f"{paper}, {table}")
        print()
    _print_counts(agreement.rows, OF_ROWS, agreement)
    print()


def _print_claims(tried: Sequence[TriedClaim], title: str | None) -> None:
    decimals = interval_decimals([one.found.high - one.found.low for one in tried])
    rows = [
        (
            f"{one.claim.a} - {one.claim.b}",
            f"{one.claim.difference:+.2f}",
            f"{one.found.difference:+z.{decimals}f}",
            write_span(one.found.low, one.found.high, decimals),
            write_probability(one.found.adjusted),
            f"{WORDS[one.outcome]}{', told apart' if one.found.is_real else ''}",
        )
        for one in tried
    ]
    print_table(("difference", "papers", "here", "95 %", "p", "stands"), rows, title)


def _print_counts(
    tried: Sequence[TriedClaim], nouns: tuple[str, str], agreement: Agreement
) -> None:
    for said in say_outcomes(count_outcomes(tried), nouns, agreement.printed_on):
        print(said)


def _note_left_out(agreement: Agreement) -> None:
    if agreement.shipped:
        note(agreement.shipped)
    if not agreement.is_same:
        holds = "photographs" if agreement.is_drawn else "another dataset"
        note(f"No paper measured {agreement.dataset}; what holds on {holds} need not there.")
    if agreement.misprints:
        note(
            f"Misprints among the differences of rows, which claim nothing: {agreement.misprints}."
        )
    if not agreement.rows and not agreement.misprints:
        note("No two rows of an ablation table ran: harness run --all --ablations runs them.")
    for method, why in agreement.left_out:
        note(f"Left out: {method}, {why}.")


def _say_tau(tau: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"Kendall's tau {tau:z.2f}; with fewer than three methods, no interval."
    return f"Kendall's tau {tau:z.2f} (95 %: {write_span(*interval, 2)})."


def _plain_all(agreements: Sequence[Agreement]) -> dict[str, Any]:
    """Return the figures of all datasets at once, and of each."""
    pairs = [tried for one in agreements for tried in one.pairs]
    rows = [tried for one in agreements for tried in one.rows]
    return {
        **_figures(total_concordance(agreements), pairs, rows),
        "datasets": [_plain(one) for one in agreements],
    }


def _figures(
    found: Concordance, pairs: Sequence[TriedClaim], rows: Sequence[TriedClaim]
) -> dict[str, Any]:
    return {
        "tau": found.tau,
        "tau_interval": found.interval,
        "pairs": asdict(count_outcomes(pairs)),
        "rows": asdict(count_outcomes(rows)),
    }


def _plain(agreement: Agreement) -> dict[str, Any]:
    return {
        "suite": agreement.suite,
        "dataset": agreement.dataset,
        "printed_on": agreement.printed_on,
        **_figures(agreement.concordance, agreement.pairs, agreement.rows),
        "shipped": agreement.shipped,
        "misprints": agreement.misprints,
        "methods": [_plain_figure(one) for one in agreement.figures],
        "pairs_of_methods": [_plain_claim(one) for one in agreement.pairs],
        "differences_of_rows": [_plain_claim(one) for one in agreement.rows],
        "left_out": dict(agreement.left_out),
    }


def _plain_figure(figure: PrintedFigure) -> dict[str, Any]:
    return {
        "method": figure.method,
        "printed": float(figure.printed),
        "measured": figure.measured,
        "sources": [str(source) for source in figure.sources],
        "suspect": figure.suspect,
    }


def _plain_claim(tried: TriedClaim) -> dict[str, Any]:
    claim, found = tried.claim, tried.found
    return {
        "a": claim.a,
        "b": claim.b,
        "printed": float(claim.difference),
        "measured": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.adjusted,
        "outcome": tried.outcome.value,
        "told_apart": found.is_real,
        "sources": [str(source) for source in claim.sources],
    }
