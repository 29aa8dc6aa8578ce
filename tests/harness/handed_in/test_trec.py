"""Runs as TREC writes them: whole, cut, damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import metrics
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.handed_in.scoring import Scored
from harness.handed_in.trec import score_run
from harness.tie_order import IMAGES, tie_order

from .conftest import Dumped


def lines_of(split: Split, scores: Any, depth: int = 32, by_image: bool = False) -> list[str]:
    """Write what scores (N, M) rank, best first."""
    lines = []
    for query, row in enumerate(scores):
        image = split.image_ids[split.image_of_caption[query]]
        name = f"{image}#{query % 2}" if by_image else f"q{query}"
        for rank, place in enumerate(np.argsort(-row, kind="stable")[:depth]):
            told = f"{split.image_ids[place]} {rank + 1} {row[place]!r:.20} tag"
            lines.append(f"{name} Q0 {told}\n".replace("np.float32(", "").replace(")", ""))
    return lines


@pytest.fixture
def write(tmp_path: Path, split: Split, others: Any) -> Callable[..., Scored]:
    """Return what scores the lines of a run."""

    def score_lines(lines: list[str]) -> Scored:
        file = tmp_path / "run.txt"
        file.write_text("".join(lines), encoding="utf-8")
        return score_run(file, split, others, lambda what, done, total: None)

    return score_lines


def reference(split: Split, scores: Any) -> metrics.QueryScores:
    """Rank scores with the ties of the dataset."""
    order = tie_order(split.fingerprint, IMAGES, 32)
    return metrics.score_rows(scores[:, order], split.person_of_caption,
                              split.person_of_image[order])  # fmt: skip


@pytest.mark.parametrize("by_image", [False, True])
def test_a_whole_run_is_ranked_by_its_scores(
    write: Callable[..., Scored], split: Split, dumped: Dumped, by_image: bool
) -> None:
    """In any order of queries, by either name of them; ties break as the dataset draws."""
    scores = np.round(dumped.cosines, 1)  # many are the same
    lines = lines_of(split, scores, by_image=by_image)
    turned = [line for query in range(63, -1, -1) for line in lines[32 * query : 32 * query + 32]]
    wanted = reference(split, scores)
    for order in (lines, turned, [line.replace(" ", "\t") for line in lines]):
        found = write(order)
        assert found.at_most is None
        assert np.array_equal(found.text_to_image.hit_values, wanted.hit_values)
        assert np.array_equal(found.text_to_image.tied, wanted.tied)
        assert found.text_to_image.tied.any()


@pytest.mark.parametrize("depth", [1, 7, 10, 20])
def test_a_cut_run_has_bounds_that_hold_the_truth(
    write: Callable[..., Scored], split: Split, dumped: Dumped, depth: int
) -> None:
    """Rank-k is exact as deep as is listed; of what needs the whole list there are two ends."""
    truth = metrics.summarize(reference(split, dumped.cosines))
    found = write(lines_of(split, dumped.cosines, depth))
    assert found.at_most is not None
    assert found.depth == depth
    low, high = metrics.summarize(found.text_to_image), metrics.summarize(found.at_most)
    for name, value in truth.items():
        assert low[name] - 1e-9 <= value <= high[name] + 1e-9, name
    exact = [name for name, k in (("r1", 1), ("r5", 5), ("r10", 10)) if k <= depth]
    assert all(low[name] == high[name] for name in exact)
    assert low["map"] < high["map"]


def fault(lines: list[str], what: str, split: Split) -> list[str]:
    """Spoil a run."""
    first = lines[0].split()
    other = " ".join([first[0], "Q0", lines[1].split()[2], *first[3:]])
    return {
        "cut": [*lines[:-1], lines[-1][:12]],
        "missing": lines[32:],
        "twice": [f"{other}\n", *lines[1:]],
        "apart": [*lines[1:], lines[0]],
        "nan": [lines[0].replace(first[4], "nan"), *lines[1:]],
        "word": [lines[0].replace(first[4], "high"), *lines[1:]],
        "query": [lines[0].replace("q0 ", "q64 "), *lines[1:]],
        "image": [lines[0].replace(first[2], "<script>"), *lines[1:]],
        "empty": [],
    }[what]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("cut", "cut short or no run of TREC's"),
        ("missing", "answers 63 of the 64 queries of test; the first that is missing is q0"),
        ("twice", "query q0 lists an image twice"),
        ("apart", "the lines of query q0 stand apart"),
        ("nan", "query q0 has a score that is NaN"),
        ("word", "cut short or no run of TREC's"),
        ("query", "query 'q64' is none of test, which has q0 to q63"),
        ("image", "'<script>', which is none of test; of no split"),
        ("empty", "cut short or no run of TREC's"),
    ],
)
def test_a_damaged_run_is_one_sentence(
    write: Callable[..., Scored], split: Split, dumped: Dumped, what: str, said: str
) -> None:
    """It is refused with what is wrong, and nothing of it is scored."""
    with pytest.raises(HarnessError) as caught:
        write(fault(lines_of(split, dumped.cosines), what, split))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
