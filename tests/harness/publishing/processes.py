"""Processes that publish, and are killed in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

# Publishes a folder, the first argument, with the settings in JSON that are the second.
PUBLISH = """
import json, sys
from pathlib import Path

from harness.errors import HarnessError
from harness.publishing import {target}
from harness.publishing.page import prepare_page

try:
    done = {target}.publish(prepare_page(Path(sys.argv[1])), **json.loads(sys.argv[2]))
    print(done.changes)
except (HarnessError, FileExistsError) as error:
    print(" ".join(str(error).splitlines()))
"""


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process with all that it has started, and wait for its end."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def wait_for(happened: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
