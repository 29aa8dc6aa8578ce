"""What scoring files of others costs at the size of ICFG-PEDES: features, and all similarities."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .bounds import Bound

ROWS, WIDTH, PEOPLE = 19_848, 512, 1_000
LARGEST_MEMORY, LONGEST = 1000, 60  # MB of a fresh process, and seconds of two cores

SCRIPT = f"""
import json, resource, sys, time
from pathlib import Path
import numpy as np
import torch
from harness.data.schema import Split
from harness.handed_in.opening import open_files

torch.set_num_threads(2)
people = np.arange({ROWS}) % {PEOPLE}
ids = tuple(map(str, range({ROWS})))
split = Split("test", lambda row: b"", ids, ids, np.arange({ROWS}), people, fingerprint="ab" * 32)
began = time.process_time()
how = "cosine" if sys.argv[1].endswith("npz") else ""
open_files([Path(sys.argv[1])], split, dict, how, False).score(split, dict, lambda *told: None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([peak, (time.process_time() - began) / 2]))
"""
WRITE = f"""
import sys
import numpy as np

draw = np.random.default_rng(0)
if sys.argv[1].endswith("npz"):
    rows = [draw.normal(size=({ROWS}, {WIDTH})).astype(np.float32) for _ in range(2)]
    np.savez(sys.argv[1], texts=rows[0], images=rows[1])
else:
    matrix = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, ({ROWS}, {ROWS}))
    for start in range(0, {ROWS}, 512):
        part = matrix[start : start + 512]
        part[:] = draw.normal(size=part.shape)
"""


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["features.npz", "similarity.npy"])
def test_files_of_a_large_split_are_scored_in_little_memory(
    benchmark: Any, bound: Bound, tmp_path: Path, name: str
) -> None:
    """Under a minute of two cores and 1 GB, libraries and all, whichever of the two it is."""
    file = tmp_path / name
    subprocess.run([sys.executable, "-c", WRITE, file], check=True)
    command = [sys.executable, "-c", SCRIPT, file]
    finished = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True), rounds=1
    )
    file.unlink()
    memory, seconds = json.loads(finished.stdout)
    bound(memory, LARGEST_MEMORY, of="MB in all")
    bound(seconds, LONGEST, of="seconds of two cores")
