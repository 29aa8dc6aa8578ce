import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.method import Method, Stage
from harness.training.optimization import build_optimizer, build_schedule, parameter_groups


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


def test_the_schedule_ends_where_the_stage_says() -> None:
    """Behind the warm-up, half a cosine from the rate down to its share, never below."""
    stage = Stage(epochs=4, learning_rate=2.0, warmup_epochs=1, schedule_end=0.25)
    found = rates(stage, 5)
    expected = [2 * (0.1 + 0.9 * step / 5) for step in range(5)]
    expected += [0.5 + 1.5 * (1 + math.cos(math.pi * step / 15)) / 2 for step in range(15)]
    assert found == pytest.approx(expected)
    assert min(found[5:]) > 0.5


@pytest.mark.parametrize("name", ["adam", "adamw", "lamb"])
def test_eps_is_what_the_optimiser_divides_by_beside_the_gradient(name: str) -> None:
    """Without decay the first step is lr * g / (|g| + eps), element by element."""
    start, gradient, eps = [0.5, -0.25, 2.0], [1e-3, -2e-3, 1e-6], 1e-3
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    stage = Stage(epochs=1, learning_rate=0.01, optimizer=name, eps=eps)
    optimizer = build_optimizer([{"params": [weight]}], stage)
    weight.grad = torch.tensor(gradient, dtype=torch.float64)
    optimizer.step()
    expected = [w - 0.01 * g / (abs(g) + eps) for w, g in zip(start, gradient, strict=True)]
    assert weight.tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("name", "eps"), [("adam", 1e-8), ("adamw", 1e-8), ("lamb", 1e-6)])
def test_without_eps_the_optimiser_has_its_own(name: str, eps: float) -> None:
    """A stage that says nothing leaves the library's default."""
    stage = Stage(epochs=1, learning_rate=0.01, optimizer=name)
    (group,) = build_optimizer([{"params": [nn.Parameter(torch.ones(1))]}], stage).param_groups
    assert group["eps"] == eps


class Towers(nn.Module):
    """Two towers with all kinds of parameters, the second of which learns more slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.MultiheadAttention(4, 2)
        self.norm = nn.LayerNorm(4)
        self.token = nn.Parameter(torch.ones(4))
        self.temperature = nn.Parameter(torch.ones(()))
        self.second = nn.Linear(4, 4)

    def parameter_groups(self, stage: Stage) -> Iterator[dict[str, Any]]:
        slow = list(self.second.parameters())
        chosen = {id(parameter) for parameter in slow}
        yield {"params": (p for p in self.parameters() if id(p) not in chosen)}
        yield {"params": slow, "lr": 0.5 * stage.learning_rate}


BIASES = {"first.in_proj_bias", "first.out_proj.bias", "norm.bias", "second.bias"}
NORMS = {"norm.weight", "token"}


@pytest.mark.parametrize(
    ("undecayed", "spared"),
    [
        ((), set()),
        (("biases",), BIASES),
        (("norms",), NORMS),
        (("biases", "norms"), BIASES | NORMS),
    ],
)
def test_what_a_stage_names_does_not_decay(undecayed: tuple[str, ...], spared: set[str]) -> None:
    """Without a gradient AdamW shrinks all but the spared; each learns at its group's rate."""
    towers = Towers()
    with torch.no_grad():
        for parameter in towers.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    stage = Stage(1, 0.1, optimizer="adamw", weight_decay=0.5, undecayed=undecayed)
    build_optimizer(parameter_groups(cast(Method, towers), stage), stage).step()
    for name, parameter in towers.named_parameters():
        rate = 0.05 if name.startswith("second") else 0.1
        expected = 1.0 if name in spared else 1.0 - rate * 0.5
        assert parameter.flatten().tolist() == pytest.approx([expected] * parameter.numel()), name


def test_a_group_may_hold_one_tensor() -> None:
    """As torch takes it: a tensor in the place of a list is one parameter, not its rows."""

    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.ones(3, 2))

        def parameter_groups(self, stage: Stage) -> list[dict[str, Tensor]]:
            return [{"params": self.bias}]

    one = One()
    stage = Stage(1, 0.1, weight_decay=0.5, undecayed=("biases",))
    (group,) = parameter_groups(cast(Method, one), stage)
    assert group["params"] == [one.bias]
    assert group["weight_decay"] == 0.0


def test_an_unknown_kind_of_parameters_is_refused_by_name() -> None:
    """What does not decay is misspelt: the error says what there is."""
    stage = Stage(1, 0.1, undecayed=("bias",))
    with pytest.raises(HarnessError, match=r"'bias'. Did you mean 'biases'.*biases, norms"):
        parameter_groups(cast(Method, Towers()), stage)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(1, 0.1, optimizer="adan"), "no optimizer 'adan'. Did you mean 'adam'"),
        (Stage(1, 0.1, schedule="cosin"), "no schedule 'cosin'. Did you mean 'cosine'"),
        (Stage(1, 0.1, optimizer="sgd", eps=1e-3), "sgd divides by nothing"),
        (Stage(1, 0.1, schedule_end=1.5), "schedule_end: 1.5 is more than 1"),
        (Stage(1, 0.1, warmup_start=math.nan), "warmup_start: nan is not finite"),
    ],
)
def test_a_stage_that_makes_no_sense_is_refused(stage: Stage, message: str) -> None:
    """A misspelt name says what was meant; a number out of bounds, what is wrong with it."""
    with pytest.raises(HarnessError, match=message):
        rates(stage, 1)
