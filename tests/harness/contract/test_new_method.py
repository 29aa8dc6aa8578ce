"""`harness new-method`: what it writes trains at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def test_from_nothing_to_a_ranked_method(harness: Call, small_dolls: Path, tmp_path: Path) -> None:
    """The file passes the contract, trains at once and stands in the ranking."""
    assert harness("new-method", "my-method").returncode == 0
    text = (tmp_path / "my_method.py").read_text(encoding="utf-8")
    assert not [word for word in ("CLASS", "TITLE", "NAME", "MODULE") if word in text]
    assert "class MyMethodConfig(Config):" in text
    checked = harness("check", "my-method", "--plugins", ".")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    where = "--plugins", ".", "--dataset", small_dolls, "--seeds", "0", "--set", "epochs=1"
    done = harness("run", "my-method", *where)
    assert done.returncode == 0, done.stderr
    assert "my-method" in done.stdout
    assert "MyMethod" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_in_a_checkout_it_goes_to_methods(harness: Call, tmp_path: Path) -> None:
    """Where the folders of the project are, the file is found without being named."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "method.py").touch()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness", "new-method", "mine"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "methods" / "mine.py").is_file()
    assert "harness check mine\n" in done.stdout


@pytest.fixture
def package(harness: Call, tmp_path: Path) -> Path:
    """The package that `harness new-method mine --third-party` writes, installed in a folder."""
    assert harness("new-method", "mine", "--third-party").returncode == 0
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", installed, tmp_path / "mine"], check=True, timeout=200)
    return installed


def test_a_package_holds_what_a_package_needs(package: Path, tmp_path: Path) -> None:
    """The method, how it is installed, what it is, and a test."""
    files = (tmp_path / "mine").rglob("*.*")
    written = {file.relative_to(tmp_path / "mine").as_posix() for file in files}
    assert {"mine.py", "pyproject.toml", "README.md", "tests/test_mine.py"} <= written


@pytest.mark.exhaustive  # the like of a method in a folder
def test_a_package_is_listed_and_ranked_and_leaves_its_results(
    package: Path, harness: Call, small_dolls: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Installed, its method is run like any other; removed, its results are read as before."""
    monkeypatch.syspath_prepend(package)
    assert "mine" in harness("list", "methods").stdout.split()
    where = "--dataset", small_dolls, "--seeds", "0", "--set", "epochs=1"
    done = harness("run", "mine", "clip-itc", *where)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "Mine" in page
    monkeypatch.undo()
    assert "mine" not in harness("list", "methods").stdout.split()
    assert "mine" in harness("list", "runs").stdout.split()
    verified = harness("verify", "results")
    assert verified.returncode == 0, verified.stdout
    assert harness("report", "--site", "later").returncode == 0
    assert (tmp_path / "later" / "index.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("irra", "already"),
        ("../x", "no name of a method"),
        ("Mine", "no name"),
        ("class", "no name"),
    ],
)
def test_names_that_cannot_be_are_refused(
    harness: Call, tmp_path: Path, name: str, told: str
) -> None:
    """The message says why, and nothing is written."""
    done = harness("new-method", name)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert not list(tmp_path.glob("*.py"))


def test_what_is_there_stays(harness: Call, tmp_path: Path) -> None:
    """A second call changes nothing and says so."""
    (tmp_path / "mine.py").write_text("# mine\n", encoding="utf-8")
    done = harness("new-method", "mine")
    assert done.returncode == 2
    assert (tmp_path / "mine.py").read_text(encoding="utf-8") == "# mine\n"
