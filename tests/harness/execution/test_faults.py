"""Methods that do what no method should: each is a clear record, and the others go on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import results
from harness.execution.output import Output
from harness.results import RunRecord

from .commands import Command, Start, encoding, one_epoch, stepping

pytestmark = [
    pytest.mark.xdist_group("faults"),  # one command runs all that are asked about
    pytest.mark.timeout(900),  # on a busy machine
]

SECONDS = 20  # that a run may take: far more than one that is right needs

# Name -> code at the start of every step, and what the record tells: status, kind and message.
FAILING = {
    "raises": ("raise RuntimeError('boom')", "error", "RuntimeError", "boom"),
    "segfaults": ("import ctypes; ctypes.string_at(0)", "killed", "ProcessDied", "SIGSEGV"),
    "aborts": ("import os; os.abort()", "killed", "ProcessDied", "signal 6 (SIGABRT)"),
    "kills": (
        "import os; print('last words', flush=True); os.kill(os.getpid(), 9)",
        "killed", "ProcessDied", "signal 9 (SIGKILL)",
    ),
    "kills-oddly": ("import os; os.kill(os.getpid(), 40)", "killed", "ProcessDied", "signal 40 "),
    "exits": ("import sys; sys.exit(0)", "error", "SystemExit", "0"),
    "exits-75": ("import sys; sys.exit(75)", "error", "SystemExit", "75"),
    "leaves": ("import os; os._exit(0)", "killed", "ProcessDied", "exited with status 0"),
    "leaves-74": ("import os; os._exit(74)", "killed", "ProcessDied", "its results are gone"),
    "leaves-75": ("import os; os._exit(75)", "killed", "ProcessDied", "asked to end by another"),
    "leaves-76": ("import os; os._exit(76)", "killed", "ProcessDied", "exited with status 76"),
    "terminated": (
        "import os; os.kill(os.getpid(), 15)",
        "killed", "ProcessDied", "asked to end by another; its checkpoint stays",
    ),
    "interrupts": ("raise KeyboardInterrupt", "error", "KeyboardInterrupt", ""),
    "unspeakable": (
        "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
        "killed", "ProcessDied", "exited with status 1",
    ),
    "nan-loss": ("return {'itc': self.images.weight.sum() * float('nan')}",
                 "error", "NonFiniteLoss", "loss 'itc' is nan"),
    "no-scalar": ("return {'itc': self.images.weight}", "error", "ValueError", "loss 'itc'"),
    "integers": ("return {'itc': torch.ones((), dtype=torch.long)}",
                 "error", "ValueError", "depends on a parameter"),
    "fills-torch": ("held = torch.empty(2 * 10**9, dtype=torch.uint8).fill_(1)",
                    "error", "RuntimeError", "memory"),
    "fills-numpy": ("import numpy; held = numpy.ones(2 * 10**9, dtype=numpy.uint8)",
                    "error", "MemoryError", "Unable to allocate"),
    "fills-objects": ("held = [str(n) for n in range(10**9)]", "error", "MemoryError", ""),
    "sleeps": ("import time; time.sleep(3600)", "timeout", "Timeout", f"--timeout {SECONDS} s"),
    "sleeps-behind-a-daemon": (
        "import subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'sleep 3600 &'], start_new_session=True).wait()\n"
        "time.sleep(3600)",
        "timeout", "Timeout", f"--timeout {SECONDS} s",
    ),
    "spins": ("while True: pass", "timeout", "Timeout", f"--timeout {SECONDS} s"),
    "forks-and-dies": (
        """
        import os, signal, time
        for _ in range(2):
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(3600)
        os.kill(os.getpid(), 9)
        """,
        "killed", "ProcessDied", "SIGKILL",
    ),
    "deletes-itself": (
        """
        import os, pathlib, shutil
        folder = pathlib.Path(os.environ["TEST_RESULTS"]) / "demo/small-dolls/deletes-itself"
        shutil.rmtree(folder, ignore_errors=True)
        """,
        "error", "FileNotFoundError", "selected.unfinished",
    ),
}  # fmt: skip

# Name -> what is returned for captions, and what the record tells.
ENCODING = {
    "nan": ("{0} * (1 if self.training else float('nan'))", "ValueError", "holds NaN"),
    "one-row": ("{0} if self.training else {0}[0]", "ValueError", "must return (48, D)"),
    "no-last-row": ("{0} if self.training else {0}[:-1]", "ValueError", "must return (48, D)"),
    "nothing": ("{0} if self.training else None", "AttributeError", "NoneType"),
    "narrow": ("{0} if self.training else {0}[:, :3]", "ValueError", "differ in width"),
}

# Name -> code at the start of every step of a method that is right all the same.
HARMLESS = {
    "prints": "print('x' * 5_000_000, flush=True)",
    "prints-bytes": "import os; os.write(1, bytes(range(256)) * 100); os.write(2, b'\\xff')",
    "closes": """
        import contextlib, os
        for number in (1, 2):
            with contextlib.suppress(OSError):
                os.close(number)
    """,
    "moves": "import os, tempfile; os.chdir(tempfile.mkdtemp(dir=os.environ['TEST_RESULTS']))",
    "sets-clock": "import time; time.time = lambda: 0",
    "forks": """
        import os, time
        if os.fork() == 0:
            time.sleep(3600)
    """,
    "forks-upwards": """
        import os
        if os.fork() == 0:
            raise SystemExit(0)
    """,
    "starts-processes": """
        import multiprocessing, time
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,)).start()
    """,
    "starts-programs": "import subprocess; self.held = subprocess.Popen(['sleep', '3600'])",
    "leaves-its-group": """
        import subprocess
        self.held = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    """,
    "leaves-a-daemon": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
    """,
    "starts-threads": "import threading; threading.Thread(target=threading.Event().wait).start()",
    "ends-children": """
        import multiprocessing, time
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
        child.start()
        child.terminate()
        child.join()
    """,
    "tells": "run.tell('x' * 10**7)",
}


# Name -> what is returned for captions, in other number formats.
PRECISE = {
    "float64": "{0} if self.training else {0}.double()",
    "float16": "{0} if self.training else {0}.half()",
    "integers-too": "{0} if self.training else (100 * {0}).long()",
}


@dataclass(frozen=True)
class Outcome:
    """What the command left."""

    names: list[str]  # of the methods that were run
    command: Command
    status: int
    folder: Path
    left: list[int]  # processes

    def record(self, name: str) -> RunRecord:
        record = results.read_record(self.run(name))
        assert record is not None
        return record

    def run(self, name: str) -> Path:
        return results.run_path(self.folder, "demo", "small-dolls", name, "full", 0)

    def log(self, name: str) -> bytes:
        return (self.run(name) / "log.txt").read_bytes()


# One of each kind, in every run of the tests; the others are for `tox -e full`.
REPRESENTATIVES = {
    "raises", "kills", "nan-loss", "fills-numpy", "sleeps-behind-a-daemon",
    "nan", "float16", "prints", "leaves-a-daemon", "toy",
}  # fmt: skip


def each(*kinds: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrize a test by names of methods."""
    return pytest.mark.parametrize("name", [param(name) for kind in kinds for name in kind])


def param(name: str, *more: str) -> Any:
    """Return a parameter of a test that is about a method of this name."""
    marks = () if name in REPRESENTATIVES else pytest.mark.exhaustive
    return pytest.param(name, *more, id=name, marks=marks)


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, start_once: tuple[Start, Path], small_dolls: Path,
    toy_source: str,
) -> Outcome:  # fmt: skip
    """Those that are asked about, in one command, with the toy itself last."""
    start, folder = start_once
    here = [item for item in request.session.items if item.path == request.path]
    asked = {item.callspec.params.get("name") for item in here if hasattr(item, "callspec")}
    plugins = folder / "plugins"
    plugins.mkdir()
    source = one_epoch(toy_source)
    codes = {name: code for name, (code, *_) in FAILING.items()} | HARMLESS
    texts = {name: stepping(source, name, code) for name, code in codes.items()}
    texts |= {name: encoding(source, name, change) for name, (change, *_) in ENCODING.items()}
    texts |= {name: encoding(source, name, change) for name, change in PRECISE.items()}
    texts = {name: text for name, text in texts.items() if name in asked}
    # What ends by its time first: the others go on beside it.
    texts = dict(sorted(texts.items(), key=lambda item: not _is_slow(item[0])))
    texts["toy"] = source
    for name, text in texts.items():
        (plugins / f"{name}.py").write_text(text, encoding="utf-8")
    command = start(
        "run", *texts, "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0",
        "--jobs", "2", "--timeout", f"{SECONDS}s", "--memory", "500MB",
        TEST_RESULTS=folder / "results",
    )  # fmt: skip
    status = command.finish(800)
    left = command.processes()
    return Outcome(list(texts), command, status, folder / "results", left)


def _is_slow(name: str) -> bool:
    return name in FAILING and FAILING[name][1] == "timeout"


@each(FAILING)
def test_a_method_that_fails_is_a_clear_record(outcome: Outcome, name: str) -> None:
    """Status, kind and message say what it did."""
    _, status, kind, message = FAILING[name]
    record = outcome.record(name)
    assert record.error is not None
    assert (record.status, record.error["kind"]) == (status, kind), record.error
    assert message in record.error["message"]
    assert f"{name}:full seed 0" in outcome.command.said


@each(ENCODING)
def test_wrong_embeddings_are_named(outcome: Outcome, name: str) -> None:
    """What does not fit is an error that says what was returned."""
    _, kind, message = ENCODING[name]
    record = outcome.record(name)
    assert record.error is not None
    assert record.error["kind"] == kind, record.error
    assert message in record.error["message"]


@each(PRECISE)
def test_other_number_formats_are_scored(outcome: Outcome, name: str) -> None:
    """Doubles and halves are embeddings too."""
    record = outcome.record(name)
    assert record.status == "ok", record.error


@each(HARMLESS, ["toy"])
def test_a_method_that_is_right_is_ranked_whatever_it_does(outcome: Outcome, name: str) -> None:
    """Its figures are those of the toy, which it is."""
    record = outcome.record(name)
    assert record.status == "ok", record.error
    assert record.metrics == outcome.record("toy").metrics


@pytest.mark.parametrize(
    "methods", ["one of each kind", pytest.param("all others", marks=pytest.mark.exhaustive)]
)
def test_a_command_with_failures_ends_as_it_should(outcome: Outcome, methods: str) -> None:
    """Status 1, no process of it left, no traceback of the harness, nothing half-made."""
    assert outcome.status == 1
    assert outcome.left == []
    left_over = [file.parent.parent.name for file in outcome.folder.rglob("*.unfinished")]
    assert left_over == [name for name in ("terminated",) if name in outcome.names]  # a checkpoint
    assert "Traceback" not in outcome.command.said
    assert (outcome.folder.parent / "site" / "index.html").is_file()


@each(["prints"])
def test_what_is_printed_is_kept_within_bounds(outcome: Outcome, name: str) -> None:
    """Of 30 MB the log has the first and the last."""
    log = outcome.log(name)
    assert 1_000_000 < len(log) < 1_100_000
    assert b"bytes left out" in log
    assert log.endswith(b"x\n")


@each(["prints-bytes"])
def test_what_is_no_text_is_kept_as_it_was(outcome: Outcome, name: str) -> None:
    """Bytes of whatever kind stand in the log."""
    assert bytes(range(256)) * 100 in outcome.log(name)


def test_a_log_takes_no_memory(tmp_path: Path) -> None:
    """Whatever is printed, the harness holds no more than the end of it."""
    output = Output(tmp_path / "seed-0")
    (tmp_path / "seed-0.unfinished").mkdir()
    tracemalloc.start()
    for _ in range(800):
        output.add(b"x" * 65_536)  # 50 MB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    output.close()
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("name", "told"),
    [
        param("kills", "last words"),
        param("segfaults", "segfaults.py"),
        param("aborts", "Fatal Python error"),
    ],
)
def test_a_death_keeps_the_last_words(outcome: Outcome, name: str, told: str) -> None:
    """What it printed last, and where it was in the method, stands in the record and the log."""
    error = outcome.record(name).error
    assert error is not None
    assert told in error["traceback"]
    assert told.encode() in outcome.log(name)
