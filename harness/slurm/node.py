"""What srun starts on every node of a run's Slurm job but the first: the processes of that node."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import pickle
import signal
import sys


def main() -> None:
    """Do the part of this node: `slurm_nodes.start_nodes` writes what it is to standard input."""
    # Slurm signals every process of a job; the first process of the run reaches a checkpoint.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(PermissionError):  # it may lead a group already
        os.setpgid(0, 0)
    faulthandler.enable(2)
    spec, options, group = pickle.load(sys.stdin.buffer)

    import harness.execution.preload  # noqa: F401 (once, for all processes of the node)
    from harness.execution.group import seen_from, work_on_node
    from harness.execution.local import encoder_packages
    from harness.execution.worker import limit_memory

    for package in encoder_packages([spec.plugin]):
        importlib.import_module(package)
    limit_memory(options.memory)
    group = seen_from(group, os.environ["SLURM_LAUNCH_NODE_IPADDR"])
    work_on_node(spec, options, group, int(os.environ["SLURM_PROCID"]) + 1)


if __name__ == "__main__":
    main()
