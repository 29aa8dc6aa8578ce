"""Ranks among crowds, against the whole matrix of scores, sorted."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import metrics
from harness.metrics import crowding
from harness.metrics.crowding import Crowding, ladder, score_crowd
from harness.tie_order import IMAGES, tie_order

PEOPLE = np.repeat(np.arange(9), 3)
ASKED = np.repeat(np.arange(9), 2)


def features(strangers: int, make: Callable[..., Tensor] = torch.randn) -> tuple[Tensor, ...]:
    """Return features of 18 queries, 27 images and strangers, some of whom are copies."""
    draw = torch.Generator().manual_seed(3)
    looks = torch.randn(9, 16, generator=draw)
    queries = looks[ASKED] + torch.randn(18, 16, generator=draw)
    gallery = looks[PEOPLE] + torch.randn(27, 16, generator=draw)
    crowd = make(strangers, 16, generator=draw)
    crowd[::7] = gallery[torch.randint(27, (len(crowd[::7]),), generator=draw)]
    return queries, gallery, crowd


def score(queries: Tensor, gallery: Tensor, crowd: Tensor) -> Crowding:
    """Score a crowd by the project's order of ties."""
    rows = crowd.numpy()
    places = np.argsort(tie_order("data", IMAGES, len(gallery) + len(crowd)))
    asked = (ASKED, PEOPLE), lambda start, stop: rows[start:stop]
    return score_crowd(queries, gallery, *asked, places, ladder(len(crowd)))


@pytest.mark.parametrize("strangers", [1, 64, 431, 10_000])
def test_ranks_are_those_of_the_whole_matrix(
    strangers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every size, with ties; several blocks count as one matrix that is sorted."""
    monkeypatch.setattr(crowding, "BLOCK", 192)
    queries, gallery, crowd = features(strangers)
    found = score(queries, gallery, crowd)
    whole = torch.cat([gallery, crowd])
    cosines = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(whole).T
    for level, size in enumerate(found.sizes):
        count = len(gallery) + size
        order = tie_order("data", IMAGES, count)
        who = np.concatenate([PEOPLE, np.full(size, -1)])[order]
        expected = metrics.score_queries(
            queries, whole[:count][torch.from_numpy(order)], ASKED, who
        )
        assert np.array_equal(found.hit_ranks[level], expected.hit_values)
        assert np.array_equal(found.tied[level], expected.tied)
        for query, person in enumerate(ASKED):
            others = np.concatenate([PEOPLE, np.full(size, -1)]) != person
            best = float(cosines[query, :count][others].max())
            assert found.other_scores[level, query] == pytest.approx(best, abs=1e-6)
            own = float(cosines[query, : len(gallery)][person == PEOPLE].max())
            assert found.hit_scores[query] == pytest.approx(own, abs=1e-6)
    assert found.tied[-1].any()  # with the copies


def test_a_smaller_crowd_is_the_beginning_of_a_larger_one() -> None:
    """What is found among 300 is found on the way to 1,000."""
    queries, gallery, crowd = features(1000)
    large, small = score(queries, gallery, crowd), score(queries, gallery, crowd[:300])
    levels = [large.sizes.index(size) for size in small.sizes]
    assert np.array_equal(large.hit_ranks[levels], small.hit_ranks)
    assert np.array_equal(large.other_scores[levels], small.other_scores)


def test_images_that_are_all_alike_rank_by_the_order_of_ties() -> None:
    """No match wins a tie because it is one."""
    ones = torch.ones(18, 16), torch.ones(27, 16), torch.ones(500, 16)
    found = score(*ones)
    assert found.tied.all()
    order = tie_order("data", IMAGES, 527)
    first = [np.flatnonzero(np.isin(order, np.flatnonzero(p == PEOPLE)))[0] + 1 for p in ASKED]
    assert found.hit_ranks[-1][found.hit_offsets[:-1]].tolist() == first


def test_a_ladder_goes_by_ones_and_threes() -> None:
    """It begins with the gallery alone and ends with the whole crowd."""
    assert ladder(10_000) == (0, 100, 300, 1000, 3000, 10_000)
    assert ladder(2000) == (0, 100, 300, 1000, 2000)
    assert ladder(7) == (0, 7)


def test_strangers_that_are_no_numbers_are_named() -> None:
    """Nothing is ranked beside what is not finite."""
    queries, gallery, crowd = features(400)
    crowd[301, 2] = torch.nan
    with pytest.raises(ValueError, match="stranger 301 holds NaN"):
        score(queries, gallery, crowd)
    with pytest.raises(ValueError, match=r"strangers must be \(rows, 16\)"):
        score(queries, gallery, crowd[:, :5])
