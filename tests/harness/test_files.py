"""Folders are whole or absent, and nothing half-made stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.files import whole_folder


def test_a_folder_is_put_in_its_place_at_the_end(tmp_path: Path) -> None:
    """Not before all is in it."""
    place = tmp_path / "deep" / "place"
    with whole_folder(place) as unfinished:
        (unfinished / "file").write_text("whole", encoding="utf-8")
        assert not place.exists()
    assert (place / "file").read_text(encoding="utf-8") == "whole"
    assert [one.name for one in place.parent.iterdir()] == ["place"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever it is that fails."""

    def fail() -> None:
        with whole_folder(tmp_path / "place") as unfinished:
            (unfinished / "file").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """Of this machine and of the same folder; what a living process is at stays."""
    code = "import os; print(os.uname().nodename, os.getpid())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    node, dead = done.stdout.split()
    left, others = tmp_path / f"place.{node}-{dead}.tmp", tmp_path / f"other.{node}-{dead}.tmp"
    living = tmp_path / f"place.{node}-{os.getppid()}.tmp"
    elsewhere = tmp_path / f"place.not-{node}-{dead}.tmp"
    for folder in (left, others, living, elsewhere):
        folder.mkdir()
    with whole_folder(tmp_path / "place"):
        pass
    assert not left.exists()
    assert all(folder.exists() for folder in (others, living, elsewhere))
