"""The command line as tests call it: within their own process, or in one of its own."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer.main

Completed = subprocess.CompletedProcess[str]

SECONDS = 240.0  # no command may take longer
# They start processes, which have the environment that the first of them was started with.
STARTING = {"run", "tune", "evaluate"}
# Whose values say nothing of a test: pytest sets the first, and what is imported the others.
UNASKED = {
    "PYTEST_CURRENT_TEST", "KMP_INIT_AT_FORK", "TOKENIZERS_PARALLELISM", "TORCHINDUCTOR_CACHE_DIR",
}  # fmt: skip


# All commands are described anew at each call, which takes longer than what most of them do.
typer.main.get_command = functools.cache(typer.main.get_command)


class CommandLine:
    """Runs `harness` in an empty folder, as if typed there.

    A process of its own takes seconds to import torch. So the command runs within this one, which
    it leaves as it was: no module of a plugin, no folder to import from, no variable stays. Its
    runs are processes as ever, from one fork server for all tests of this process. Only where a
    run could not see a variable that a test has set is the command a process of its own.
    """

    def __init__(self, folder: Path, temporary: Path, environment: Mapping[str, str]) -> None:
        """`temporary` holds all that tests write; `environment` is that of the fork server."""
        self._folder = folder
        self._temporary = temporary
        self._environment = dict(environment)

    def __call__(self, *arguments: object) -> Completed:
        """Run a command and return its status with what it printed."""
        words = [str(argument) for argument in arguments]
        if words[:1] and words[0] in STARTING and not self._is_seen_by_runs(os.environ):
            return self.apart(*words)
        out, errors = _Stream(), _Stream(errors="backslashreplace")
        with (
            contextlib.chdir(self._folder),
            self._left_as_it_was(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
        ):
            status = _call(words)
        return subprocess.CompletedProcess(words, status, out.text(), errors.text())

    def apart(self, *arguments: object) -> Completed:
        """Run a command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _is_seen_by_runs(self, environment: Mapping[str, str]) -> bool:
        names = (environment.keys() | self._environment.keys()) - UNASKED
        return all(environment.get(name) == self._environment.get(name) for name in names)

    @contextlib.contextmanager
    def _left_as_it_was(self) -> Iterator[None]:
        """Undo what a process that ends would take along."""
        variables, folders, threads = dict(os.environ), list(sys.path), _threads()
        own = f"{self._temporary}{os.sep}"
        try:
            with warnings.catch_warnings():
                yield
        finally:
            os.environ.clear()
            os.environ.update(variables)
            sys.path[:] = folders
            for name, module in list(sys.modules.items()):
                file = getattr(module, "__file__", None)
                if file and file.startswith(own):
                    del sys.modules[name]  # a plugin, or a file beside it
            if threads and threads != _threads():
                sys.modules["torch"].set_num_threads(threads)


class _Stream(io.TextIOWrapper):
    """Standard output or error of a command, kept in memory."""

    def __init__(self, errors: str = "strict") -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8")


def _call(words: list[str]) -> int:
    """Run the command line and return its status, as a process would end with it."""
    from harness.cli import main

    try:
        main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _threads() -> int | None:
    """Return torch's number of threads, where torch is imported."""
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
