import pytest
import torch

from methods.blocks.memory import MemoryBank


def bank(new_share: float = 0.8) -> MemoryBank:
    """Return a bank of three items, filled with (1, 0), (0.6, 0.8) and (0, 1)."""
    memory = MemoryBank(3, 2, new_share)
    memory.fill(torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 0.5]]))
    return memory


def test_a_bank_is_filled_with_unit_features() -> None:
    """What is stored has length one, whatever length it was given with."""
    expected = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    torch.testing.assert_close(bank().features, expected)


def test_a_new_feature_has_the_new_share() -> None:
    """0.8 of the new unit feature, 0.2 of the stored; items that are not given stay."""
    memory = bank()
    memory.update(torch.tensor([0]), torch.tensor([[0.0, 5.0]]))
    expected = torch.tensor([[0.2, 0.8], [0.6, 0.8], [0.0, 1.0]])
    torch.testing.assert_close(memory.features, expected)


def test_averages_are_not_normalised_again() -> None:
    """A second update blends with the average as it is, shorter than one."""
    memory = bank()
    for _ in range(2):
        memory.update(torch.tensor([0]), torch.tensor([[0.0, 5.0]]))
    torch.testing.assert_close(memory.features[0], torch.tensor([0.04, 0.96]))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_an_item_given_twice_is_averaged_and_updated_once(order: list[int]) -> None:
    """The mean of its unit features is one new feature, in whatever order they come."""
    memory = bank()
    items = torch.tensor([0, 2, 0])[order]
    memory.update(items, torch.tensor([[0.0, 1.0], [9.0, 0.0], [2.0, 0.0]])[order])
    expected = torch.tensor([[0.8 * 0.5 + 0.2, 0.8 * 0.5], [0.6, 0.8], [0.8, 0.2]])
    torch.testing.assert_close(memory.features, expected)


def test_similarity_is_the_cosine_with_what_is_stored() -> None:
    """Neither the length of a query nor that of an average counts."""
    memory = bank(new_share=0.5)
    memory.update(torch.tensor([0]), torch.tensor([[0.0, 1.0]]))  # now (0.5, 0.5)
    found = memory.similarity(torch.tensor([[7.0, 0.0], [0.0, 0.1]]))
    expected = torch.tensor([[0.5**0.5, 0.6, 0.0], [0.5**0.5, 0.8, 1.0]])
    torch.testing.assert_close(found, expected)


def test_half_precision_is_stored_in_single() -> None:
    """Features in half precision are normalised in single, and leave the bank in it."""
    memory = bank()
    memory.update(torch.tensor([0]), torch.tensor([[1.0, 3.0]]).half())
    assert memory.features.dtype is torch.float32
    unit = torch.tensor([1.0, 3.0]) / 10**0.5
    torch.testing.assert_close(memory.features[0], 0.8 * unit + torch.tensor([0.2, 0.0]))


def test_a_bank_has_no_gradient() -> None:
    """Neither what is stored nor a similarity leads back to the encoder."""
    memory = bank()
    features = torch.randn(1, 2, requires_grad=True)
    memory.update(torch.tensor([1]), features)
    assert not memory.features.requires_grad
    assert not memory.similarity(features).requires_grad
    assert list(memory.parameters()) == []


def test_a_bank_is_part_of_a_checkpoint() -> None:
    """A new bank that takes up the state of another finds the same similarities."""
    memory, other = bank(), MemoryBank(3, 2, 0.8)
    memory.update(torch.tensor([0]), torch.tensor([[0.0, 5.0]]))
    other.load_state_dict(memory.state_dict())
    query = torch.tensor([[0.3, 0.7]])
    assert torch.equal(other.similarity(query), memory.similarity(query))


def test_a_bank_in_double_precision_stays_in_it() -> None:
    """A method that is checked in float64 can take a whole step."""
    memory = bank().double()
    memory.update(torch.tensor([0]), torch.tensor([[0.0, 5.0]], dtype=torch.float64))
    assert memory.features.dtype is torch.float64
    assert memory.features[0, 1].item() == 0.8
