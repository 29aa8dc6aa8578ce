"""Indexes of faiss as the project sets them, against an obvious scan."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.indexes import KINDS, Floats, Index, require_faiss

WIDTH = 12


def unit_rows(count: int, seed: int = 0) -> Floats:
    """Return rows of length one, every tenth of which is a copy of the one before."""
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH))
    rows[9::10] = rows[8::10][: len(rows[9::10])]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_give_the_same_index(kind: str) -> None:
    """To the byte, so every answer too; what is written is read, with how far it looks."""
    rows, queries = unit_rows(600), unit_rows(40, 1)
    one, other = Index.build(kind, rows), Index.build(kind, rows)
    content = one.write()
    assert content == other.write()
    assert one.size == 600
    assert one.bytes == len(content) > rows.nbytes
    for found, again in zip(one.nearest(queries, 10), Index.read(content).nearest(queries, 10),
                            strict=True):  # fmt: skip
        assert np.array_equal(found, again)


@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_come_first(kind: str) -> None:
    """As a scan of all rows finds them: flat always, the others nearly; copies in their order."""
    rows, queries = unit_rows(600), unit_rows(40, 1)
    scores, found = Index.build(kind, rows).nearest(queries, 10)
    hits = 0
    for query, row_scores, own in zip(queries, scores, found, strict=True):
        cosines = rows @ query
        expected = sorted(range(600), key=lambda row: (-cosines[row], row))[:10]
        hits += len({*expected} & {*own.tolist()})
        assert row_scores == pytest.approx(cosines[own], abs=1e-6)
        assert own.tolist() == sorted(own, key=lambda row: (-row_scores[own == row][0], row))
    assert hits >= (400 if kind == "flat" else 360)


def test_settings_fit_the_rows() -> None:
    """Lists grow with the root of the rows, each with rows enough; they are told as faiss names
    them."""
    assert KINDS["ivf"].settings(1_000_000) == "IVF4000,Flat, nprobe=16"
    assert KINDS["ivf"].factory(3900) == "IVF100,Flat"
    assert KINDS["flat"].settings(5) == "Flat"


@pytest.mark.parametrize("kind", KINDS)
def test_few_rows_are_all_found(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What lacks is row -1; faiss warns of nothing."""
    rows = unit_rows(3)
    _, found = Index.build(kind, rows).nearest(rows, 5)
    assert found[:, 0].tolist() == [0, 1, 2]
    assert found[:, 3:].tolist() == [[-1, -1]] * 3
    assert not any(capfd.readouterr())


@pytest.mark.parametrize("rows", [np.zeros((0, 4)), np.full((3, 4), np.nan), np.zeros(4)])
def test_rows_that_are_none_are_refused(rows: Floats) -> None:
    """Before faiss sees them."""
    with pytest.raises(ValueError, match="not empty and finite"):
        Index.build("flat", rows.astype(np.float32))


def test_what_is_no_index_is_refused() -> None:
    """Cut short, or anything else."""
    content = Index.build("hnsw", unit_rows(50)).write()
    for damaged in (content[:300], content[:-5], b"<script>", b""):
        with pytest.raises(ValueError, match="no index"):
            Index.read(damaged)


def test_a_missing_faiss_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(HarnessError, match=r"pip install 'tbpr-bench\[faiss\]'"):
        require_faiss()
