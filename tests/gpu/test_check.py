"""The check for a graphics card runs, at small size, wherever tests do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .check import ITEMS, SMALL, Bench, Told, check, main

SCRIPT = Path(__file__).with_name("check.py")


def test_a_failing_item_is_a_line_and_the_others_go_on(tmp_path: Path) -> None:
    """What is out of order is told apart from what failed, and from what was not reached."""

    def fails(bench: Bench) -> Told:
        raise ValueError("no such kernel")

    bench = Bench(torch.device("cpu"), SMALL, tmp_path)
    items = {"broken": fails, "odd": lambda bench: Told("7 ms", False)}
    assert check(bench, items, 1) == [
        ("broken", "ValueError: no such kernel", "FAILED"), ("odd", "7 ms", "LOOK"),
    ]  # fmt: skip
    assert check(bench, items, 0) == [("broken", "", "not reached"), ("odd", "", "not reached")]


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_what_it_measures_can_be_measured() -> None:
    """On the processor too: a table with a line an item, and status 0.

    As a process, as people call it: what it sets for itself is not for other tests.
    """
    call = [sys.executable, SCRIPT, "--small", "--minutes", "600"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(ITEMS)
    assert all("as it should" in line for line in lines)
    assert "images/s" in lines[0]


def test_full_size_asks_for_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    """And says how to go on without one."""
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    with pytest.raises(SystemExit):
        main([])
    assert "--small" in capsys.readouterr().err
