"""The repository of a board: its files, and its checks done as GitHub Actions does them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from harness.cli import app
from harness.errors import HarnessError

from ..publishing.remotes import run_git

Harness = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def board(tmp_path: Path, harness: Harness) -> Path:
    """Return a board with a first commit."""
    done = harness("new-board", tmp_path / "people", "--harness", "git+https://example.org/h")
    assert done.returncode == 0, done.stderr
    run_git(tmp_path / "people", "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path / "people", "A board")
    return tmp_path / "people"


def commit(folder: Path, says: str) -> None:
    """Commit all that a folder holds."""
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", says)


def workflow(folder: Path) -> dict[str, Any]:
    """Return the workflow; YAML takes its `on` for a truth value."""
    values = yaml.safe_load((folder / ".github/workflows/board.yml").read_text("utf-8"))
    return {"on" if name is True else name: value for name, value in values.items()}


def script(folder: Path, part: str) -> str:
    """Return the step of the checks whose script holds a part."""
    steps = workflow(folder)["jobs"]["verify"]["steps"]
    [found] = [step["run"] for step in steps if part in step.get("run", "")]
    return str(found)


def check(folder: Path, part: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does, on a change of the branch main of origin."""
    called = tmp_path / "bin" / "harness"
    called.parent.mkdir(exist_ok=True)
    called.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness "$@"\n')
    called.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{called.parent}:{os.environ['PATH']}", "GITHUB_BASE_REF": "main",
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }  # fmt: skip
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(folder, part)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_a_board_is_written_once(board: Path, harness: Harness) -> None:
    """With its rules, and the harness that its checks install; what is there is not replaced."""
    assert (board / "README.md").read_text("utf-8").startswith("# people\n")
    rules = (board / "README.md").read_text("utf-8")
    for rule in ("is listed", "is corrected", "is withdrawn", "when the protocol moves"):
        assert rule in rules
    assert (board / "requirements.txt").read_text("utf-8") == "git+https://example.org/h\n"
    done = harness("new-board", board)
    assert done.returncode == 2
    assert "README.md" in done.stderr


def test_its_workflow_does_no_more_than_it_may(board: Path) -> None:
    """It reads, ends, pins its actions, shows nothing of a pull request; its commands exist."""
    found = workflow(board)
    assert found["permissions"] == {"contents": "read"}
    assert {"pull_request", "push"} <= found["on"].keys()
    jobs = found["jobs"]
    assert all("timeout-minutes" in job for job in jobs.values())
    steps = [step for job in jobs.values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in actions), actions
    for of in (jobs["show"], *(step for step in steps if "upload" in step.get("uses", ""))):
        assert of["if"].startswith("github.event_name != 'pull_request' && ")
    scripts = "\n".join(step.get("run", "") for step in steps)
    calls = re.findall(r"^\s*harness (\S+)(.*)$", scripts, re.M)
    assert [name for name, _ in calls] == ["import-results", "verify", "publish"]
    group = typer.main.get_group(app)
    for name, words in calls:
        known = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert {*re.findall(r"--[\w-]+", words)} <= known


@pytest.mark.exhaustive  # each command is tested by itself
def test_a_board_is_verified_and_shown(board: Path, bundle: Path, tmp_path: Path) -> None:
    """With no row yet, and with one; a bundle that was changed stops it."""
    assert check(board, "import-results", tmp_path).returncode == 0
    shutil.copyfile(bundle, board / "submissions" / "first.zip")
    done = check(board, "import-results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (board / "outputs").read_text("utf-8") == "rows=0\nrows=1\n"
    assert "Glance" in (board / "site" / "index.html").read_text("utf-8")
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    (board / "submissions" / "second.zip").write_bytes(content)
    done = check(board, "import-results", tmp_path)
    assert done.returncode == 1
    assert "Nothing of it was imported" in " ".join(done.stderr.split())


def test_no_row_disappears_without_a_word(board: Path, tmp_path: Path) -> None:
    """A bundle that is removed or changed has to be named in withdrawn.csv, whole."""
    for name in ("one.zip", "two.zip"):
        (board / "submissions" / name).write_bytes(name.encode())
    commit(board, "Two rows")
    run_git(tmp_path, "clone", "--quiet", str(board), "change")
    change = tmp_path / "change"
    (change / "submissions" / "three.zip").write_bytes(b"3")
    commit(change, "Another row")
    assert check(change, "git diff", tmp_path).returncode == 0
    (change / "submissions" / "one.zip").unlink()
    (change / "submissions" / "two.zip").write_bytes(b"changed")
    commit(change, "Without a word")
    done = check(change, "git diff", tmp_path)
    assert done.returncode == 1
    assert "submissions/one.zip was removed or changed, and withdrawn.csv does not" in done.stdout
    told = "file,date,reason\none.zip,2026-01-01,wrong split\n"
    (change / "withdrawn.csv").write_text(told, encoding="utf-8")
    commit(change, "One word")
    assert "submissions/two.zip" in check(change, "git diff", tmp_path).stdout
    (change / "withdrawn.csv").write_text(f"{told}two.zip,2026-01-01,protocol\n", encoding="utf-8")
    commit(change, "Both")
    assert check(change, "git diff", tmp_path).returncode == 0


def call_new_board(folder: str, *options: str) -> str:
    """Return what is wrong with what `harness new-board` is called with."""
    call = typer.main.get_command(app)
    with pytest.raises(HarnessError) as raised:
        call(["new-board", folder, *options], standalone_mode=False)
    return str(raised.value)


def test_a_board_has_to_be_a_folder(tmp_path: Path, harness: Harness) -> None:
    """A file, what is below one, and where nobody may write: one sentence, status 2."""
    (tmp_path / "file").write_text("x")
    for place in ("file", "file/x", "file/x/y"):
        told = call_new_board(str(tmp_path / place))
        assert (
            told
            == f"{tmp_path / 'file'} is a file, not a folder: name another place for the board."
        )
    assert call_new_board(f"{tmp_path}/{'x' * 300}").endswith(": File name too long.")
    done = harness("new-board", "/proc/x")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: /proc/x cannot be written: ")


@pytest.mark.parametrize(
    ("requirement", "told"),
    [
        ("a\nb", "one line"),
        ("a\rb", "one line"),
        ("", "one line"),
        ("git+https://me:S3CRET@example.org/h", "a password or a token"),
        ("git+https://S3CRET@example.org/h@v1", "a password or a token"),
        ("git+https://me:pa/S3CRET@example.org/h", "a password or a token"),
        ("h @ https://example.org/h.zip?token=S3CRET", "a password or a token"),
        ("git+me:S3CRET@example.org:h", "a password or a token"),
    ],
)
def test_no_secret_and_no_second_line_is_written(
    requirement: str, told: str, tmp_path: Path
) -> None:
    """What pip installs is pushed for all to read: nothing is written then, nor printed."""
    said = call_new_board(str(tmp_path / "people"), "--harness", requirement)
    assert told in said
    assert "S3CRET" not in said
    assert not (tmp_path / "people").exists()


@pytest.mark.parametrize(
    "requirement",
    ["tbpr-bench==1.0", "git+ssh://git@example.org:22/h@v1", "git+https://${TOKEN}@example.org/h",
     "h @ git+https://example.org/h@v1"],
)  # fmt: skip
def test_what_pip_installs_is_written_as_it_is(
    requirement: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions, addresses and variables stay; the steps that are told can be pasted."""
    folder = tmp_path / "my [b]people; x"
    call = typer.main.get_command(app)
    call(["new-board", str(folder), "--harness", requirement], standalone_mode=False)
    assert (folder / "requirements.txt").read_text() == f"{requirement}\n"
    assert f"cd '{folder}' && git init" in capsys.readouterr().out
