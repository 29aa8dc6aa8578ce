"""Commands that are started and watched, and cleared away after a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...conftest import TOY
from .commands import Command, Start, starter


@pytest.fixture(scope="session")
def toy_source() -> str:
    """The source of the toy plugin, for fixtures that outlast a test too."""
    return TOY


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command line in an empty folder; nothing of it outlives the test."""
    commands: list[Command] = []
    yield starter(tmp_path, commands)
    for command in commands:
        command.clear()


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Start, Path]]:
    """The same for commands that several tests look at, with the folder."""
    commands: list[Command] = []
    folder = tmp_path_factory.mktemp("commands")
    yield starter(folder, commands), folder
    for command in commands:
        command.clear()
