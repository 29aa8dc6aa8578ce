"""Early doubt: the first epochs of a run beside those of earlier ones, which tells of a mistake.

It is told once, to the user and in the record. It decides nothing, and stops no run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow

from harness import distributed
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import StoredRun, read_record
from harness.results.shipped import FOLDER

History = Sequence[Mapping[str, Any]]  # one dict an epoch

EPOCHS = 3  # the first ones, that are compared
SPREADS = 4.0  # times the range of several earlier runs is no doubt
ALONE = 4.0  # times the margin, where there is one run: nothing tells how much it varies


@dataclass(frozen=True)
class Figure:
    """A figure of an epoch, and how far from those of earlier runs it may lie."""

    name: str  # in the history
    told: str
    digits: int
    better: int  # 1 where more is better, -1 where less is
    margin: Callable[[float], float]  # of what earlier runs have at worst; beyond it is doubted

    def doubt(self, row: Mapping[str, Any], earlier: Iterable[History]) -> str:
        """Say that an epoch lies far outside what earlier runs had then; "" where it does not."""
        epoch = row.get("epoch")
        known = [other.get(self.name) for one in earlier for other in one
                 if other.get("epoch") == epoch]  # fmt: skip
        value, *others = map(_number, (row.get(self.name), *known))
        found = sorted(one for one in others if one is not None)
        if value is None or not found:
            return ""
        least, most = found[0], found[-1]
        worst = least if self.better > 0 else most
        wide = SPREADS * (most - least) if len(found) > 1 else ALONE * self.margin(worst)
        if self.better * (worst - value) <= max(self.margin(worst), wide):
            return ""
        span = f"run {least:.{self.digits}f}"
        if len(found) > 1:
            span = f"runs {least:.{self.digits}f} to {most:.{self.digits}f}"
        return f"{self.told} after epoch {epoch}: {value:.{self.digits}f}, earlier {span}"


FIGURES = (
    Figure("val_r1", "val R1", 1, 1, lambda worst: 5.0),
    Figure("loss", "loss", 3, -1, lambda worst: 0.25 * abs(worst)),
)


class Doubts:
    """What is told of the epochs of a run while it goes on."""

    def __init__(self, earlier: Sequence[History], say: Callable[[Update], None]) -> None:
        self._earlier = earlier
        self._say = say
        self._told = False

    def see(self, row: Mapping[str, Any]) -> None:
        """Look at the row of an epoch, and tell the first doubt."""
        if self._told or not (doubt := find_doubt([row], self._earlier)):
            return
        self._told = True
        self._say(Update(f"in doubt: {doubt}", doubt=doubt))
        if distributed.is_main():
            logging.getLogger(__name__).warning("In doubt: %s.", doubt)

    def of(self, history: History) -> str:
        """Return the first doubt of a whole history, for the record."""
        return find_doubt(history, self._earlier)


def find_doubt(history: History, earlier: Sequence[History]) -> str:
    """Return the first doubt of the first epochs; "" where there is none, or nothing to compare."""
    rows = [row for row in history if (_number(row.get("epoch")) or 0) in range(1, EPOCHS + 1)]
    told = (figure.doubt(row, earlier) for row in rows for figure in FIGURES)
    return next(filter(None, told), "")


def earlier_histories(spec: RunSpec, results: Path) -> list[History]:
    """Return the histories of finished runs of the same variant, suite and data, of any seed.

    They are one's own and those that ship; one that is both counts once.
    """
    if not spec.is_tested:
        return []
    own = spec.path(results)
    places = (own.parent, FOLDER / own.parent.relative_to(results))
    found: dict[tuple[int, str], History] = {}
    for path in (path for place in places for path in sorted(place.glob("seed-*"))):
        record = read_record(path) if path.name.removeprefix("seed-").isdecimal() else None
        if record is None or record.status != "ok":
            continue
        same = record.data.get("fingerprint") == spec.located.fingerprint
        if same and record.variant == spec.variant:
            found.setdefault((record.seed, record.key), _read(StoredRun(record, path)))
    return list(found.values())


def _read(run: StoredRun) -> History:
    try:
        return run.history()
    except (OSError, ValueError, pyarrow.ArrowException):
        return []  # a damaged file: `harness verify` tells of it


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None
