"""Rows of what encoders return."""

import pytest
import torch

from harness.method import Encoded
from methods.blocks.encoded_rows import stack_rows, take_rows, tokens_of

NUMBERS = torch.arange(3.0)
MASK = torch.tensor([[1, 0], [1, 1], [0, 1]])
ENCODED = Encoded(NUMBERS[:, None], NUMBERS[:, None, None].expand(-1, 2, 1), MASK)


def test_rows_are_taken_as_often_as_they_are_named() -> None:
    """Embedding, tokens and mask alike; images have no mask."""
    found = take_rows(ENCODED, torch.tensor([2, 0, 2]))
    assert found.embedding[:, 0].tolist() == [2, 0, 2]
    assert tokens_of(found)[:, 1, 0].tolist() == [2, 0, 2]
    assert found.mask is not None
    assert found.mask.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert take_rows(Encoded(NUMBERS, NUMBERS), torch.tensor([1])).mask is None


def test_rows_stand_one_after_the_other() -> None:
    """In the order of the parts."""
    found = stack_rows(ENCODED, take_rows(ENCODED, torch.tensor([1])))
    assert found.embedding[:, 0].tolist() == [0, 1, 2, 1]
    assert tokens_of(found)[:, 0, 0].tolist() == [0, 1, 2, 1]
    assert found.mask is not None
    assert found.mask.tolist() == [[1, 0], [1, 1], [0, 1], [1, 1]]
    assert stack_rows(Encoded(NUMBERS, NUMBERS), Encoded(NUMBERS, NUMBERS)).mask is None


def test_embeddings_alone_have_no_rows_of_tokens() -> None:
    """The message says what to do."""
    with pytest.raises(TypeError, match="an encoder has to return its tokens too"):
        tokens_of(Encoded(NUMBERS))
