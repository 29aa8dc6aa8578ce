import math

import pytest
import torch
from torch import Tensor

from methods.blocks.relations import (
    confidence_target,
    gather_columns,
    nearest_above,
    softened_target,
)

CAPTIONS_OF_IMAGE = torch.tensor([[5, 2], [0, -1], [7, 1], [3, 6], [4, -1]])


def bools(*rows: list[int]) -> Tensor:
    """Return rows of 0 and 1 as truth values."""
    return torch.tensor(rows).bool()


def test_the_nearest_above_a_threshold() -> None:
    """Of a row's k largest those above, strictly: 0.5 is not above 0.5."""
    similarity = torch.tensor([[0.9, 0.6, 0.7, 0.8], [0.5, 0.1, 0.75, 0.2]])
    found = nearest_above(similarity, nearest=3, threshold=0.5)
    assert torch.equal(found, bools([1, 0, 1, 1], [0, 0, 1, 0]))


def test_what_must_not_be_found_takes_no_place() -> None:
    """An item at -inf is passed over, also where k exceeds the number of items."""
    similarity = torch.tensor([[-math.inf, 0.6, 0.7]])
    assert torch.equal(nearest_above(similarity, 1, 0.5), bools([0, 0, 1]))
    assert torch.equal(nearest_above(similarity, 10, -1.0), bools([0, 1, 1]))


def test_softened_targets_are_softmaxes() -> None:
    """Own pair e, match e^0.5, others 0: rows with two, one and no matches."""
    found = softened_target(bools([1, 1, 1], [1, 1, 0], [0, 0, 1]), match_weight=0.5)
    both = math.e + 2 * math.exp(0.5)
    half = math.exp(0.5) / both
    expected = [[math.e / both, half, half], [0.3775407, 0.6224593, 0], [0, 0, 1]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_an_own_pair_weighs_one_whether_it_matches_or_not() -> None:
    """The diagonal needs no similarity: a row without any match aims at its own pair."""
    assert torch.equal(softened_target(bools([0, 0], [0, 0]), 0.5), torch.eye(2))


def test_confidence_targets_weigh_what_is_related_weakly_more() -> None:
    """1 - the share of a similarity among own and related columns; the own column weighs 1."""
    similarity = torch.tensor([[1.0, 0.9, 0.7, 0.95]])
    found = confidence_target(similarity, bools([0, 1, 1, 0]), bools([1, 0, 0, 0]))
    total = math.exp(1) + math.exp(0.9) + math.exp(0.7)
    weights = [1, 1 - math.exp(0.9) / total, 1 - math.exp(0.7) / total]
    shares = [math.exp(weight) / sum(map(math.exp, weights)) for weight in weights]
    assert shares[0] > shares[2] > shares[1]
    torch.testing.assert_close(found, torch.tensor([[*shares, 0.0]]))


def test_the_own_column_is_in_the_sum() -> None:
    """An equal to the own column has confidence one half; without it the weight were 0."""
    found = confidence_target(torch.ones(1, 2), bools([0, 1]), bools([1, 0]))
    assert found[0].tolist() == pytest.approx([0.6224593, 0.3775407])


def test_an_own_column_weighs_one_though_it_is_related() -> None:
    """Two columns of the own image share equally, related or not."""
    found = confidence_target(torch.tensor([[1.0, 0.8]]), bools([0, 1]), bools([1, 1]))
    assert found[0].tolist() == pytest.approx([0.5, 0.5])


def test_columns_are_the_batch_and_what_its_rows_relate_to() -> None:
    """The union over the rows, each image once; what is in the batch comes from the batch."""
    images, captions = torch.tensor([2, 0, 0]), torch.tensor([7, 2, 5])
    related = bools([1, 0, 0, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1])
    columns = gather_columns(images, captions, related, CAPTIONS_OF_IMAGE)
    assert columns.images.tolist() == [2, 0, 0, 3, 4]
    assert columns.stored_images.tolist() == [3, 4]


def test_caption_columns_are_all_captions_of_the_image_columns() -> None:
    """The batch's, then each other one once; each knows the column of the image it describes."""
    images, captions = torch.tensor([2, 0, 0]), torch.tensor([7, 2, 5])
    related = bools([0, 0, 0, 1, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0])
    columns = gather_columns(images, captions, related, CAPTIONS_OF_IMAGE)
    assert sorted(columns.stored_captions.tolist()) == [1, 3, 4, 6]
    described = columns.images[columns.image_column].tolist()
    assert described[:3] == [2, 0, 0]
    assert columns.image_column[:3].tolist() == [0, 1, 2]
    found = dict(zip(columns.stored_captions.tolist(), described[3:], strict=True))
    assert found == {1: 2, 3: 3, 6: 3, 4: 4}


def test_a_batch_without_relations_stands_alone() -> None:
    """No image is added, and only captions of its own images are."""
    images, captions = torch.tensor([1, 0]), torch.tensor([0, 2])
    columns = gather_columns(images, captions, torch.zeros(2, 5).bool(), CAPTIONS_OF_IMAGE)
    assert columns.images.tolist() == [1, 0]
    assert columns.stored_captions.tolist() == [5]
    assert columns.image_column.tolist() == [0, 1, 1]
