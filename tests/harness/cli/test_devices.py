"""Devices that are pretended: no GPU is needed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from harness.cli.devices import (
    choose_device,
    refuse_slow,
    runs_at_a_time,
    say_device,
    why_no_card,
)
from harness.cli.options import Device
from harness.errors import HarnessError


@dataclass(frozen=True)
class Spec:
    """As much of a run as a device is chosen by."""

    processes: int = 1
    scale: str = "tiny"
    stages: tuple[str, ...] = ("one",)
    recipe: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        recipe = {"processes": self.processes, "stages": self.stages}
        object.__setattr__(self, "recipe", recipe)

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
    with pytest.raises(HarnessError, match=r"a run of 8: .* 4 are visible.*--processes 4"):
        runs_at_a_time("cuda", specs)
    assert runs_at_a_time("cpu", specs) >= 1  # processes of the CPU share its cores


def test_cards_are_named(
    cards: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that one sees where runs go."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "A card")
    assert choose_device(Device.AUTO, None) == "cuda"
    say_device("cuda", Device.AUTO)
    assert capsys.readouterr().err == "On A card (4 here).\n"


def test_a_card_that_cannot_be_used_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch only warns of an old driver, and the CPU would be taken without a word. Who has torch
    for the CPU alone, or asks for the CPU, is told nothing."""

    def is_available() -> bool:
        warnings.warn(
            "The NVIDIA driver is too old (found version 11). (Triggered at c10)", stacklevel=1
        )
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert choose_device(Device.AUTO, None) == "cpu"
    say_device("cpu", Device.AUTO)
    assert (
        capsys.readouterr().err == "On the CPU: The NVIDIA driver is too old (found version 11).\n"
    )
    say_device("cpu", Device.CPU)
    monkeypatch.setattr(torch.version, "cuda", None)
    say_device("cpu", Device.AUTO)
    assert not capsys.readouterr().err


def test_weeks_on_a_cpu_have_to_be_asked_for() -> None:
    """At a paper's scale, where something is trained; by --device cpu they are."""
    paper: Any = [Spec(), Spec(scale="paper")]
    with pytest.raises(HarnessError, match=r"takes weeks at scale paper: no card\. Give --device"):
        refuse_slow(paper, Device.AUTO, "no card")
    refuse_slow(paper, Device.CPU, "no card")
    refuse_slow([*paper[:1], Spec(scale="paper", stages=())], Device.AUTO, "no card")


def test_why_there_is_no_card_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a torch that is built for the CPU, and of a machine without a card."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert why_no_card() == "this torch is built for the CPU alone"
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert why_no_card() == "torch finds no graphics card"
