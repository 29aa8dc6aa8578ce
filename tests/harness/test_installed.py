"""Installed where nobody can write, for a user without a home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = "harness", "methods", "leaderboard"
KEPT_ELSEWHERE = {"HF_HOME", "HF_DATASETS_CACHE", "NUMBA_CACHE_DIR", "TORCH_HOME", "XDG_CACHE_HOME"}
# Root may write everywhere: without these it is held to the permissions of files, as others are.
AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """Copies of the packages, and a home, that cannot be written."""
    place = tmp_path / "installed"
    for package in PACKAGES:  # with what is compiled, as installed packages have it
        shutil.copytree(PROJECT / package, place / package)
    (place / "home").mkdir()
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield place
    for path in (place, *place.rglob("*")):
        path.chmod(0o755)


def call(installed: Path, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line of the copies in a folder, with a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in KEPT_ELSEWHERE}
    own = {"HOME": str(installed / "home"), "HARNESS_CACHE": str(folder / "cache")}
    own |= {"PYTHONPATH": str(installed)}
    held = AS_OTHERS if os.geteuid() == 0 else []
    return subprocess.run(
        [*held, sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=folder,
        env={**kept, **own},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


# Where nobody is held to the permissions of files, there is nothing to see.
held = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes anything"
)


@held
def test_methods_are_listed(installed: Path, tmp_path: Path) -> None:
    """With a writable cache alone; nothing is written beside the code or into the home."""
    before = sorted(installed.rglob("*"))
    done = call(installed, tmp_path, "list", "methods")
    assert done.returncode == 0, done.stderr
    assert "dgia" in done.stdout
    assert sorted(installed.rglob("*")) == before


@held
@pytest.mark.exhaustive
def test_a_method_is_run_searched_and_shown(
    installed: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """With a writable cache alone; nothing is written beside the code or into the home."""
    before = sorted(installed.rglob("*"))
    folder = tmp_path / "work"
    folder.mkdir()
    done = call(installed, folder, "run", "clip", "--dataset", small_dolls, "--seeds", "0")
    assert done.returncode == 0, done.stderr
    assert (folder / "site" / "index.html").is_file()
    found = call(installed, folder, "search", "a man in a red coat", "--run", "clip", "--json")
    assert found.returncode == 0, found.stderr
    assert sorted(installed.rglob("*")) == before
