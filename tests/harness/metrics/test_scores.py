"""What `harness.metrics` must hold, against a reference that sorts Python lists."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import current_thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness import metrics
from harness.metrics import QueryScores, score_queries, score_rows, summarize


def reference(rows: Any, query_ids: Any, gallery_ids: Any, top: int = 0) -> list[dict[str, Any]]:
    """Score each query from its whole gallery, sorted as a Python list."""
    scored = []
    for row, query_id in zip(np.asarray(rows).tolist(), list(query_ids), strict=True):
        order = sorted(range(len(row)), key=lambda g: (-row[g], g))
        ranks = [rank for rank, g in enumerate(order, 1) if gallery_ids[g] == query_id]
        precisions = [hits / rank for hits, rank in enumerate(ranks, 1)]
        scored.append(
            {
                "ranks": ranks,
                "precision": sum(precisions) / len(ranks),
                "penalty": len(ranks) / ranks[-1],
                "top_rows": order[:top],
                "top_scores": [row[g] for g in order[:top]],
            }
        )
    return scored


def check(scores: QueryScores, expected: list[dict[str, Any]]) -> None:
    """Compare every field with the reference."""
    assert [ranks.tolist() for ranks in scores.hit_ranks] == [one["ranks"] for one in expected]
    assert scores.first_hit.tolist() == [one["ranks"][0] for one in expected]
    precision = [one["precision"] for one in expected]
    assert scores.average_precision == pytest.approx(precision, abs=1e-12)
    penalty = [one["penalty"] for one in expected]
    assert scores.inverse_negative_penalty == pytest.approx(penalty, abs=1e-12)
    assert scores.top_rows.tolist() == [one["top_rows"] for one in expected]
    top_scores = np.array([one["top_scores"] for one in expected], np.float32)
    np.testing.assert_array_equal(scores.top_scores, top_scores)


def whole(rng: np.random.Generator, rows: int, width: int = 6, high: int = 3) -> NDArray[Any]:
    """Return small integers as float32: their products are exact, and tie often."""
    return rng.integers(-high, high + 1, (rows, width)).astype(np.float32)


def people(rng: np.random.Generator, queries: int, gallery: int, count: int) -> tuple[Any, Any]:
    """Return ids in no order, where every person is in the gallery at least once."""
    shown = np.concatenate([np.arange(count), rng.integers(0, count, gallery - count)])
    return rng.integers(0, count, queries), rng.permutation(shown)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the same random numbers for every test."""
    return np.random.default_rng(0)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_random_features_equal_the_reference(rng: np.random.Generator) -> None:
    """Random features rank as their cosines in double precision do, where no two are near."""
    queries, gallery = rng.normal(size=(20, 24)), rng.normal(size=(60, 24))
    query_ids, gallery_ids = people(rng, 20, 60, 15)
    lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(gallery, axis=1))
    cosines = queries @ gallery.T / lengths
    assert np.diff(np.sort(cosines), axis=1).min() > 1e-5
    expected = reference(cosines, query_ids, gallery_ids, top=10)
    scores = score_queries(queries, gallery, query_ids, gallery_ids, top=10)
    assert [ranks.tolist() for ranks in scores.hit_ranks] == [one["ranks"] for one in expected]
    assert scores.top_rows.tolist() == [one["top_rows"] for one in expected]
    top_scores = [one["top_scores"] for one in expected]
    np.testing.assert_allclose(scores.top_scores, top_scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("queries", "gallery"), [(1, 1), (1, 65), (63, 64), (64, 63), (65, 2100), (130, 5003)]
)
def test_ties_equal_the_reference(rng: np.random.Generator, queries: int, gallery: int) -> None:
    """Where most scores tie, the earlier gallery row ranks first, at any size."""
    query_ids, gallery_ids = people(rng, queries, gallery, min(gallery, 40))
    query_features, gallery_features = whole(rng, queries), whole(rng, gallery)
    products = query_features @ gallery_features.T
    scores = score_queries(
        query_features, gallery_features, query_ids, gallery_ids, normalize=False, top=7
    )
    check(scores, reference(products, query_ids, gallery_ids, top=7))


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_queries_around_a_chunk_equal_the_reference(rng: np.random.Generator, extra: int) -> None:
    """Nothing is lost or shifted where the queries pass from one matrix product to the next."""
    count = metrics.CHUNK + extra
    query_ids, gallery_ids = people(rng, count, 70, 20)
    query_features, gallery_features = whole(rng, count), whole(rng, 70)
    scores = score_queries(
        query_features, gallery_features, query_ids, gallery_ids, normalize=False, top=3
    )
    expected = reference(query_features @ gallery_features.T, query_ids, gallery_ids, top=3)
    check(scores, expected)


def test_gallery_above_a_chunk_equals_the_reference(rng: np.random.Generator) -> None:
    """A gallery of more rows than are prepared at once keeps its order."""
    count = 2 * metrics.CHUNK + 13
    query_ids, gallery_ids = people(rng, 20, count, 50)
    query_features, gallery_features = whole(rng, 20, high=9), whole(rng, count, high=9)
    scores = score_queries(
        query_features, gallery_features, query_ids, gallery_ids, normalize=False, top=3
    )
    expected = reference(query_features @ gallery_features.T, query_ids, gallery_ids, top=3)
    check(scores, expected)


@pytest.mark.parametrize("width", [1, 3, 100, 512])
@pytest.mark.parametrize("queries", [1, 3, 100])
def test_a_constant_encoder_scores_as_chance(
    rng: np.random.Generator, width: int, queries: int
) -> None:
    """Equal embeddings get equal scores to the last bit, so the gallery's order decides."""
    embedding = rng.normal(size=(1, width))
    query_ids, gallery_ids = people(rng, queries, 1023, 50)
    scores = score_queries(
        embedding.repeat(queries, 0), embedding.repeat(1023, 0), query_ids, gallery_ids, top=1023
    )
    assert len(np.unique(scores.top_scores)) == 1
    constant = np.full((queries, 1023), scores.top_scores[0, 0])
    check(scores, reference(constant, query_ids, gallery_ids, top=1023))


def test_a_constant_encoder_is_never_perfect() -> None:
    """With 50 people of two images each, only the person of the first row is found first."""
    ids = np.repeat(np.arange(50), 2)
    figures = summarize(score_queries(np.ones((100, 8)), np.ones((100, 8)), ids, ids))
    assert figures["r1"] == pytest.approx(2.0)
    assert figures["r10"] == pytest.approx(10.0)
    assert figures["map"] < 10.0


def test_one_positive_a_query(rng: np.random.Generator) -> None:
    """With one positive, AP and INP are both one over its rank."""
    ids = rng.permutation(60)
    query_features, gallery_features = whole(rng, 60), whole(rng, 60)
    scores = score_queries(query_features, gallery_features, ids, np.arange(60), normalize=False)
    check(scores, reference(query_features @ gallery_features.T, ids, np.arange(60)))
    np.testing.assert_array_equal(scores.average_precision, 1 / scores.first_hit)
    np.testing.assert_array_equal(scores.inverse_negative_penalty, 1 / scores.first_hit)


@pytest.mark.parametrize("dtype", ["U6", "S6", object, np.dtypes.StringDType()])
def test_ids_may_be_strings(rng: np.random.Generator, dtype: Any) -> None:
    """String ids of any dtype, and mixed with Python lists, score as numbers do."""
    query_ids, gallery_ids = people(rng, 40, 90, 15)
    rows = whole(rng, 40, 90)
    named = [np.array([f"p{one:04}" for one in ids], dtype) for ids in (query_ids, gallery_ids)]
    check(score_rows(rows, *named), reference(rows, query_ids, gallery_ids))


@pytest.mark.parametrize("dtype", [np.int16, np.uint64, object])
def test_ids_may_be_integers_of_any_width(rng: np.random.Generator, dtype: Any) -> None:
    """The dtype of the query ids may differ from that of the gallery's, a tensor here."""
    query_ids, gallery_ids = people(rng, 40, 90, 15)
    rows = whole(rng, 40, 90)
    scores = score_rows(rows, query_ids.astype(dtype), torch.from_numpy(gallery_ids))
    check(scores, reference(rows, query_ids, gallery_ids))


def test_rows_score_as_their_features(rng: np.random.Generator) -> None:
    """Scores given whole, in uneven chunks or as tensors give what the plain product gives."""
    count = metrics.CHUNK + 100
    query_ids, gallery_ids = people(rng, count, 50, 20)
    query_features, gallery_features = whole(rng, count), whole(rng, 50)
    rows = query_features @ gallery_features.T
    expected = reference(rows, query_ids, gallery_ids, top=4)
    chunked = (torch.from_numpy(rows[start : start + 300]) for start in range(0, count, 300))
    check(score_rows(rows, query_ids, gallery_ids, top=4), expected)
    check(score_rows(np.asfortranarray(rows, np.float64), query_ids, gallery_ids, top=4), expected)
    check(score_rows(chunked, query_ids, gallery_ids, top=4), expected)
    scores = score_queries(
        query_features, gallery_features, query_ids, gallery_ids, normalize=False, top=4
    )
    check(scores, expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_torch_and_numpy_score_alike(rng: np.random.Generator, dtype: str) -> None:
    """The same features as arrays or as tensors that track gradients give the same bits."""
    query_ids, gallery_ids = people(rng, 70, 130, 20)
    queries, gallery = (rng.normal(size=(n, 40)).astype(dtype) for n in (70, 130))
    queries.flags.writeable = False
    tensors = [torch.tensor(features).requires_grad_() for features in (queries, gallery)]
    ids = torch.from_numpy(query_ids), torch.from_numpy(gallery_ids)
    from_numpy = score_queries(queries, gallery, query_ids, gallery_ids, top=5)
    from_torch = score_queries(tensors[0], tensors[1], ids[0], ids[1], top=5)
    assert same_bits(from_numpy, from_torch)


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    """Normalising features does not write into the caller's arrays."""
    features = rng.normal(size=(30, 8)).astype(np.float32)
    kept = features.copy()
    score_queries(torch.from_numpy(features), features, np.arange(30), np.arange(30))
    np.testing.assert_array_equal(features, kept)


@pytest.mark.parametrize("normalize", [True, False])
def test_scores_repeat_bit_for_bit(rng: np.random.Generator, normalize: bool) -> None:
    """Neither another call, nor where features lie in memory, nor more threads change a bit."""
    ids = np.arange(1500) % 100
    features = rng.normal(size=(1500, 77)).astype(np.float32)
    moved = np.empty(features.size + 1, np.float32)[1:].reshape(features.shape)
    moved[:] = features
    with threads(1):
        first = score_queries(features, features, ids, ids, normalize=normalize, top=9)
        again = score_queries(moved, moved, ids, ids, normalize=normalize, top=9)
    with threads(2):
        shared = score_queries(features, features, ids, ids, normalize=normalize, top=9)
    assert same_bits(first, again)
    assert same_bits(first, shared)


@pytest.mark.parametrize("count", [1, 2])
def test_scoring_uses_the_threads_of_torch(rng: np.random.Generator, count: int) -> None:
    """Scoring starts as many threads as torch has, and leaves torch as it was, failed or not."""
    rows, started = whole(rng, 8 * metrics.CHUNK, 3), set[str]()

    class Watched(np.ndarray[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            started.add(current_thread().name)
            assert torch.get_num_threads() == 1
            return np.asarray(self)[key]

    ids = np.zeros(len(rows), int)
    with threads(count):
        score_rows([rows.view(Watched)], ids, ids[:3])
        assert torch.get_num_threads() == count
        rows[0, 0] = np.nan
        with pytest.raises(ValueError, match=r"^the scores of query row 0 "):
            score_rows(rows, ids, ids[:3])
        assert torch.get_num_threads() == count
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == count
    assert 1 <= len(started) <= count
    assert current_thread().name not in started


def same_bits(one: QueryScores, other: QueryScores) -> bool:
    """Compare every field byte by byte."""
    return all(value.tobytes() == vars(other)[name].tobytes() for name, value in vars(one).items())


def test_top_is_cut_to_the_gallery(rng: np.random.Generator) -> None:
    """Asking for more rows than there are gives the whole gallery in rank order, 0 gives none."""
    rows, ids = whole(rng, 3, 5), np.zeros(5, int)
    check(score_rows(rows, ids[:3], ids, top=10), reference(rows, ids[:3], ids, top=5))
    assert score_rows(rows, ids[:3], ids).top_rows.shape == (3, 0)


def test_summarize_by_hand() -> None:
    """One query hits at rank 2 alone (AP 0.5), one at ranks 1 and 6 (AP 2/3, INP 1/3)."""
    rows = np.array([[6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1]])
    scores = score_rows(rows, ["b", "a"], ["a", "b", "c", "c", "c", "a"])
    assert [ranks.tolist() for ranks in scores.hit_ranks] == [[2], [1, 6]]
    assert summarize(scores) == pytest.approx(
        {
            "r1": 50.0,
            "r5": 100.0,
            "r10": 100.0,
            "map": 100 * (1 / 2 + 2 / 3) / 2,
            "minp": 100 * (1 / 2 + 1 / 3) / 2,
        }
    )


def test_progress_counts_the_queries(rng: np.random.Generator) -> None:
    """Progress is reported after each chunk, up to all queries."""
    count = metrics.CHUNK + 5
    ids = np.zeros(count, int)
    seen: list[tuple[int, int]] = []
    score_queries(
        whole(rng, count), whole(rng, 4), ids, ids[:4], progress=lambda *done: seen.append(done)
    )
    assert seen == [(metrics.CHUNK, count), (count, count)]


def with_value(shape: tuple[int, int], row: int, value: float) -> NDArray[np.float64]:
    """Return ones with one value at the end of one row."""
    features = np.ones(shape)
    features[row, -1] = value
    return features


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    """The message names the input and its first broken row, in later chunks too."""
    good, bad = np.ones((1500, 4)), with_value((1500, 4), 1200, value)
    bad[1300] = value
    ids = np.zeros(1500, int)
    with pytest.raises(ValueError, match=r"^query_features row 1200 holds NaN, infinity"):
        score_queries(bad, good, ids, ids)
    with pytest.raises(ValueError, match=r"^gallery_features row 1200 holds NaN, infinity"):
        score_queries(good, torch.from_numpy(bad), ids, ids, normalize=False)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_scores_that_are_not_finite_are_refused(value: float) -> None:
    """The message names the first query whose scores cannot be ranked."""
    rows = with_value((1500, 4), 1200, value)
    rows[1300] = value
    with pytest.raises(ValueError, match=r"^the scores of query row 1200 hold NaN or infinity"):
        score_rows(rows, np.zeros(1500, int), np.zeros(4, int))


def test_products_that_overflow_are_refused() -> None:
    """Finite features whose plain product is infinite are not ranked."""
    features = np.full((2, 1), 1e30)
    assert score_queries(features, features, [0, 0], [0, 0]).first_hit.tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"^the scores of query row 0 hold NaN or infinity"):
        score_queries(features, features, [0, 0], [0, 0], normalize=False)


@pytest.mark.parametrize(
    ("query_shape", "gallery_shape", "message"),
    [
        ((0, 4), (2, 4), r"^query_features must be .* not empty; got \(0, 4\)"),
        ((2, 4), (0, 4), r"^gallery_features must be .* not empty; got \(0, 4\)"),
        ((2, 0), (2, 0), r"^query_features must be .* not empty; got \(2, 0\)"),
        ((4,), (2, 4), r"^query_features must be \(rows, width\) .*; got \(4,\)"),
        ((2, 4), (2, 5), r"^query_features \(2, 4\) and gallery_features \(2, 5\) differ in width"),
        ((3, 4), (2, 4), r"^query_ids must hold one id a row, 3 in all; got \(2,\)"),
        ((2, 4), (3, 4), r"^gallery_ids must hold one id a row, 3 in all; got \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    query_shape: tuple[int, ...], gallery_shape: tuple[int, ...], message: str
) -> None:
    """The message names the input and the shape it came in."""
    with pytest.raises(ValueError, match=message):
        score_queries(np.ones(query_shape), np.ones(gallery_shape), [0, 0], [0, 0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((1, 3)), r"^1 rows of scores for 2 queries"),
        ([np.ones((1, 3)), np.ones((2, 3))], r"^3 or more rows of scores for 2 queries"),
        ([np.ones((1, 3)), np.ones((1, 4))], r"^scores from row 1 on must be \(rows, 3\); got"),
        ([np.ones(3), np.ones(3)], r"^scores from row 0 on must be \(rows, 3\); got \(3,\)"),
        ([], r"^0 rows of scores for 2 queries"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: Any, message: str) -> None:
    """Rows must cover the queries exactly and the gallery in width."""
    with pytest.raises(ValueError, match=message):
        score_rows(rows, [0, 0], [0, 0, 0])


@pytest.mark.parametrize(
    ("query_ids", "gallery_ids", "message"),
    [
        ([0, 7], [0, 1], r"^query row 1 has no positive: no gallery id is 7$"),
        (["a", "b"], ["b", "c"], r"^query row 0 has no positive: no gallery id is 'a'$"),
        (["0", "1"], [0, 1], r"^query_ids are <U1, but gallery_ids are int64"),
        ([0, None], [0, 1], r"^query_ids must be all int or all str; got NoneType, int"),
        ([0, 1], [0.0, np.nan], r"^gallery_ids row 1 is missing: it is NaN"),
        ([], [0, 1], r"^query_ids must hold one id a row, 0 in all"),
    ],
)
def test_ids_that_cannot_be_scored_are_refused(
    query_ids: Any, gallery_ids: Any, message: str
) -> None:
    """The message gives the row and the id that has no match, or what cannot be compared."""
    with pytest.raises(ValueError, match=message):
        score_rows(np.ones((2, 2)), query_ids, gallery_ids)


def test_negative_top_is_refused() -> None:
    """A negative length of the top lists is an error, not an empty list."""
    with pytest.raises(ValueError, match=r"^top must not be negative; got -1"):
        score_rows(np.ones((1, 1)), [0], [0], top=-1)


def test_importing_compiles_nothing() -> None:
    """The counting loops are compiled by the first call, never by the import."""
    script = (
        "from harness.metrics import scores; from numba.core.dispatcher import Dispatcher; "
        "loops = [one for one in vars(scores).values() if isinstance(one, Dispatcher)]; "
        "print(len(loops) > 0, sum(len(one.signatures) for one in loops))"
    )
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["True", "0"]
