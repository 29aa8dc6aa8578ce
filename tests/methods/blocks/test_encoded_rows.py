"""Rows of what encoders return."""

import pytest
import torch

from harness.method import Encoded
from methods.blocks.encoded_rows import first_of_each, stack_rows, take_rows, tokens_of

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


def test_a_row_that_is_named_twice_has_the_gradients_of_both() -> None:
    """And one that is not named none."""
    tokens = torch.ones(3, 2, 1, requires_grad=True)
    found = take_rows(Encoded(NUMBERS[:, None], tokens), torch.tensor([2, 0, 2]))
    (tokens_of(found) * torch.tensor([1.0, 10.0, 100.0])[:, None, None]).sum().backward()  # type: ignore[no-untyped-call]  # of torch
    assert tokens.grad is not None
    assert tokens.grad[:, 1, 0].tolist() == [10.0, 0.0, 101.0]


def test_what_is_numbered_alike_is_found_where_it_stands_first() -> None:
    """Each number leads to its first place."""
    numbers = torch.tensor([7, 3, 3, 9, 7, 1])
    first, which = first_of_each(numbers)
    assert sorted(first.tolist()) == [0, 1, 3, 5]
    assert first[which].tolist() == [0, 1, 1, 3, 0, 5]


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
