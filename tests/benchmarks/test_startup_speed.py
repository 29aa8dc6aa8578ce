"""How long the command line takes to answer, beside an empty interpreter in the same run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness import registry

from .paired import paired_ratio

COMMANDS = {"--help": ["--help"], "list methods": ["list", "methods"]}
ROUNDS = 5


def call(*arguments: str) -> None:
    """Run Python."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_startup(benchmark: BenchmarkFixture, name: str) -> None:
    """An answer costs a few interpreter starts, not the import of torch."""
    registry.list_methods()  # described once, as after any earlier command
    command = ["-m", "harness", *COMMANDS[name]]
    paired = paired_ratio(benchmark, lambda: call(*command), lambda: call("-c", "pass"), ROUNDS)
    benchmark.extra_info["seconds"] = paired.seconds
    benchmark.extra_info["ratio to an empty interpreter"] = paired.ratio
    print(f"harness {name}: {paired.ratio:.1f} times an empty interpreter")
