"""A script run by several processes that find each other, as torchrun starts them."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.execution.local import preload
from harness.registry import find_plugins

SECONDS = 240.0  # that a script may take on a busy machine
# What a process does that the fork server starts, with the heavy packages imported.
RUN_SCRIPT = """
import os, runpy, sys

printed = os.open(log, os.O_WRONLY | os.O_CREAT)
os.dup2(printed, 1)
os.dup2(printed, 2)
os.environ.update(variables)
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def run_by_ranks(script: Path, arguments: Sequence[object], count: int, folder: Path) -> None:
    """Run a script by so many processes; fail where one does, with what it printed.

    A single one is told of no others. What they print is in `folder`.
    """
    preload(find_plugins())
    context: Any = multiprocessing.get_context("forkserver")
    folder.mkdir(parents=True)
    logs = [folder / f"rank-{rank}.txt" for rank in range(count)]
    port = _free_port()
    processes = [
        context.Process(
            target=exec,
            args=(
                RUN_SCRIPT,
                {
                    "script": str(script),
                    "arguments": [str(argument) for argument in arguments],
                    "variables": _variables(rank, count, port) if count > 1 else {},
                    "log": str(log),
                },
            ),
        )
        for rank, log in enumerate(logs)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
        process.kill()
    statuses = [process.exitcode for process in processes]
    assert statuses == [0] * count, [log.read_text(encoding="utf-8") for log in logs]


def _variables(rank: int, count: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
