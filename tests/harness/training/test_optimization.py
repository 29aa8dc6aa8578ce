import math

import pytest
import torch

from harness.errors import HarnessError
from harness.method import Stage
from harness.training.optimization import build_optimizer, build_schedule


def rates(stage: Stage, steps_per_epoch: int) -> list[float]:
    """Return the learning rate of every step of a stage."""
    optimizer = build_optimizer([{"params": [torch.zeros(1, requires_grad=True)]}], stage)
    schedule = build_schedule(optimizer, stage, steps_per_epoch)
    found = []
    for _ in range(stage.epochs * steps_per_epoch):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def test_warmup_then_cosine() -> None:
    """The rate rises linearly from its share, then falls along half a cosine to zero."""
    stage = Stage(epochs=6, learning_rate=1.0, warmup_epochs=2, warmup_start=0.1)
    found = rates(stage, 5)
    expected = [0.1 + 0.9 * step / 10 for step in range(10)]
    expected += [(1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    assert found == pytest.approx(expected)


def test_a_group_keeps_its_own_rate() -> None:
    """A parameter group with a rate of its own is scheduled in proportion."""
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 5.0},
        {"params": [torch.zeros(1, requires_grad=True)]},
    ]
    stage = Stage(epochs=1, learning_rate=1.0, schedule="linear")
    optimizer = build_optimizer(groups, stage)
    schedule = build_schedule(optimizer, stage, 4)
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([3.75, 0.75])


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(1, 0.1, optimizer="adan"), "no optimizer 'adan'. Did you mean 'adam'"),
        (Stage(1, 0.1, schedule="cosin"), "no schedule 'cosin'. Did you mean 'cosine'"),
    ],
)
def test_unknown_names_say_what_was_meant(stage: Stage, message: str) -> None:
    """A misspelt optimiser or schedule is refused by name."""
    with pytest.raises(HarnessError, match=message):
        rates(stage, 1)
