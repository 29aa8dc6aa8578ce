"""The table of an evaluation among a crowd, and the figures that follow from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.results.crowd import ALARMS, CrowdTable, read_crowd, refused_figures, write_crowd

QUERIES, HITS = 40, 2


@pytest.fixture
def table() -> CrowdTable:
    """Forty queries of ten people, two matches each, at three sizes."""
    draw = np.random.default_rng(5)
    alone = np.sort(draw.permuted(np.tile(np.arange(1, 9), (QUERIES, 1)), axis=1)[:, :HITS])
    risen = np.sort(draw.integers(0, 30, (QUERIES, HITS)))
    other = draw.random(QUERIES).astype(np.float32)
    higher = np.maximum(other, draw.random(QUERIES).astype(np.float32))
    return CrowdTable(
        sizes=(0, 100, 300),
        people=np.repeat(np.arange(10), 4),
        hit_counts=np.full(QUERIES, HITS),
        hit_ranks=np.stack([alone, alone + risen, alone + 2 * risen]).reshape(3, -1),
        hit_scores=draw.random(QUERIES).astype(np.float32),
        other_scores=np.stack([other, higher, higher]),
        tied=np.zeros((3, QUERIES), np.bool_),
    )


def test_identification_follows_its_definition(table: CrowdTable) -> None:
    """DIR at FAR equals a search for the threshold, score by score, as an obvious loop does it."""
    for level in range(3):
        figures = table.by_query(level)
        first = table.hit_ranks[level].reshape(QUERIES, HITS)[:, 0]
        for name, rate in ALARMS.items():
            best = -1.0
            for threshold in sorted({0.0, *map(float, table.other_scores[level])}):
                alarms = sum(float(score) > threshold for score in table.other_scores[level])
                if alarms / QUERIES > rate:
                    continue
                found = [
                    rank == 1 and float(score) > threshold
                    for rank, score in zip(first, table.hit_scores, strict=True)
                ]
                best = max(best, 100 * sum(found) / QUERIES)
            assert figures[name].mean() == pytest.approx(best)


def test_figures_of_ranks_follow_from_each_query(table: CrowdTable) -> None:
    """R1, R5, R10 and mAP as a loop over queries finds them, with intervals that hold them."""
    curve = table.curve(50)
    for level, point in enumerate(curve):
        ranks = table.hit_ranks[level].reshape(QUERIES, HITS).tolist()
        for depth in (1, 5, 10):
            expected = 100 * sum(own[0] <= depth for own in ranks) / QUERIES
            assert point[f"r{depth}"] == pytest.approx(expected)
        precision = [sum((i + 1) / rank for i, rank in enumerate(own)) / HITS for own in ranks]
        assert point["map"] == pytest.approx(100 * sum(precision) / QUERIES)
        for name, (low, high) in point["intervals"].items():
            assert 0 <= low <= point[name] <= high <= 100


def test_what_is_written_is_read(table: CrowdTable, tmp_path: Path) -> None:
    """Every figure comes back to the bit."""
    write_crowd(tmp_path / "crowd.parquet", table)
    found = read_crowd(tmp_path / "crowd.parquet")
    assert found.sizes == table.sizes
    assert found.curve(50) == table.curve(50)
    assert refused_figures({"curve": table.curve(50)}, found.curve(50)) is None


def test_tables_that_no_crowd_gives_are_refused(table: CrowdTable, tmp_path: Path) -> None:
    """Ranks that fall or rise too far, scores that fall, a curve of other figures."""
    ranks, scores = table.hit_ranks, table.other_scores
    odd = (
        (replace(table, hit_ranks=ranks[::-1]), "do not rise as the crowd does"),
        (replace(table, hit_ranks=np.stack([ranks[0], ranks[1] + 500, ranks[2] + 500])), "rise"),
        (replace(table, hit_ranks=ranks * 0), "ascend from 1"),
        (replace(table, other_scores=scores * np.float32([[1], [0], [1]])), "scores that fall"),
        (replace(table, sizes=(5, 100, 300)), "gallery alone"),
        (replace(table, hit_scores=table.hit_scores * np.nan), "no numbers"),
    )
    for number, (one, told) in enumerate(odd):
        file = tmp_path / f"{number}.parquet"
        write_crowd(file, one)
        with pytest.raises(ValueError, match=told):
            read_crowd(file)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(ValueError, match="Parquet"):
        read_crowd(tmp_path / "text.parquet")


@pytest.mark.parametrize(
    "stored", [None, [], {}, {"curve": 3}, {"curve": [{}]}, {"curve": ["x"] * 3}]
)
def test_curves_of_any_shape_are_judged(table: CrowdTable, stored: object) -> None:
    """Whatever JSON holds, what is wrong is told."""
    assert refused_figures(stored, table.curve(50))


def test_a_larger_crowd_is_foretold() -> None:
    """Where scores fall exponentially, as many matches stay first as the formula says."""
    draw = np.random.default_rng(2)
    queries, small, large = 20_000, 10_000, 100_000
    best = np.log(small / 10) + draw.gumbel(size=queries)
    tenfold = np.maximum(best, np.log(small * 0.9) + draw.gumbel(size=queries))
    later = np.log(large - small) + draw.gumbel(size=queries)
    matches = draw.uniform(2, 22, queries)  # anywhere above and below them
    ranks = np.where(matches > tenfold, 1, 2)
    table = CrowdTable(
        (0, 1000, small),
        np.arange(queries),
        np.ones(queries, np.int64),
        np.stack([np.ones(queries, np.int64), ranks, ranks]),
        matches.astype(np.float32),
        np.stack([best - 9, best, tenfold]).astype(np.float32),
        np.zeros((3, queries), np.bool_),
    )
    measured = 100 * np.mean((matches > tenfold) & (matches > later))
    told = table.foretell(2, large)
    assert told == pytest.approx(measured, abs=1.0)
    assert table.foretell(2, small) == pytest.approx(100 * np.mean(matches > tenfold))
    assert table.foretell(2, 10 * large) < told
    assert [point["r1_foretold"] for point in table.curve(2)] == [None] * 3


def test_nothing_is_foretold_where_nothing_can_be(table: CrowdTable) -> None:
    """From too small a crowd, or where every image scores the same."""
    assert table.foretell(50, 100_000) is None
    even = replace(table, sizes=(0, 1000, 10_000), other_scores=table.other_scores * 0)
    assert even.foretell(50, 100_000) is None
