"""Disks that are full or cannot be written: one message, and nothing half-written counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import results

from .commands import Command, Start, encoding, one_epoch, starter, stepping

pytestmark = pytest.mark.exhaustive

Mount = Callable[..., Path]
# Where the tests are run as root, rights of files are to bind it.
BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
# Name -> code at the start of every step; the folder is that of the results.
TAKING_AWAY = {
    "deletes": "import os, shutil; shutil.rmtree(os.environ['TEST_RESULTS'], ignore_errors=True)",
    "locks": """
        import os, pathlib
        os.chmod(pathlib.Path(os.environ["TEST_RESULTS"]) / "demo/small-dolls/locks", 0)
    """,
}
# A buffer of 20 MB in every checkpoint.
LARGE = (
    "super().__init__(config, train)\n        self.register_buffer('held', torch.ones(5_000_000))"
)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount small disks of the test's own in memory."""
    mounted: list[Path] = []

    def make(megabytes: float, options: str = "rw") -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        size = f"size={int(megabytes * 1024)}k,{options}"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, free: int = 0) -> Path:
    """Fill a disk up to so many bytes and return the file that does."""
    ballast = folder / "ballast"
    disk = os.statvfs(folder)
    ballast.write_bytes(b"x" * max(0, disk.f_bavail * disk.f_frsize - free))
    return ballast


def statuses(folder: Path) -> dict[str, str]:
    """Return the status of each method's run."""
    return {run.record.method: run.record.status for run in results.load_runs(folder)}


@pytest.fixture
def plugins(tmp_path: Path, toy_source: str) -> Path:
    """A folder with the toy and one with large checkpoints."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    source = one_epoch(toy_source)
    large = encoding(source, "large", "{0}").replace("super().__init__(config, train)", LARGE)
    (folder / "toy.py").write_text(source, encoding="utf-8")
    (folder / "large.py").write_text(large, encoding="utf-8")
    return folder


def test_results_on_a_disk_that_becomes_full(
    start: Start, mount: Mount, plugins: Path, small_dolls: Path
) -> None:
    """A run that does not fit is a record that says so; one that fits is finished."""
    folder = mount(10) / "results"
    command = start(
        "run", "large", "toy", "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0",
        "--jobs", "1", "--results", folder, "--no-report",
    )  # fmt: skip
    assert command.finish() == 1
    assert "Traceback" not in command.said
    assert "No space left" in command.said
    assert statuses(folder) == {"large": "error", "toy": "ok"}


def test_results_on_a_full_disk(
    start: Start, mount: Mount, plugins: Path, small_dolls: Path
) -> None:
    """Every run says that there is no space; with space again the same command makes them."""
    disk = mount(4)
    ballast = fill(disk)
    arguments = (
        "run", "toy", "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0,1",
        "--jobs", "2", "--results", disk / "results", "--no-report",
    )  # fmt: skip
    command = start(*arguments)
    assert command.finish() == 1
    assert "Traceback" not in command.said
    for seed in (0, 1):
        assert f"toy:full seed {seed}: ProcessDied" in command.said
    assert "No space left on device" in command.said
    assert statuses(disk / "results") == {}
    ballast.unlink()
    again = start(*arguments)
    assert again.finish() == 0, again.said
    assert statuses(disk / "results") == {"toy": "ok"}
    left = [file for kind in ("unfinished", "tmp", "retired") for file in disk.rglob(f"*.{kind}")]
    assert left == []


def test_results_that_cannot_be_written(
    start: Start, mount: Mount, plugins: Path, small_dolls: Path
) -> None:
    """On a read-only disk every run says so at once."""
    folder = mount(4, "ro")
    command = start(
        "run", "toy", "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0,1",
        "--jobs", "2", "--results", folder, "--no-report",
    )  # fmt: skip
    assert command.finish() == 1
    assert "Traceback" not in command.said
    assert "Read-only file system" in command.said
    assert command.said.count("could not be written") >= 2


def test_a_cache_on_a_full_disk(
    start: Start, mount: Mount, plugins: Path, small_dolls: Path
) -> None:
    """Runs that cannot cache their pixels say so before they write any, those that need no cache go
    on, and so does the same command once there is space."""
    disk = mount(4)
    assert start("list", "methods", "--plugins", plugins, HARNESS_CACHE=disk).finish() == 0
    ballast = fill(disk, free=40_000)
    arguments = (
        "run", "toy", "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0",
        "--jobs", "1", "--no-report", "--results",
    )  # fmt: skip
    command = start(*arguments, "results", HARNESS_CACHE=disk)
    assert command.finish() == 1
    assert "Traceback" not in command.said
    assert "MB free. Set HARNESS_CACHE to a folder on a larger disk" in command.said
    without = start(*arguments, "without", "--pixel-cache", "off", HARNESS_CACHE=disk)
    assert without.finish() == 0, without.said
    ballast.unlink()
    again = start(*arguments, "results", HARNESS_CACHE=disk)
    assert again.finish() == 0, again.said


def test_a_cache_without_any_space(
    start: Start, mount: Mount, plugins: Path, small_dolls: Path
) -> None:
    """What is asked of a full cache is one message, or goes on without it."""
    disk = mount(1)
    fill(disk)
    command = start(
        "run", "toy", "--plugins", plugins, "--dataset", small_dolls, "--seeds", "0",
        "--jobs", "1", "--no-report", HARNESS_CACHE=disk,
    )  # fmt: skip
    assert command.finish() in (1, 2)
    assert "Traceback" not in command.said
    assert "0.0 MB free. Set HARNESS_CACHE to a folder on a larger disk" in command.said


@pytest.fixture
def start_bound(tmp_path: Path) -> Iterator[Start]:
    """Start the command line without the right to pass over the rights of files."""
    if os.geteuid() == 0 and shutil.which(BOUND[0]) is None:
        pytest.skip("root passes over the rights of files, and there is no setpriv")
    commands: list[Command] = []
    yield starter(tmp_path, commands, BOUND if os.geteuid() == 0 else ())
    for command in commands:
        command.clear()


def test_results_that_a_method_takes_away(
    start_bound: Start, plugins: Path, toy_source: str, small_dolls: Path, tmp_path: Path
) -> None:
    """A method that deletes the results, or closes their folder, fails alone."""
    for name, code in TAKING_AWAY.items():
        text = stepping(one_epoch(toy_source), name, code)
        (plugins / f"{name}.py").write_text(text, encoding="utf-8")
    folder = tmp_path / "results"
    command = start_bound(
        "run", *TAKING_AWAY, "toy", "--plugins", plugins, "--dataset", small_dolls,
        "--seeds", "0", "--jobs", "1", "--no-report", TEST_RESULTS=folder,
    )  # fmt: skip
    assert command.finish() == 1
    (folder / "demo/small-dolls/locks").chmod(0o700)
    assert "Traceback" not in command.said
    assert statuses(folder) == {"deletes": "error", "toy": "ok"}
    assert "locks:full seed 0: ProcessDied" in command.said
    assert "could not be written: [Errno 13] Permission denied" in command.said
