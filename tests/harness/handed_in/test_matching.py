"""Which row of a file is which query and image, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.schema import Split
from harness.errors import HarnessError
from harness.handed_in.layout import GivenIds, Handed
from harness.handed_in.matching import Match, match

from .conftest import Dumped


def matched(split: Split, others: Any, dumped: Dumped, **ids: Any) -> Match:
    """Match the features with what is said of their rows."""
    return match(hand(dumped.texts, dumped.images, **ids), split, others)


def hand(texts: Any, images: Any, **ids: Any) -> Handed:
    """Return features as read from a file."""
    return Handed((Path("a.npz"),), texts, images, None, GivenIds(**ids))


def test_rows_are_found_by_ids(split: Split, others: Any, dumped: Dumped) -> None:
    """Numbers of queries and ids of images tell every row, and the order is proved."""
    draw = np.random.default_rng(1)
    captions, images = draw.permutation(64), draw.permutation(32)
    found = matched(
        split, others, dumped, query_ids=captions,
        image_ids=[f"/data/imgs/{split.image_ids[row]}" for row in images],
        image_people=split.person_of_image[images],
    )  # fmt: skip
    assert np.array_equal(captions[found.captions], np.arange(64))
    assert np.array_equal(images[found.images], np.arange(32))
    assert (found.by, found.order_checked) == ("captions by query numbers, images by image ids",
                                               True)  # fmt: skip


def test_captions_are_found_by_their_image_and_number(
    split: Split, others: Any, dumped: Dumped
) -> None:
    """Where captions have no number of their own, image and caption number tell them."""
    order = np.random.default_rng(1).permutation(64)
    images = [split.image_ids[split.image_of_caption[row]] for row in order]
    said = {"text_image_ids": images, "image_ids": split.image_ids}
    found = matched(split, others, dumped, **said, caption_numbers=order % 2)
    assert np.array_equal(order[found.captions], np.arange(64))
    by_turns = matched(split, others, dumped, **said)
    people = split.person_of_caption[order]
    assert np.array_equal(people[by_turns.captions], split.person_of_caption)
    assert found.order_checked
    assert by_turns.order_checked


def test_the_four_arrays_prove_the_order(split: Split, others: Any, dumped: Dumped) -> None:
    """People of all rows, as the annotation numbers them and in its order, are proof enough."""
    found = matched(split, others, dumped, text_people=split.person_of_caption,
                    image_people=split.person_of_image)  # fmt: skip
    assert (found.captions, found.images) == (None, None)
    assert (found.by, found.order_checked) == ("person ids", True)


def test_without_ids_nothing_is_proved(split: Split, others: Any, dumped: Dumped) -> None:
    """Nor do people under other numbers prove anything: any order could be numbered so."""
    renamed = np.unique(split.person_of_image, return_inverse=True)[1]
    of_captions = renamed[split.image_of_caption]
    for ids in ({}, {"text_people": of_captions, "image_people": renamed}):
        found = matched(split, others, dumped, **ids)
        assert not found.order_checked
        assert found.by == "order alone"
    half = matched(split, others, dumped, image_ids=split.image_ids)
    assert not half.order_checked
    assert half.by == "captions by order alone, images by image ids"


def faults(split: Split, splits: dict[str, Split]) -> dict[str, dict[str, Any]]:
    """What ids may say that cannot be, by what the message tells."""
    images, people = list(split.image_ids), split.person_of_image
    shuffled = np.roll(people, 1)
    return {
        "is shuffled": {"image_people": shuffled},
        "disagree with test": {"image_people": np.where(people == people[0], people[-1], people)},
        "none of test; it is one of train: the file is of another split": {
            "image_ids": [splits["train"].image_ids[0], *images[1:]]
        },
        "none of test; of no split": {"image_ids": ["<script>", *images[1:]]},
        "rows 0 and 1 are the same image": {"image_ids": [images[0], images[0], *images[2:]]},
        "rows 0 and 1 are the same query": {"query_ids": np.r_[0, 0, np.arange(2, 64)]},
        "Ids of people go by": {"query_ids": split.person_of_caption},
        "is caption 7 of image": {
            "text_image_ids": [images[row] for row in split.image_of_caption],
            "caption_numbers": np.r_[7, np.arange(63) % 2],
        },
        "caption 0 is of person": {
            "query_ids": np.arange(64),
            "text_people": np.r_[people[-1], split.person_of_caption[1:]],
        },
    }


@pytest.mark.parametrize("number", range(9))
def test_ids_that_disagree_are_refused(
    split: Split, splits: dict[str, Split], others: Any, dumped: Dumped, number: int
) -> None:
    """One sentence tells the file, the row and what is wrong with it."""
    said, ids = list(faults(split, splits).items())[number]
    with pytest.raises(HarnessError) as caught:
        matched(split, others, dumped, **ids)
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.npz")


def test_counts_that_are_not_those_of_the_split_are_refused(
    split: Split, splits: dict[str, Split], others: Any, dumped: Dumped
) -> None:
    """It is told whether they are transposed, of another split, or of nothing that is known."""
    texts, images = dumped.texts, dumped.images
    val = splits["val"]
    wrong = {
        "transposed. A row of a similarity": (images, texts),
        "transposed. A row is one item": (np.ones((9, 64)), np.ones((9, 32))),
        "as val has": (np.ones((len(val.captions), 2)), np.ones((len(val.image_ids), 2))),
        "cut short, or of other data": (texts[:-1], images),
    }
    for said, arrays in wrong.items():
        with pytest.raises(HarnessError, match=said):
            match(hand(*arrays), split, others)
