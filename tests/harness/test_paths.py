"""Folders that cannot be written are told with what moves them."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from harness.paths import CANNOT, cache_folder, explain

Call = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("number", CANNOT, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize(
    ("variable", "below"),
    [("HARNESS_CACHE", "pixels/x"), ("HF_HOME", "hub"), ("TORCH_HOME", "checkpoints")],
)
def test_the_variable_of_a_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, variable: str, below: str
) -> None:
    """With the place and what is wrong with it."""
    monkeypatch.setenv(variable, str(tmp_path / "kept"))
    place = tmp_path / "kept" / below
    told = explain(OSError(number, os.strerror(number), str(place)))
    assert told == (
        f"{place}: {CANNOT[number]}. ${variable} puts what is kept there into another folder."
    )


def test_a_folder_above_the_cache_is_told_like_it() -> None:
    """Where a home cannot be written, the cache's first folder is what fails."""
    above = cache_folder().parent
    assert "$HARNESS_CACHE" in str(explain(PermissionError(errno.EACCES, "no", str(above))))


def test_other_errors_are_not_explained() -> None:
    """Those have a traceback, as they are no user's."""
    assert explain(FileNotFoundError(errno.ENOENT, "no", "/x")) is None
    assert explain(OSError("no number")) is None


def test_a_name_that_is_too_long_is_one_message(harness: Call) -> None:
    """No traceback, whichever command was handed it."""
    done = harness("export", "--out", f"{'x' * 300}.zip", "--results", "y" * 300)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
