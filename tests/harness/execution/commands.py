"""Plugins that misbehave, commands that are watched, and what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEP = "        images = normalize(self.encode_images(batch.images), dim=-1)\n"
SECONDS = 240.0  # no command may take longer


@dataclass
class Command:
    """A `harness run` under way, with a mark in the environment of all that it starts."""

    process: subprocess.Popen[str]
    mark: str
    output: list[str] = field(default_factory=list)

    def finish(self, seconds: float = SECONDS) -> int:
        """Wait for its end and return its status; what it said is in `output`."""
        self.output = list(self.process.communicate(timeout=seconds))
        return self.process.returncode

    @property
    def said(self) -> str:
        """All that it said, in one line."""
        return " ".join("".join(self.output).split())

    def processes(self) -> list[int]:
        """Return all running processes that come from it, itself included."""
        return [
            int(entry.parent.name)
            for entry in Path("/proc").glob("[0-9]*/environ")
            if self._is_marked(entry)
        ]

    def _is_marked(self, entry: Path) -> bool:
        try:
            # The state Z is that of a process that has ended, and is not yet counted.
            state = (entry.parent / "stat").read_text().rpartition(")")[2].split()[0]
            return state != "Z" and self.mark.encode() in entry.read_bytes()
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the harness alone."""
        self.process.send_signal(number)

    def clear(self) -> None:
        """Kill whatever is left."""
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


Start = Callable[..., Command]


def starter(folder: Path, commands: list[Command], through: Sequence[str] = ()) -> Start:
    """Return a function that starts the command line in a folder, through another program."""

    def start(*arguments: object, **environment: object) -> Command:
        mark = f"HARNESS_TEST_MARK={uuid.uuid4()}"
        name, _, value = mark.partition("=")
        told = {key: str(item) for key, item in environment.items()}
        process = subprocess.Popen(
            [*through, sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **told, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        commands.append(Command(process, mark))
        return commands[-1]

    return start


def wait_for(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until a condition holds; fail where it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def stepping(source: str, name: str, code: str) -> str:
    """Return the toy's source under another name, with code at the start of every step."""
    assert STEP in source
    lines = textwrap.indent(textwrap.dedent(code).strip(), " " * 8) + "\n"
    return source.replace('register("toy"', f'register("{name}"').replace(STEP, lines + STEP)


def encoding(source: str, name: str, texts: str) -> str:
    """Return the toy's source under another name, with what it returns for captions changed.

    `texts` is an expression of {0}, which stands for what it returned.
    """
    old = "self.texts(letters)"
    assert f"return {old}" in source
    changed = source.replace(f"return {old}", f"return {texts.format(old)}")
    return changed.replace('register("toy"', f'register("{name}"')


def one_epoch(source: str) -> str:
    """Return the toy's source with as little training as there can be."""
    assert "epochs=2" in source
    return source.replace("epochs=2", "epochs=1")
