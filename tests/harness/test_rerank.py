"""What `harness.rerank` must hold, against dense references of sets and dictionaries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import current_thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import HarnessError
from harness.metrics import QueryScores, neighbours, score_queries, score_rows, summarize
from harness.rerank import (
    RERANKINGS,
    KReciprocal,
    Reranking,
    VisualNeighbours,
    parse_reranking,
)

Dense = NDArray[np.float64]
GAP = 1e-6  # between the distances of neighbours that are in and out; float32 keeps their order

K_SETTINGS = [
    KReciprocal(),
    KReciprocal(k1=10, k2=3, original_weight=0.5),
    KReciprocal(k1=7, k2=1, original_weight=0.0),  # half of 7 rounds up
    KReciprocal(k1=5, k2=4, original_weight=0.1),  # half of 5 rounds down, to even
    KReciprocal(k1=3, k2=9, original_weight=0.2),  # averages beyond the list
    KReciprocal(k1=1, k2=2),
    KReciprocal(k1=30, k2=12),
]
VISUAL_SETTINGS = [
    VisualNeighbours(),
    VisualNeighbours(nearest=1, weight=0.5),
    VisualNeighbours(nearest=12, weight=0.05),
    VisualNeighbours(nearest=1000),  # more than there are
]


def unit(features: Tensor) -> Dense:
    """Return rows of length one in double precision."""
    rows = features.double().numpy()
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def by_cosine(rows: Dense, others: Dense, cuts: list[int]) -> list[list[int]]:
    """Sort all others by cosine for each row; what is cut apart must not be close to a tie."""
    cosines = rows @ others.T
    order = [sorted(range(len(others)), key=lambda g: (-row[g], g)) for row in cosines.tolist()]
    ordered = np.take_along_axis(cosines, np.array(order), 1)
    for cut in cuts:
        gaps = ordered[:, cut - 1 : cut] - ordered[:, cut : cut + 1]
        assert ((gaps == 0) | (gaps > GAP)).all(), f"neighbour {cut} is a matter of rounding"
    return order


def k_reciprocal_reference(queries: Tensor, gallery: Tensor, settings: KReciprocal) -> Dense:
    """Return minus the final distance (Q, G), from the equations of the paper."""
    rows = np.concatenate([unit(queries), unit(gallery)])
    everyone = range(len(rows))
    distance = np.array([((row - rows) ** 2).sum(1) for row in rows])
    distance /= distance.max(1, keepdims=True)
    half = int(np.around(settings.k1 / 2))
    order = by_cosine(rows, rows, [settings.k1 + 1, half + 1, settings.k2])

    def reciprocal(k: int) -> list[set[int]]:
        near = [set(row[: k + 1]) for row in order]
        return [{j for j in near[i] if i in near[j]} for i in everyone]

    groups, small_groups = reciprocal(settings.k1), reciprocal(half)
    vectors = []
    for i in everyone:
        expanded = set(groups[i])
        for j in groups[i]:
            if len(small_groups[j] & groups[i]) > 2 / 3 * len(small_groups[j]):
                expanded |= small_groups[j]
        weights = {j: math.exp(-distance[i, j]) for j in expanded}
        total = sum(weights.values())
        vectors.append({j: weight / total for j, weight in weights.items()})
    averaged = vectors  # also where the nearest row is an equal one
    if settings.k2 > 1:
        averaged = [mean([vectors[j] for j in row[: settings.k2]]) for row in order]
    jaccard = np.array(
        [[1 - overlap(one, other) for other in averaged[len(queries) :]] for one in averaged]
    )[: len(queries)]
    original = distance[: len(queries), len(queries) :]
    return -((1 - settings.original_weight) * jaccard + settings.original_weight * original)


def mean(vectors: list[dict[int, float]]) -> dict[int, float]:
    """Average sparse vectors."""
    members = set().union(*vectors)
    return {j: sum(one.get(j, 0.0) for one in vectors) / len(vectors) for j in members}


def overlap(one: dict[int, float], other: dict[int, float]) -> float:
    """Return the Jaccard similarity of vectors that sum to one: the maxima sum to 2 - minima."""
    minima = sum(min(one[j], other[j]) for j in one.keys() & other.keys())
    return minima / (2 - minima)


def visual_reference(queries: Tensor, gallery: Tensor, settings: VisualNeighbours) -> Dense:
    """Return the cosine and the weighted votes (Q, G), set by set."""
    texts, images = unit(queries), unit(gallery)
    cut = min(settings.nearest, len(images))
    of_text = [set(row[:cut]) for row in by_cosine(texts, images, [cut])]
    of_image = [set(row[:cut]) for row in by_cosine(images, images, [cut])]
    votes = [[len(q & g) / len(q | g) for g in of_image] for q in of_text]
    return np.asarray(texts @ images.T + settings.weight * np.array(votes))


def reference(queries: Tensor, gallery: Tensor, reranking: Reranking) -> Dense:
    """Return the scores (Q, G) in double precision."""
    if isinstance(reranking, KReciprocal):
        return k_reciprocal_reference(queries, gallery, reranking)
    assert isinstance(reranking, VisualNeighbours)
    return visual_reference(queries, gallery, reranking)


def rerank(queries: Tensor, gallery: Tensor, reranking: Reranking) -> NDArray[np.float32]:
    """Return all chunks as one array."""
    return np.concatenate(list(reranking(queries, gallery)))


def check(queries: Tensor, gallery: Tensor, reranking: Reranking) -> None:
    """Compare scores, and the order that they give, with the reference."""
    expected, scores = reference(queries, gallery, reranking), rerank(queries, gallery, reranking)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    order = np.argsort(-scores, axis=1, kind="stable")
    assert np.diff(np.take_along_axis(expected, order, 1), axis=1).max(initial=-1) < 2e-6


def clustered(queries: int, gallery: int, seed: int = 0, width: int = 24) -> tuple[Tensor, Tensor]:
    """Return features of people: a centre each, with noise, and texts beside the images."""
    generator = torch.Generator().manual_seed(seed)
    people = torch.randn(40, width, generator=generator)
    gap = 0.5 * torch.randn(width, generator=generator)
    texts = people[torch.randint(40, (queries,), generator=generator)] + gap
    images = people[torch.randint(40, (gallery,), generator=generator)] - gap
    noise = [0.7 * torch.randn(part.shape, generator=generator) for part in (texts, images)]
    return texts + noise[0], images + noise[1]


def exact(rows: int, seed: int, width: int = 6) -> Tensor:
    """Return rows with four entries of one half: lengths and cosines are exact, and tie often."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(rows, width, generator=generator).argsort(1)[:, :4]
    signs = torch.randint(2, (rows, 4), generator=generator) - 0.5
    return torch.zeros(rows, width).scatter(1, places, signs)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("reranking", [*K_SETTINGS, *VISUAL_SETTINGS], ids=str)
def test_scores_equal_the_reference(reranking: Reranking) -> None:
    """Clustered features score as sets and dictionaries in double precision do."""
    check(*clustered(200, 300), reranking)


@pytest.mark.parametrize(
    "reranking", [KReciprocal(), KReciprocal(k1=1000, k2=2000), VisualNeighbours()], ids=str
)
@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (1, 9), (9, 1), (3, 4), (30, 35)])
def test_few_rows_equal_the_reference(queries: int, gallery: int, reranking: Reranking) -> None:
    """Fewer rows than neighbours are no error, down to one of each."""
    check(*clustered(queries, gallery), reranking)


@pytest.mark.parametrize("reranking", [*K_SETTINGS[:6], *VISUAL_SETTINGS], ids=str)
def test_ties_equal_the_reference(reranking: Reranking) -> None:
    """Where many cosines tie, queries and gallery rows that are equal among them, the earlier row
    is the nearer one.
    """
    queries, gallery = exact(60, 1), exact(90, 2)
    gallery[20:30] = queries[5]
    check(queries, gallery, reranking)


def test_a_row_that_is_not_its_own_neighbour_equals_the_reference() -> None:
    """Of more equal rows than a list holds, the last are in no list and weigh nothing."""
    queries, gallery = exact(60, 1), exact(90, 2)
    gallery[20:50] = queries[5]
    for settings in (KReciprocal(k1=8), KReciprocal(k1=8, k2=1)):
        check(queries, gallery, settings)


@pytest.mark.parametrize("chunk", [64, 128, 256])
@pytest.mark.parametrize("reranking", [KReciprocal(k1=8), VisualNeighbours()], ids=str)
def test_borders_of_chunks_change_nothing(
    monkeypatch: pytest.MonkeyPatch, reranking: Reranking, chunk: int
) -> None:
    """Nothing is lost or shifted where rows pass from one product to the next."""
    features = exact(257, 3), exact(300, 4)
    whole = rerank(*features, reranking)
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    np.testing.assert_array_equal(rerank(*features, reranking), whole)
    check(*clustered(200, 300), reranking)


@pytest.mark.parametrize("reranking", [KReciprocal(), VisualNeighbours()], ids=str)
def test_a_chunk_is_a_block_for_each_thread(
    monkeypatch: pytest.MonkeyPatch, reranking: Reranking
) -> None:
    """The scores come in chunks that do not grow with the queries."""
    monkeypatch.setattr(neighbours, "CHUNK", 64)
    with threads(2):
        chunks = [chunk.shape for chunk in reranking(*clustered(300, 70))]
    assert chunks == [(128, 70), (128, 70), (44, 70)]


@pytest.mark.parametrize("reranking", [KReciprocal(), VisualNeighbours()], ids=str)
def test_scores_repeat_bit_for_bit(monkeypatch: pytest.MonkeyPatch, reranking: Reranking) -> None:
    """Neither another call nor more threads change a bit, and torch keeps its threads."""
    monkeypatch.setattr(neighbours, "CHUNK", 64)
    features = clustered(300, 400, width=77)
    with threads(1):
        first, again = rerank(*features, reranking), rerank(*features, reranking)
    with threads(2):
        shared = rerank(*features, reranking)
        assert torch.get_num_threads() == 2
    assert first.tobytes() == again.tobytes() == shared.tobytes()


@pytest.mark.parametrize("count", [1, 2])
def test_blocks_share_the_threads_of_torch(count: int) -> None:
    """In each of as many threads as torch has it uses one, and afterwards what it did before."""
    with threads(count):
        used = neighbours.each_block(
            lambda start, stop: (current_thread().name, torch.get_num_threads()), 2000
        )
        assert 1 <= len({name for name, _ in used}) <= count
        assert [inside for _, inside in used] == [1] * 4
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == count


COSINES = [
    KReciprocal(k1=0),
    KReciprocal(original_weight=1.0),
    VisualNeighbours(nearest=0),
    VisualNeighbours(weight=0.0),
]


@pytest.mark.parametrize("reranking", COSINES, ids=str)
def test_without_neighbours_the_embedding_decides(reranking: Reranking) -> None:
    """With no neighbours, or no weight on them, every field is the embedding's to the last bit."""
    features = clustered(1100, 700, width=77)
    ids = np.arange(1100) % 50, np.arange(700) % 50
    plain = score_queries(*features, *ids, top=9)
    scores = score_rows(reranking(*features), *ids, top=9)
    assert fields(scores) == fields(plain)


def fields(scores: QueryScores) -> dict[str, bytes]:
    """Return every field byte by byte."""
    return {name: value.tobytes() for name, value in vars(scores).items()}


ANY = torch.randn(1, 100, generator=torch.Generator().manual_seed(0))
ROUND = torch.ones(1, 4)  # its cosine with itself is exactly one, so no distance is above zero


@pytest.mark.parametrize("queries", [1, 100])
@pytest.mark.parametrize("embedding", [ANY, ROUND], ids=["any", "round"])
@pytest.mark.parametrize("reranking", [*K_SETTINGS[:6], *VISUAL_SETTINGS], ids=str)
def test_a_constant_encoder_scores_as_chance(
    reranking: Reranking, embedding: Tensor, queries: int
) -> None:
    """Equal embeddings leave the gallery in its order, so the first person is found first."""
    people = np.arange(363) % 100
    chunks = reranking(embedding.repeat(queries, 1), embedding.repeat(363, 1))
    scores = score_rows(chunks, people[:queries], people, top=363)
    assert (scores.top_rows == np.arange(363)).all()
    assert summarize(scores)["r1"] == pytest.approx(100 / queries)


@pytest.mark.parametrize("reranking", [KReciprocal(), VisualNeighbours()], ids=str)
def test_neighbours_lift_people_with_several_images(reranking: Reranking) -> None:
    """On noisy people of several images, neighbours find more of each person's images."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.arange(300) % 40
    people = torch.randn(40, 24, generator=generator)[ids]
    texts, images = (people + torch.randn(300, 24, generator=generator) for _ in range(2))
    plain = summarize(score_queries(texts, images, ids, ids))
    assert summarize(score_rows(reranking(texts, images), ids, ids))["map"] > plain["map"] + 2


def on_circle(degrees: list[float]) -> Tensor:
    """Return unit vectors in the plane."""
    radians = torch.tensor(degrees).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], 1)


QUERY, IMAGES = on_circle([0]), on_circle([20, 40, 50, -25, -28, -31])


def test_votes_by_hand() -> None:
    """The image at 20 degrees shares one of five neighbours, those around -28 two of four each."""
    (scores,) = rerank(QUERY, IMAGES, VisualNeighbours(nearest=3, weight=1.0))
    shares = [1 / 5, 1 / 5, 1 / 5, 2 / 4, 2 / 4, 2 / 4]
    cosines = [math.cos(math.radians(angle)) for angle in (20, 40, 50, 25, 28, 31)]
    assert scores.tolist() == pytest.approx(np.add(cosines, shares).tolist(), abs=1e-6)


@pytest.mark.parametrize("reranking", [KReciprocal(k1=3, k2=1), VisualNeighbours(3)], ids=str)
def test_neighbours_lift_the_right_image_to_rank_1(reranking: Reranking) -> None:
    """An image second by cosine overtakes a lone first one, which its neighbours do not support."""
    people = ["wrong", "wrong", "wrong", "right", "right", "right"]
    assert score_queries(QUERY, IMAGES, ["right"], people).first_hit.tolist() == [2]
    assert score_rows(reranking(QUERY, IMAGES), ["right"], people).first_hit.tolist() == [1]


def test_which_scores_depend_on_other_queries() -> None:
    """A query's votes are its own; its k-reciprocal neighbours are found among queries too."""
    queries, gallery = clustered(40, 60)
    alone = rerank(queries[:1], gallery, VisualNeighbours())
    np.testing.assert_allclose(alone, rerank(queries, gallery, VisualNeighbours())[:1], atol=1e-6)
    alone, among = (
        rerank(queries[:1], gallery, KReciprocal()),
        rerank(queries, gallery, KReciprocal()),
    )
    assert np.abs(alone - among[:1]).max() > 0.01


@pytest.mark.parametrize("reranking", [KReciprocal(), VisualNeighbours()], ids=str)
def test_features_may_be_of_any_length_and_kind(reranking: Reranking) -> None:
    """Neither length, dtype nor gradient of an embedding matters, and it is left alone."""
    queries, gallery = clustered(30, 40)
    expected = rerank(queries, gallery, reranking)
    longer = (queries * 4).double().requires_grad_(), (gallery * 0.5).T.contiguous().T
    kept = [part.detach().clone() for part in longer]
    np.testing.assert_array_equal(rerank(*longer, reranking), expected)
    assert all(torch.equal(*pair) for pair in zip(longer, kept, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("name", ["queries", "gallery"])
@pytest.mark.parametrize("reranking", [KReciprocal(), VisualNeighbours(), COSINES[0]], ids=str)
def test_features_that_are_not_finite_are_refused(
    reranking: Reranking, name: str, value: float
) -> None:
    """The call itself fails, and the message names the input and its first broken row."""
    features = {part: torch.ones(1500, 4, dtype=torch.float64) for part in ("queries", "gallery")}
    features[name][1200, -1] = features[name][1300, 0] = value
    with pytest.raises(ValueError, match=rf"^{name} row 1200 holds NaN, infinity or more than"):
        reranking(features["queries"], features["gallery"])


@pytest.mark.parametrize(
    ("queries", "gallery", "message"),
    [
        ((0, 4), (3, 4), r"^queries must be \(rows, width\) and not empty; got \(0, 4\)"),
        ((3, 4), (4,), r"^gallery must be \(rows, width\) and not empty; got \(4,\)"),
        ((3, 4), (3, 5), r"^queries \(3, 4\) and gallery \(3, 5\) differ in width"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(queries: Any, gallery: Any, message: str) -> None:
    """Empty features, and those that cannot be compared, are named with their shapes."""
    with pytest.raises(ValueError, match=message):
        KReciprocal()(torch.ones(queries), torch.ones(gallery))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k-reciprocal", KReciprocal(k1=20, k2=6, original_weight=0.3)),
        ("visual-neighbours", VisualNeighbours(nearest=5, weight=1.0)),
        ("visual-neighbours:weight=0.05,nearest=10", VisualNeighbours(10, 0.05)),
        ("k-reciprocal:original_weight=1e-3", KReciprocal(original_weight=0.001)),
        ("k-reciprocal:k1=0", KReciprocal(k1=0)),
    ],
)
def test_parsing(text: str, expected: Reranking) -> None:
    """A name gives the published settings, and those after the colon replace them."""
    assert parse_reranking(text) == expected


@pytest.mark.parametrize(
    ("reranking", "name"),
    [
        (KReciprocal(), "k-reciprocal"),
        (VisualNeighbours(weight=1), "visual-neighbours"),
        (VisualNeighbours(nearest=10, weight=0.05), "visual-neighbours:nearest=10,weight=0.05"),
        (KReciprocal(k2=1, original_weight=1 / 3), f"k-reciprocal:k2=1,original_weight={1 / 3}"),
        (VisualNeighbours(weight=3), "visual-neighbours:weight=3"),
    ],
)
def test_names_are_found_again(reranking: Reranking, name: str) -> None:
    """The name tells what differs from the published settings, and parses to the same."""
    assert str(reranking) == name
    assert parse_reranking(name) == reranking


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k-recipocal", r"^There is no re-ranking 'k-recipocal'. Did you mean 'k-reciprocal'\?"),
        ("", r"^There is no re-ranking ''. There are: k-reciprocal, visual-neighbours."),
        ("k-reciprocal:", r"^There is no setting of k-reciprocal ''. There are: k1, k2, orig"),
        ("visual-neighbours:k1=3", r"^There is no setting of visual-neighbours 'k1'."),
        ("visual-neighbours:nearst=3", r"Did you mean 'nearest'\?"),
        ("k-reciprocal:k1=2.5", r"^k-reciprocal:k1=2.5: k1 must be a whole number; got '2.5'."),
        ("k-reciprocal:k1", r": k1 must be a whole number; got ''."),
        ("visual-neighbours:weight=big", r": weight must be a number; got 'big'."),
        ("k-reciprocal:k1=3,k1=4", r"^k-reciprocal:k1=3,k1=4: k1 is given twice."),
        ("k-reciprocal:k1=-1", r"^k-reciprocal: k1 must be at least 0; got -1."),
        ("k-reciprocal:k2=0", r"^k-reciprocal: k2 must be at least 1; got 0."),
        (
            "k-reciprocal:original_weight=1.5",
            r"^k-reciprocal: original_weight must be at least 0.0 and at most 1.0; got 1.5.",
        ),
        ("visual-neighbours:weight=nan", r"weight must be at least 0.0; got nan."),
        ("visual-neighbours:weight=inf", r"weight must be at least 0.0; got inf."),
        ("visual-neighbours:nearest=-1", r"nearest must be at least 0; got -1."),
    ],
)
def test_what_cannot_be_parsed_is_refused(text: str, message: str) -> None:
    """The message says what was wrong and what exists, or what was probably meant."""
    with pytest.raises(HarnessError, match=message):
        parse_reranking(text)


def test_every_reranking_is_registered_with_its_ranges() -> None:
    """Each name leads to its class, and each setting has a range that holds its default."""
    for name, kind in RERANKINGS.items():
        assert str(kind()) == name
        assert kind.ranges.keys() == vars(kind()).keys()
