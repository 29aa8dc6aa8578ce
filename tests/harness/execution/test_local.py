import subprocess
import sys
from pathlib import Path

import pytest

from harness.execution.local import encoder_packages
from harness.registry import find_plugins


def test_libraries_of_encoders_are_imported_where_a_method_does(toy: Path) -> None:
    """A method that brings its own layers does not wait for them; one that stands on them finds
    them in memory."""
    [own] = (plugin for plugin in find_plugins([toy]) if plugin.module.path == toy)
    bundled = [plugin for plugin in find_plugins() if plugin.module.name == "methods.irra"]
    assert encoder_packages([own]) == []
    assert "open_clip" in encoder_packages([own, *bundled])


@pytest.mark.exhaustive  # it imports all that in a process of its own
def test_a_run_finds_libraries_in_memory() -> None:
    """What a run imports anew, each of many imports again, for longer than a small one trains."""
    script = """
import harness.execution.preload
import sys

before = set(sys.modules)
import torch
from harness.run.determinism import choose_algorithms

choose_algorithms(torch.device("cpu"), strict=True)
print(len(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr
