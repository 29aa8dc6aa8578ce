import pytest
import torch
from torch import Tensor, nn

from methods.blocks.momentum import FeatureQueue, MomentumCopy


def numbered(*rows: int) -> tuple[Tensor, Tensor]:
    """Return features whose entries are their number, with ten times it as labels."""
    numbers = torch.tensor(rows)
    return numbers[:, None].float().expand(-1, 3), numbers * 10


def filled(queue: FeatureQueue) -> tuple[list[float], list[int]]:
    """Return the numbers and the labels in a queue, slot by slot."""
    features, labels = queue.filled()
    assert (features == features[:, :1]).all()
    return features[:, 0].tolist(), labels.tolist()


def test_a_copy_is_a_moving_average_by_hand() -> None:
    """0.9 of the old and 0.1 of the new, again and again."""
    module = nn.Linear(1, 1, bias=False).double()
    module.weight.data.fill_(1.0)
    copy = MomentumCopy(module, 0.9)
    module.weight.data.fill_(2.0)
    found = []
    for _ in range(3):
        copy.update(module)
        (weight,) = copy.parameters()
        found.append(float(weight.detach()))
    assert found == pytest.approx([1.1, 1.19, 1.271])
    assert float(module.weight.detach()) == 2.0


def test_a_copy_starts_alike_and_is_not_the_module() -> None:
    """Changing the module changes no weight of the copy before an update."""
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    copy = MomentumCopy(module, 0.5)
    for mine, theirs in zip(copy.module.parameters(), module.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    copy.update(module)
    for mine, theirs in zip(copy.module.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs - 0.5)


def test_a_copy_takes_no_gradient() -> None:
    """Nothing of it learns, before and behind an update; the module does."""
    module = nn.Linear(2, 2)
    copy = MomentumCopy(module, 0.5)
    copy.update(module)
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not copy.module(torch.ones(1, 2)).requires_grad


def test_a_copy_of_another_shape_is_refused() -> None:
    """A module with fewer parameters is not its."""
    with pytest.raises(ValueError, match="zip"):
        MomentumCopy(nn.Linear(2, 2), 0.5).update(nn.Linear(2, 2, bias=False))


def test_a_new_queue_is_empty() -> None:
    """No slot counts before it is filled."""
    features, labels = FeatureQueue(4, 3).filled()
    assert features.shape == (0, 3)
    assert labels.shape == (0,)


def test_a_queue_fills_then_the_oldest_give_way() -> None:
    """Features keep their labels beside them, around the end too."""
    queue = FeatureQueue(4, 3)
    queue.push(*numbered(1, 2, 3))
    assert filled(queue) == ([1, 2, 3], [10, 20, 30])
    queue.push(*numbered(4, 5, 6))
    assert filled(queue) == ([5, 6, 3, 4], [50, 60, 30, 40])
    queue.push(*numbered(7))
    assert filled(queue) == ([5, 6, 7, 4], [50, 60, 70, 40])
    queue.push(*numbered(8, 9))
    assert filled(queue) == ([9, 6, 7, 8], [90, 60, 70, 80])


def test_of_more_than_fit_the_last_stay() -> None:
    """A batch that is larger than the queue, also behind others."""
    queue = FeatureQueue(3, 3)
    queue.push(*numbered(1))
    queue.push(*numbered(2, 3, 4, 5, 6))
    numbers, labels = filled(queue)
    assert sorted(numbers) == [4, 5, 6]
    assert labels == [10 * number for number in numbers]


def test_a_batch_as_large_as_the_queue_replaces_all() -> None:
    """Exactly full, exactly once."""
    queue = FeatureQueue(3, 3)
    queue.push(*numbered(1, 2, 3))
    queue.push(*numbered(4, 5, 6))
    assert filled(queue) == ([4, 5, 6], [40, 50, 60])


def test_a_queue_takes_no_gradient_and_gives_copies() -> None:
    """What was read stays as it was when the queue is pushed to within the step."""
    queue = FeatureQueue(2, 3)
    queue.push(torch.ones(1, 3, requires_grad=True) * 1, torch.tensor([1]))
    features, labels = queue.filled()
    assert not features.requires_grad
    queue.push(*numbered(7, 8))
    assert features.tolist() == [[1.0, 1.0, 1.0]]
    assert labels.tolist() == [1]
    assert not list(queue.parameters())


def test_half_precision_is_taken_up() -> None:
    """Features of a mixed-precision step are kept in the queue's own precision."""
    queue = FeatureQueue(2, 3)
    queue.push(torch.full((1, 3), 0.5, dtype=torch.float16), torch.tensor([4]))
    features, _ = queue.filled()
    assert features.dtype == torch.float32
    assert features.tolist() == [[0.5] * 3]


def test_a_checkpoint_holds_slots_labels_and_the_count() -> None:
    """A queue that is loaded goes on where the saved one stood."""
    one, two = FeatureQueue(4, 3), FeatureQueue(4, 3)
    one.push(*numbered(1, 2, 3))
    one.push(*numbered(4, 5))
    two.load_state_dict(one.state_dict())
    assert filled(two) == filled(one) == ([5, 2, 3, 4], [50, 20, 30, 40])
    for queue in (one, two):
        queue.push(*numbered(6))
    assert filled(two) == filled(one) == ([5, 6, 3, 4], [50, 60, 30, 40])


def test_a_checkpoint_holds_the_copy() -> None:
    """Its weights are part of the state, apart from the module's."""
    module = nn.Linear(1, 1, bias=False)
    copy = MomentumCopy(module, 0.5)
    copy.module.weight.data.fill_(7.0)
    other = MomentumCopy(nn.Linear(1, 1, bias=False), 0.5)
    other.load_state_dict(copy.state_dict())
    assert other.module.weight.tolist() == [[7.0]]
