"""Small pages, real results, and processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.publishing.page import Page, prepare_page

from ...command_line import CommandLine
from ...conftest import TOY
from ...made_once import Make, write_text
from .processes import kill_group
from .remotes import Remote, run_git


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes files as a report does, and returns their folder."""

    def write(files: Mapping[str, str]) -> Path:
        folder = tmp_path / f"page-{len(list(tmp_path.glob('page-*')))}"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def make_page(write_page: Callable[..., Path]) -> Callable[..., Page]:
    """Return a function that makes a page of files."""
    return lambda files: prepare_page(write_page(files))


@pytest.fixture(scope="session")
def three_seeds(small_dolls: Path, once: Make, harness_in: Callable[[Path], CommandLine]) -> Path:
    """Real results of the toy method: three seeds on drawn people."""

    def fill(folder: Path) -> None:
        write_text(folder / "toy.py", TOY)
        done = harness_in(folder)(
            "run", "toy", "--plugins", folder / "toy.py", "--dataset", small_dolls,
            "--seeds", "0-2", "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return once("three-seeds", fill) / "results"


@pytest.fixture
def results(three_seeds: Path, tmp_path: Path) -> Path:
    """Results of two seeds."""
    folder = Path(shutil.copytree(three_seeds, tmp_path / "results"))
    shutil.rmtree(next(folder.glob("*/*/*/*/seed-2")))
    return folder


@pytest.fixture
def add_seed(three_seeds: Path, results: Path) -> Callable[[], None]:
    """Return a function that adds the third seed to the results."""

    def add() -> None:
        run = next(three_seeds.glob("*/*/*/*/seed-2"))
        shutil.copytree(run, results / run.relative_to(three_seeds))

    return add


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts Python in a process group of its own, which ends with us."""
    started: list[subprocess.Popen[str]] = []

    def call(
        *arguments: object, at: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], cwd=at, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield call
    for process in started:
        kill_group(process)


@pytest.fixture
def checkout(tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone somebody works in: staged, changed, new and ignored files; we are in it."""
    remote.add({"code.py": "1\n", ".gitignore": "site\n"}, "main")
    run_git(tmp_path, "clone", "--quiet", "--branch", "main", str(remote.path), "checkout")
    at = tmp_path / "checkout"
    (at / "code.py").write_text("2\n")
    (at / "staged.py").write_text("3\n")
    run_git(at, "add", "staged.py")
    (at / "new.py").write_text("4\n")
    monkeypatch.chdir(at)
    return at
