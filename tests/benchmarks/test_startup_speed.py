"""How long the command line takes to answer, beside an empty interpreter in the same run."""

import subprocess
import sys
import time
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness import registry

COMMANDS = {"--help": ["--help"], "list methods": ["list", "methods"]}


def call(*arguments: str) -> float:
    """Run Python and return the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


@pytest.mark.parametrize("name", COMMANDS)
def test_startup(benchmark: BenchmarkFixture, name: str) -> None:
    """An answer costs a few interpreter starts, not the import of torch."""
    registry.list_methods()  # described once, as after any earlier command
    command = ["-m", "harness", *COMMANDS[name]]
    pairs = [(call(*command), call("-c", "pass")) for _ in range(5)]
    benchmark.pedantic(call, args=command, rounds=5)
    ratio = median(answer / bare for answer, bare in pairs)
    benchmark.extra_info["seconds"] = median(answer for answer, _ in pairs)
    benchmark.extra_info["ratio to an empty interpreter"] = ratio
    print(f"harness {name}: {ratio:.1f} times an empty interpreter")
