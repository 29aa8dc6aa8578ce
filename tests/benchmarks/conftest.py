"""The bounds of the benchmarks: each is a row of the table that a run ends with."""

from __future__ import annotations

import pytest

from .bounds import Bound, Row, lines

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def bound(request: pytest.FixtureRequest) -> Bound:
    """Return what notes a figure of the test and asserts that it keeps its bound."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    return Bound(name, request.config.stash.setdefault(ROWS, []))


@pytest.hookimpl(trylast=True)  # after the table of times
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every figure beside its bound."""
    rows = terminalreporter.config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("figures and bounds")
        for line in lines(rows):
            terminalreporter.write_line(line)
