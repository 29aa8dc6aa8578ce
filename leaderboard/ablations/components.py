"""What the variants of a method are made of, read from their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results import RunRecord
from leaderboard.ablations.views import Mark
from leaderboard.typography import ABSENT, plain

LOSSES = "losses"  # the setting that names a method's losses with their weights
UNKNOWN = object()


@dataclass(frozen=True)
class Components:
    """The columns that tell the rows of an ablation apart."""

    names: tuple[str, ...]
    losses: int  # how many of them are losses, which stand first
    marks: tuple[tuple[Mark, ...], ...]  # by row

    def in_words(self, marks: Sequence[Mark]) -> str:
        """List what a row has, where there is no room for columns."""
        pairs = zip(self.names, marks, strict=True)
        return ", ".join(f"{name} {mark.text}".rstrip() for name, mark in pairs
                         if mark.checked or mark.text)  # fmt: skip


def find_components(rows: Sequence[RunRecord], full: RunRecord | None) -> Components:
    """Return a column for each loss, if rows differ in their losses, and for each other setting.

    Losses stand in the order in which the rows bring them in; those that only the method as
    published has come last.
    """
    changed = dict.fromkeys(_top(key, record) for record in rows for key in record.changes)
    known = [of_row for record in rows if (of_row := losses_of(record)) is not None]
    has_losses = LOSSES in changed and len(known) == len(rows)
    losses = _loss_columns(known, losses_of(full) if full else None) if has_losses else []
    fields = [name for name in changed if name != LOSSES or not has_losses]
    columns = [*losses, *(_field_column(name, rows) for name in fields)]
    by_row = zip(*(marks for _, marks in columns), strict=True)
    return Components(
        names=tuple(name for name, _ in columns),
        losses=len(losses),
        marks=tuple(by_row) if columns else ((),) * len(rows),
    )


def setting_of(record: RunRecord, name: str) -> Any:
    """Return a setting wherever a record holds it; `UNKNOWN` where it does not."""
    stages = record.recipe.get("stages")
    first = stages[0] if isinstance(stages, list) and stages else {}
    for values in (record.changes, record.config, first, record.recipe):
        if isinstance(values, Mapping) and name in values:
            return values[name]
    return UNKNOWN


def losses_of(record: RunRecord) -> Mapping[str, Any] | None:
    """Return the weights of a variant's losses by name; None where it names none."""
    losses = setting_of(record, LOSSES)
    return losses if isinstance(losses, Mapping) else None


def parts_of(record: RunRecord) -> frozenset[str]:
    """Return what a variant has or has not: its losses, and the switches that are on."""
    switches = {name for name, value in record.config.items() if setting_of(record, name) is True}
    return frozenset(losses_of(record) or {}) | switches


def _top(key: str, record: RunRecord) -> str:
    """Return the setting that a changed key is of: of "losses.sdm", the losses."""
    head = key.partition(".")[0]
    return head if isinstance(record.config.get(head), Mapping) else key


def _loss_columns(
    losses: Sequence[Mapping[str, Any]], full: Mapping[str, Any] | None
) -> list[tuple[str, list[Mark]]]:
    names = dict.fromkeys(name for of_row in (*losses, full or {}) for name in of_row)
    return [(name, _loss_marks(name, losses)) for name in names]


def _loss_marks(name: str, losses: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Check the rows that have a loss, with its weight where rows weigh it differently."""
    weights = [plain(of_row[name]) for of_row in losses if name in of_row]
    differ = len(set(weights)) > 1
    return [
        _check(name in of_row, plain(of_row[name]) if differ and name in of_row else "")
        for of_row in losses
    ]


def _field_column(field: str, rows: Sequence[RunRecord]) -> tuple[str, list[Mark]]:
    values = [setting_of(record, field) for record in rows]
    if all(isinstance(value, bool) for value in values):
        return field, [_check(value) for value in values]
    return field, [_written(value) for value in values]


def _check(present: bool, weight: str = "") -> Mark:
    words = f"yes, {weight}" if weight else "yes"
    return Mark(present, weight, words if present else "no")


def _written(value: Any) -> Mark:
    text = ABSENT if value is UNKNOWN else plain(value)
    return Mark(checked=False, text=text, in_words="")
