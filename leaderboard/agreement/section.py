"""Writes what became of the claims about each dataset, for the page of the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from harness.results.agreement import (
    OF_METHODS,
    OF_ROWS,
    Agreement,
    Outcome,
    PrintedFigure,
    Source,
    TriedClaim,
    count_outcomes,
    say_counts,
    say_outcomes,
    table_of,
)
from harness.significance import Concordance
from leaderboard.agreement.finding import find_agreement
from leaderboard.agreement.views import (
    AgreementSection,
    ClaimGroup,
    ClaimRow,
    ClaimTable,
    MethodRow,
)
from leaderboard.dataset_card import dataset_card
from leaderboard.drawing.whiskers import STEPS, Interval, draw_dot, draw_middle, draw_span
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.records.load import Ground
from leaderboard.site.site import Site
from leaderboard.typography import (
    counted,
    fixed,
    interval_end,
    probability,
    scale_end,
    signed,
    spread_decimals,
)

STANDS = {Outcome.AGREES: "yes", Outcome.DISAGREES: "no", Outcome.TIED: "tie in print"}
ORDER = (Outcome.DISAGREES, Outcome.AGREES, Outcome.TIED)  # what a reader asks about comes first
NOWHERE = Interval(0.0, 0.0, 0.0)


def agreement_of(site: Site, ground: Ground) -> Agreement:
    """Hold a ground of a site against papers."""
    return find_agreement(ground, site.contests[ground.label], site.papers)


def section_anchor(site: Site, ground: Ground) -> str:
    """Return the anchor of what became of the claims about a ground, on the protocol's page."""
    return f"agreement-{site.addresses.anchors[ground.label]}"


def agreement_line(site: Site, ground: Ground) -> str:
    """Say how many pairs of methods stand as printed; empty where papers claim nothing of them."""
    agreement = agreement_of(site, ground)
    counts = count_outcomes(agreement.pairs)
    return say_counts(counts, OF_METHODS, agreement.printed_on) if counts.claimed else ""


def find_sections(site: Site) -> tuple[AgreementSection, ...]:
    """Write a section for each ground of which papers claim something."""
    found = [(ground, agreement_of(site, ground)) for ground in site.grounds]
    return tuple(_section(site, *one) for one in found if one[1].pairs or one[1].rows)


def _section(site: Site, ground: Ground, agreement: Agreement) -> AgreementSection:
    anchor = section_anchor(site, ground)
    card = dataset_card(ground, anchor, ground.runs)
    titles = site.addresses.titles
    widths = [one.found.high - one.found.low for one in (*agreement.pairs, *agreement.rows)]
    decimals = spread_decimals(widths)
    return AgreementSection(
        anchor=anchor,
        title=card.title,
        suite=card.suite,
        statements=tuple(_statements(agreement, card.title)),
        methods=tuple(_method(site, one, decimals) for one in agreement.figures),
        tables=tuple(_tables(agreement, titles, decimals)),
        remarks=tuple(_remarks(site, agreement)),
        otherness=_otherness(agreement),
    )


def _statements(agreement: Agreement, title: str) -> list[str]:
    """Say what stands, and by which figures."""
    said = []
    if not agreement.is_same:
        said.append(
            f"No paper measured {title}: what papers print for {agreement.printed_on} stands in."
        )
    if agreement.pairs:
        counts = count_outcomes(agreement.pairs)
        stands = say_outcomes(counts, OF_METHODS, agreement.printed_on)
        said.append(" ".join([*stands, *_say_tau(agreement.concordance)]))
    if agreement.rows:
        counts = count_outcomes(agreement.rows)
        said.append(" ".join(say_outcomes(counts, OF_ROWS, agreement.printed_on)))
    return said


def _say_tau(found: Concordance) -> list[str]:
    """Say what tau is, with its interval; nothing where papers claim no order."""
    if found.tau is None:
        return []
    tau = f"Kendall\N{RIGHT SINGLE QUOTATION MARK}s tau is {fixed(found.tau, 2)}"
    if found.interval is None:
        return [f"{tau}; of fewer than three methods it has no interval."]
    low, high = (fixed(end, 2) for end in found.interval)
    return [f"{tau}, with a 95 % interval from {low} to {high}."]


def _remarks(site: Site, agreement: Agreement) -> list[str]:
    """Say what is not counted, and why."""
    titles = site.addresses.titles
    said = [f"Left out: {_title(name, titles)}; {why}." for name, why in agreement.left_out]
    if agreement.misprints:
        differences = counted(agreement.misprints, "difference")
        said.append(f"Not counted, because of a suspect figure: {differences} between rows.")
    return said


def _title(name: str, titles: Mapping[str, str]) -> str:
    """Return the title of a method, or of a row with its method's."""
    method, colon, row = name.partition(":")
    return f"{titles.get(method, method)}{colon and ': '}{row}"


def _otherness(agreement: Agreement) -> str:
    """Say why the people of a dataset may bear a method out less than those of the papers did."""
    if agreement.is_same:
        return ""
    if agreement.is_drawn:
        return "People that were drawn ask other things of a method than photographs do."
    return "A dataset that no paper measured asks other things of a method than theirs do."


def _method(site: Site, figure: PrintedFigure, decimals: int) -> MethodRow:
    titles = site.addresses.titles
    return MethodRow(
        name=titles[figure.method],
        href=site.addresses.page(figure.method),
        printed=f"{figure.printed:.2f}",
        measured=fixed(figure.measured, decimals),
        sources=tuple(_source(source, titles) for source in figure.sources),
        suspect=figure.suspect,
    )


def _source(source: Source, titles: Mapping[str, str]) -> str:
    return f"{titles.get(source.paper, source.paper)}, {source.table}: {source.row}"


def _tables(agreement: Agreement, titles: Mapping[str, str], decimals: int) -> list[ClaimTable]:
    tables = []
    if agreement.pairs:
        pairs = sorted(agreement.pairs, key=_urgency)
        named = [(one, titles[one.claim.a], titles[one.claim.b]) for one in pairs]
        tables.append(_table("Methods", "Pair", [("", named)], decimals))
    if agreement.rows:
        groups = [
            (
                f"{titles.get(paper, paper)}, {table}",
                [(one, *_labels(one)) for one in tried],
            )
            for (paper, table), tried in groupby(agreement.rows, key=table_of)
        ]
        tables.append(_table("Ablation rows", "Rows", groups, decimals))
    return tables


def _urgency(tried: TriedClaim) -> tuple[int, bool]:
    return ORDER.index(tried.outcome), not tried.found.is_real


def _labels(tried: TriedClaim) -> tuple[str, str]:
    """Return the labels of two rows as they are printed."""
    first, second = tried.claim.sources
    return first.row, second.row


Named = tuple[TriedClaim, str, str]  # with the names of the two


def _table(
    title: str, header: str, groups: Sequence[tuple[str, Sequence[Named]]], decimals: int
) -> ClaimTable:
    tried = [one for _, of_group in groups for one, *_ in of_group]
    scale = _scale(tried)
    return ClaimTable(
        title=title,
        caption=f"{title}: the first less the second by R1, in points. The dot is the printed"
        " difference; the mark with its interval is the one measured here, grey where the interval"
        " holds zero.",
        header=header,
        scale=(scale_end(scale.low), scale_end(scale.high)),
        zero=draw_middle(NOWHERE, scale),
        groups=tuple(
            ClaimGroup(name, tuple(_row(*one, scale, decimals) for one in of_group))
            for name, of_group in groups
        ),
    )


def _scale(tried: Sequence[TriedClaim]) -> Scale:
    """Return a scale that holds zero and every difference, printed and measured."""
    ends = [end for one in tried for end in (one.found.low, one.found.high)]
    return round_scale([0.0, *ends, *(float(one.claim.difference) for one in tried)], STEPS)


def _row(tried: TriedClaim, better: str, other: str, scale: Scale, decimals: int) -> ClaimRow:
    found, printed = tried.found, float(tried.claim.difference)
    interval = Interval(found.low, found.difference, found.high)
    return ClaimRow(
        better=better,
        other=other,
        printed=signed(printed, 2),
        measured=signed(found.difference, decimals),
        interval=f"{interval_end(found.low, decimals)} to {interval_end(found.high, decimals)}",
        p_value=probability(found.adjusted),
        is_real=found.is_real,
        stands=STANDS[tried.outcome],
        span=draw_span(interval, scale),
        middle=draw_middle(interval, scale),
        dot=_dot(printed, scale),
    )


def _dot(printed: float, scale: Scale) -> str:
    """Return a path without length, which round caps make a dot in any stretched drawing."""
    return draw_dot(Interval(printed, printed, printed), scale)
