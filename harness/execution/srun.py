"""The other nodes of a Slurm job whose run several processes train together.

The first process of the run, on the first node, starts one srun; that starts `slurm_node` once on
each other node. What they print comes through it, and the end of one is its end.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from typing import Any

from harness.run.options import Options

# How many tasks and cards the job has for all nodes says nothing of this step.
OF_THE_JOB = ("SLURM_GPUS", "SLURM_TRES", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_CPUS_PER_TASK")


def start_nodes(options: Options, of_node: int, work: Any) -> subprocess.Popen[bytes]:
    """Start the processes of the other nodes, `of_node` on each; they are handed `work`."""
    srun = [
        "srun", f"--nodes={options.nodes - 1}", "--relative=1", f"--ntasks={options.nodes - 1}",
        "--ntasks-per-node=1", "--overlap", "--cpu-bind=none", "--mpi=none", "--export=ALL",
        "--kill-on-bad-exit=1", "--job-name=harness-nodes",
    ]  # fmt: skip
    if options.device == "cuda":
        srun.append(f"--gpus-per-node={of_node}")
    process = subprocess.Popen(
        [*srun, sys.executable, "-m", "harness.slurm.node"],
        stdin=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(OF_THE_JOB)},
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # how srun failed is told by its end
        pickle.dump(work, process.stdin)
    return process
