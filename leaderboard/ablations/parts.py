"""What each component of a method adds: variants that were run and differ in nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from harness.limits import RUN_OPTIONS
from harness.results import RunRecord
from leaderboard.ablations.components import LOSSES, losses_of, parts_of, setting_of
from leaderboard.ablations.corrected import correct
from leaderboard.ablations.section import Hrefs
from leaderboard.ablations.views import PartGroup, PartRow, PartTable
from leaderboard.records.ledger import Entry, Ledger, Pair
from leaderboard.records.load import FULL, Ground
from leaderboard.typography import listed

LEFT_OUT = "left out of the method as published"


@dataclass(frozen=True)
class Contribution:
    """A variant with a component and one without it, equal in all else."""

    component: str
    with_it: Entry
    without_it: Entry
    beside: frozenset[str]  # the losses that both have

    @property
    def pair(self) -> Pair:
        return self.with_it, self.without_it

    @property
    def kind(self) -> str:
        """How a paper would call the step."""
        if self.with_it[1] == FULL:
            return LEFT_OUT
        return f"added to {listed(sorted(self.beside))}" if self.beside else "added to nothing"


def find_contributions(method: str, ground: Ground) -> tuple[Contribution, ...]:
    """Return all pairs of a method's variants that differ by exactly one component.

    Components are losses and switches. Pairs of one component stand together: first where it was
    left out of the method as published, then by how little else was on.
    """
    variants = ground.without_noise(method)
    labels = sorted(variants, key=lambda label: label != FULL)  # whose losses lead the order
    records = {(method, label): variants[label][-1].record for label in labels}
    found = [
        contribution
        for (a, first), (b, second) in combinations(records.items(), 2)
        if (contribution := _contribution(a, first, b, second))
    ]
    order = {name: None for record in records.values() for name in losses_of(record) or {}}
    places = {name: place for place, name in enumerate(order)}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                places.get(one.component, len(places)), one.component,
                one.kind != LEFT_OUT, len(one.beside), one.without_it,
            ),
        )
    )  # fmt: skip


def part_table(
    contributions: Sequence[Contribution], ledger: Ledger, hrefs: Hrefs, anchor: str
) -> PartTable | None:
    """Write what each component adds; None where no pair of variants can tell."""
    corrected = correct(ledger, [one.pair for one in contributions])
    if corrected is None:
        return None
    rows: dict[str, list[PartRow]] = {}
    for one in contributions:
        row = PartRow(
            kind=one.kind,
            with_it=one.with_it[1],
            with_href=hrefs[one.with_it],
            without_it=one.without_it[1],
            without_href=hrefs[one.without_it],
            differences=corrected.cells(one.pair),
        )
        rows.setdefault(one.component, []).append(row)
    return PartTable(
        anchor=anchor,
        caption="Pairs of variants that were run and differ in one component only: the one with it"
        f" less the one without. {corrected.in_words}",
        columns=corrected.columns,
        groups=tuple(PartGroup(component, tuple(of_part)) for component, of_part in rows.items()),
    )


def _contribution(a: Entry, first: RunRecord, b: Entry, second: RunRecord) -> Contribution | None:
    has_first, has_second = parts_of(first), parts_of(second)
    if len(has_first ^ has_second) != 1 or _rest(first, second) != _rest(second, first):
        return None
    (component,) = has_first ^ has_second
    with_it, without_it = (a, b) if component in has_first else (b, a)
    shared = frozenset(losses_of(first) or {}) & frozenset(losses_of(second) or {})
    return Contribution(component, with_it, without_it, shared)


def _rest(record: RunRecord, other: RunRecord) -> Mapping[str, Any]:
    """Return what two variants must have in common: all that is no component of either alone.

    How they were executed may differ, as it makes no other variant.
    """
    settings = {name: setting_of(record, name) for name in record.config if name != LOSSES}
    weights, shared = losses_of(record) or {}, losses_of(other) or {}
    return {
        "scale": record.scale,
        "recipe": {name: v for name, v in record.recipe.items() if name not in RUN_OPTIONS},
        "settings": {name: v for name, v in settings.items() if not isinstance(v, bool)},
        "losses": {name: weight for name, weight in weights.items() if name in shared},
    }
