"""Run the commands of transcript.md in an empty folder, and write what they said and took."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PAGE, OUT = HERE / "transcript.md", HERE / "transcript.txt"
WIDTH = 88  # characters of a line
BAR = "━━"  # in a line that shows progress
LINES = 24  # of one command; longer output loses its middle


def main() -> None:
    """Write the transcript; a command that fails ends it with its own status."""
    with tempfile.TemporaryDirectory() as folder:
        parts = [about_the_machine()]
        for command in read_commands(PAGE.read_text(encoding="utf-8")):
            parts.append(transcribe(command, Path(folder)))
            print(parts[-1])
    OUT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def read_commands(page: str) -> list[str]:
    """Return the lines of a page's first block of commands."""
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    if block is None:
        raise SystemExit(f"{PAGE} holds no block of commands.")
    return block[1].splitlines()


def transcribe(command: str, folder: Path) -> str:
    """Run a command in a folder and return it with its seconds and its output."""
    program = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    cache = {"HARNESS_CACHE": str(folder / ".cache"), "PATH": program, "COLUMNS": str(WIDTH)}
    began = time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, **cache},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command} ended with status {done.returncode}:\n{done.stdout}")
    said = trim(done.stdout.replace(str(folder), "."))
    return "\n".join([f"$ {command}    # {seconds:.0f} s", *said])


def trim(text: str) -> list[str]:
    """Return the lines of an output without colours and progress; a long one loses its middle."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    lines = [line.rstrip() for line in plain.splitlines() if line.strip() and BAR not in line]
    if len(lines) <= LINES:
        return lines
    half = LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]


def about_the_machine() -> str:
    """Say what the seconds were measured on."""
    return f"# on {len(os.sched_getaffinity(0))} cores, with Python {platform.python_version()}"


if __name__ == "__main__":
    main()
