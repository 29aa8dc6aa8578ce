"""Which runs of a board tell how far seeds spread."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.results import RunRecord
from harness.results.answers import Answers
from harness.results.seed_spread import read_spread

EMPTY = np.zeros((3, 1))
BESIDE = Answers(
    name="one", suite="demo", dataset="dolls", fingerprint="feed", scale="tiny", protocol=2,
    tied=0.0, seeds=(0, 1, 2), is_fixed=False, queries=EMPTY[0], people=EMPTY[0],
    values={"r1": EMPTY}, first_hit=EMPTY.astype(np.int64),
)  # fmt: skip


def run(method: str, seed: int, r1: Any, **fields: Any) -> RunRecord:
    """Return the record of a finished run."""
    record = RunRecord(
        "ok", "key", "demo", "dolls", method, "full", seed, "tiny", method,
        data={"fingerprint": "feed"}, metrics={} if r1 is None else {"r1": r1},
    )  # fmt: skip
    return replace(record, **fields)


def runs(method: str, figures: Any, **fields: Any) -> list[RunRecord]:
    """Return a run a seed."""
    return [run(method, seed, figure, **fields) for seed, figure in enumerate(figures)]


BOARD = [*runs("one", (50, 51, 53)), *runs("two", (40, 42, 41)), *runs("three", (45.0, 44.5, 47))]


def test_every_method_as_published_is_asked() -> None:
    """The variance is that of the two-way layout of all that ran with the seeds."""
    table = np.array([[50, 51, 53], [40, 42, 41], [45.0, 44.5, 47]])
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    found = read_spread(BOARD, BESIDE, "r1")
    assert found is not None
    assert (found.own, found.own_degrees) == (pytest.approx((rest**2).sum() / 4), 4)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error"}, {"suite": "other"}, {"dataset": "other"}, {"scale": "paper"},
        {"data": {"fingerprint": "beef"}}, {"noise": {"rate": 0.2}},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_stand_beside_tells_nothing(fields: dict[str, Any]) -> None:
    """Failed runs, and those of other data or another scale, are left aside."""
    others = runs("wild", (0, 50, 100), **fields)
    assert read_spread([*BOARD, *others], BESIDE, "r1") == read_spread(BOARD, BESIDE, "r1")


def test_a_method_without_every_seed_tells_nothing() -> None:
    """Seeds that are missing, or of which the figure is none, leave a method aside."""
    expected = read_spread(BOARD, BESIDE, "r1")
    for figures in ((0, 100), (0, None, 100), (0, float("nan"), 100), (0, "much", 100)):
        assert read_spread([*BOARD, *runs("wild", figures)], BESIDE, "r1") == expected


def test_many_variants_of_one_method_do_not_speak_for_the_board() -> None:
    """They are asked only where fewer than two methods as published can tell."""
    calm = [one for row in range(9)
            for one in runs("one", (50, 50.1, 50.0), variant=f"row {row}")]  # fmt: skip
    assert read_spread([*BOARD, *calm], BESIDE, "r1") == read_spread(BOARD, BESIDE, "r1")
    alone = read_spread([*runs("one", (50, 51, 53)), *calm], BESIDE, "r1")
    assert alone is not None
    assert alone.whole_degrees == 20


def test_nothing_is_known_of_methods_without_randomness() -> None:
    """The same figure under every seed was not drawn by seeds."""
    assert read_spread(runs("fixed", (50, 50, 50)), BESIDE, "r1") is None
    assert read_spread([], BESIDE, "r1") is None
    more = [*BOARD, *runs("fixed", (50, 50, 50))]
    assert read_spread(more, BESIDE, "r1") == read_spread(BOARD, BESIDE, "r1")
