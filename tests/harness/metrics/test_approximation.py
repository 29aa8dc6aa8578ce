"""What an index misses beside a scan of all rows, against an obvious loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.indexes import KINDS, Floats, Index, Integers
from harness.metrics import approximation
from harness.metrics.approximation import Scan, judge, scan_all
from harness.metrics.neighbours import UnitFeatures, unit_features

ROWS, QUERIES, WIDTH = 700, 30, 8


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take little time of few queries, and gather rows of a few queries at a time."""
    monkeypatch.setattr(approximation, "TIMED", 3)
    monkeypatch.setattr(approximation, "CHUNK", 7)


@pytest.fixture(scope="module")
def features() -> UnitFeatures:
    """Thirty queries and 700 rows, a third of which are copies of others."""
    draw = torch.Generator().manual_seed(4)
    gallery = torch.randn(ROWS, WIDTH, generator=draw)
    gallery[1::3] = gallery[::3][: len(gallery[1::3])]
    return unit_features(torch.randn(QUERIES, WIDTH, generator=draw), gallery)


def arrays(features: UnitFeatures) -> tuple[Floats, Floats]:
    """Return queries and rows."""
    queries, rows = features.queries, features.gallery
    return queries.buffer.numpy()[: queries.size], rows.buffer.numpy()[: rows.size]


def test_a_scan_finds_the_nearest_ten(features: UnitFeatures) -> None:
    """The highest and the tenth cosine of every query."""
    queries, rows = arrays(features)
    scan = scan_all(features)
    for query, highest, lowest in zip(queries, scan.highest, scan.lowest, strict=True):
        cosines = sorted((rows @ query).tolist(), reverse=True)
        assert (highest, lowest) == pytest.approx((cosines[0], cosines[9]), abs=1e-6)
    assert scan.milliseconds > 0


class Missing(Index):
    """An index that never gives the rows of even numbers, and the last query nothing."""

    def nearest(self, queries: Floats, count: int) -> tuple[Floats, Integers]:
        scores, rows = super().nearest(queries, ROWS)
        picked = np.stack([row[row % 2 == 1][:count] for row in rows])
        if len(queries) == QUERIES:
            picked[-1] = -1
        return scores[:, :count], picked


def test_recall_is_that_of_an_obvious_loop(
    features: UnitFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What scores as high as the tenth counts as found, whichever copy of it was given."""
    monkeypatch.setattr(approximation, "Index", Missing)
    queries, rows = arrays(features)
    scan = scan_all(features)
    found = judge("flat", queries, rows, scan)
    for number, query in enumerate(queries[:-1]):
        cosines = rows.astype(np.float64) @ query.astype(np.float64)
        best = np.sort(cosines)[::-1]
        odd = sorted(range(1, ROWS, 2), key=lambda row: -cosines[row])[:10]
        assert found.found[number] == sum(cosines[row] >= best[9] - 1e-6 for row in odd)
        assert found.nearest[number] == (cosines[odd[0]] >= best[0] - 1e-6)
        assert cosines[found.first[number]] == pytest.approx(cosines[odd[0]])
    assert 0 < found.found[:-1].sum() < 10 * (QUERIES - 1)
    assert (found.found[-1], found.nearest[-1], found.first[-1]) == (0, False, -1)


@pytest.mark.parametrize("kind", KINDS)
def test_indexes_are_judged_with_what_they_take(kind: str, features: UnitFeatures) -> None:
    """A flat one misses nothing, in whatever order its rows stand."""
    queries, rows = arrays(features)
    scan = scan_all(features)
    order = np.random.default_rng(0).permutation(ROWS)
    found = judge(kind, queries, rows[order], scan)
    assert found.found.mean() == 10 if kind == "flat" else found.found.mean() > 8
    assert found.nearest.all() or kind != "flat"
    assert found.build_seconds > 0 < found.milliseconds
    assert found.bytes > rows.nbytes


def test_fewer_rows_than_are_asked_for_are_all_found() -> None:
    """Of three rows three are the nearest."""
    features = unit_features(torch.eye(3), torch.eye(3))
    scan = scan_all(features)
    assert isinstance(scan, Scan)
    assert judge("hnsw", *arrays(features), scan).found.tolist() == [3, 3, 3]
