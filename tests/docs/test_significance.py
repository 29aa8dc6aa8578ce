"""The table of how often the statistics are right is right, and is what the simulation gives."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NAME = "docs_significance"
KEYS = 4  # columns that say what was simulated

Table = dict[tuple[str, ...], dict[str, float]]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script that simulates the table."""
    spec = importlib.util.spec_from_file_location(NAME, DOCS / "significance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NAME, module)  # data classes look themselves up there
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def table(script: ModuleType) -> Table:
    """The rows that are written, by people, methods, seeds and spread."""
    with script.OUT.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == script.HEADER
    return {tuple(row[:KEYS]): dict(zip(header[KEYS:], map(float, row[KEYS:]), strict=True))
            for row in rows}  # fmt: skip


def check_row(script: ModuleType, table: Table, setting: Any, rounds: int) -> None:
    """Simulate so many boards of a setting, and find the written row within chance."""
    key = str(setting.people), str(setting.methods), str(setting.seeds), setting.in_words
    found = script.simulate(setting, rounds=rounds)
    assert found[:KEYS] == key
    for share, (name, written) in zip(found[KEYS:], table[key].items(), strict=True):
        error = (max(written, 0.5) * (100 - min(written, 99.5)) / rounds) ** 0.5
        assert float(share) == pytest.approx(written, abs=4 * error), (key, name)


def test_the_statistics_are_as_often_right_as_they_say(script: ModuleType, table: Table) -> None:
    """At every setting, alarms are false in 4-6 % of cases, and intervals hold in 93-97 %."""
    settings = script.find_settings()
    keys = [(str(s.people), str(s.methods), str(s.seeds), s.in_words) for s in settings]
    assert list(table) == keys
    sure = list(product((200, 1000), (3, 5), (0.0, 0.3, 0.7, 1.0, 1.5)))
    assert [(s.people, s.seeds, s.spread) for s in settings[: len(sure)]] == sure
    for key in keys[: len(sure)]:
        assert 4 <= table[key]["false alarms, %"] <= 6, key
        assert 93 <= table[key]["coverage, %"] <= 97, key
        assert table[key]["family-wise false alarms, %"] <= 6, key


def test_a_row_is_what_the_simulation_gives(script: ModuleType, table: Table) -> None:
    """Fewer boards of one setting give its row, within four standard errors."""
    check_row(script, table, script.Setting(200, 7, 3, 0.7), rounds=400)


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("row", range(32))
def test_every_row_is_what_the_simulation_gives(script: ModuleType, table: Table, row: int) -> None:
    """Every setting is simulated again, with fewer boards than its row is of."""
    check_row(script, table, script.find_settings()[row], rounds=500)
