"""The program `harness` of a page's blocks: a client of the process that the tests run in.

A page calls `harness` up to twenty times, and each process of its own would import torch and start
a fork server. So the program hands its folder and its words to this process, which does what they
say as for any other test, and prints what it is given back. Where a block has set a variable, the
program is the harness itself.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from subprocess import Popen
from unittest import mock

from ..command_line import CommandLine, Completed
from ..made_once import write_text

DOOR = "HARNESS_OF_THE_TESTS"  # the variable that tells the program where to ask
OF_SHELLS = {"PWD", "OLDPWD", "SHLVL", "_"}  # variables

PROGRAM = f"""#!{sys.executable} -IS
import json, os, socket, sys

question = {{"folder": os.getcwd(), "words": sys.argv[1:], "variables": dict(os.environ)}}
with socket.create_connection(("127.0.0.1", int(os.environ["{DOOR}"]))) as door:
    door.sendall(json.dumps(question).encode() + b"\\n")
    answer = json.loads(door.makefile().readline())
if answer is None:
    os.execv(sys.executable, [sys.executable, "-m", "harness", *sys.argv[1:]])
sys.stdout.write(answer["out"])
sys.stderr.write(answer["errors"])
sys.exit(answer["status"])
"""


def write_program(programs: Path) -> None:
    """Write the program `harness` into a folder."""
    program = programs / "harness"
    write_text(program, PROGRAM)
    program.chmod(0o755)


@dataclass(frozen=True)
class Door:
    """Where programs that are started with an environment ask to be served."""

    listening: socket.socket
    environment: Mapping[str, str]
    temporary: Path

    def serve(self, going: Popen[bytes]) -> str:
        """Answer the programs that a process starts; return what it printed, once it has ended."""
        assert going.stdout is not None
        said = b""
        with DefaultSelector() as selector:
            selector.register(going.stdout, EVENT_READ)
            selector.register(self.listening, EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.listening:
                        self._answer()
                    elif part := os.read(going.stdout.fileno(), 65_536):
                        said += part
                    else:
                        return said.decode("utf-8")

    def _answer(self) -> None:
        client, _ = self.listening.accept()
        with client:
            question = json.loads(client.makefile().readline())
            answer = None
            if self._is_unchanged(question["variables"]):
                done = self._run(Path(question["folder"]), question["words"])
                answer = {"status": done.returncode, "out": done.stdout, "errors": done.stderr}
            client.sendall(json.dumps(answer).encode() + b"\n")

    def _run(self, folder: Path, words: Sequence[str]) -> Completed:
        """Run a command; its runs, which see this process's own cache, keep only pixels there."""
        with mock.patch.dict(os.environ, self.environment):
            return CommandLine(folder, self.temporary, os.environ)(*words)

    def _is_unchanged(self, variables: Mapping[str, str]) -> bool:
        names = (variables.keys() | self.environment.keys()) - OF_SHELLS
        return all(variables.get(name) == self.environment.get(name) for name in names)


@contextmanager
def open_door(environment: Mapping[str, str], temporary: Path) -> Iterator[Door]:
    """Listen on this machine for programs that have an environment, and `DOOR` in addition."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        yield Door(listening, {**environment, DOOR: str(port)}, temporary)
