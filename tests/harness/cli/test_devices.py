"""Devices that are pretended: no GPU is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from harness.cli.devices import runs_at_a_time
from harness.errors import HarnessError


@dataclass(frozen=True)
class Spec:
    """As much of a run as a device is chosen by."""

    processes: int = 1
    recipe: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", {"processes": self.processes})

    def __str__(self) -> str:
        return f"a run of {self.processes}"


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four graphics cards."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("processes", "jobs"), [((1, 1), 4), ((1, 2), 2), ((4,), 1), ((3, 1), 1), ((), 4)]
)
def test_runs_share_no_card(processes: tuple[int, ...], jobs: int) -> None:
    """As many run at a time as the cards suffice for, by the run that wants most."""
    specs: Any = [Spec(count) for count in processes]
    assert runs_at_a_time("cuda", specs) == jobs


@pytest.mark.usefixtures("cards")
def test_a_run_that_wants_more_cards_than_there_are_is_refused() -> None:
    """Before it starts, and with what would do."""
    specs: Any = [Spec(), Spec(8)]
    with pytest.raises(HarnessError, match=r"a run of 8: .* 4 are visible.*processes=4"):
        runs_at_a_time("cuda", specs)
    assert runs_at_a_time("cpu", specs) >= 1  # processes of the CPU share its cores
