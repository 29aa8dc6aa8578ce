"""`harness publish` as a user calls it, on real results."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from ...hub.api import OWNER
from ...hub.caller import Caller
from ...hub.server import Hub

Call = Callable[..., subprocess.CompletedProcess[str]]


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command told, in one line."""
    return " ".join(done.stderr.split())


def test_a_folder_is_published_and_then_only_changed(
    harness: Call, results: Path, add_seed: Callable[[], None], tmp_path: Path
) -> None:
    """The pages are built and verified; the same results change nothing, more change some."""
    publish = "publish", "--to", "public"
    first = harness(*publish)
    assert first.returncode == 0, first.stderr
    assert "Published to public:" in first.stderr
    assert first.stdout.strip() == (tmp_path / "public/index.html").as_uri()
    assert (tmp_path / "public/.nojekyll").is_file()
    index = (tmp_path / "public/index.html").read_bytes()

    assert "Nothing to publish: public has these very pages." in said(harness(*publish))
    add_seed()
    asked = harness(*publish, "--dry-run")
    assert (tmp_path / "public/index.html").read_bytes() == index
    done = harness(*publish)
    told = re.search(r"Published to public: (.*)\.", said(done))
    assert told is not None, done.stderr
    assert f"Would publish to public: {told[1]}." in said(asked)
    assert (tmp_path / "public/index.html").read_bytes() != index


def test_results_that_cannot_be_relied_on_are_not_published(
    harness: Call, results: Path, tmp_path: Path
) -> None:
    """A figure changed by hand is named and nothing is written, unless that is asked for."""
    file = next(results.glob("*/*/*/*/seed-0/evaluations/text-to-image/metrics.json"))
    figures = json.loads(file.read_text())
    file.write_text(json.dumps({**figures, "r1": 99.9}))
    refused = harness("publish", "--to", "public")
    assert refused.returncode == 2
    told = said(refused)
    assert re.search(r"Not published: \d+ problems in results: demo/[^;]*metrics.json", told)
    assert "`harness verify results` tells what to do; --unverified publishes" in told
    assert not (tmp_path / "public").exists()
    done = harness("publish", "--to", "public", "--unverified")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "public/index.html").is_file()


def test_a_branch_is_published(harness: Call, results: Path, tmp_path: Path) -> None:
    """One commit says what it holds; the same results are no second one."""
    git = "git", "--git-dir", str(tmp_path / "remote.git")
    subprocess.run([*git, "init", "--quiet", "--bare"], check=True)
    publish = "publish", "--to", "github", "--repository", tmp_path / "remote.git"
    done = harness(*publish, "--branch", "pages")
    assert done.returncode == 0, done.stderr
    assert "Nothing to publish: pages of" in said(harness(*publish, "--branch", "pages"))
    log = subprocess.run([*git, "log", "--format=%s", "pages"], capture_output=True, check=True)
    assert log.stdout == b"Leaderboard of 1 method, 2 runs\n"
    show = subprocess.run([*git, "show", "pages:index.html"], capture_output=True, check=True)
    assert b"Toy" in show.stdout


def test_a_space_is_published(results: Path, tmp_path: Path) -> None:
    """The hub has the pages and the address is told; the same results upload nothing."""
    with Hub() as hub:
        machine = Caller(hub, tmp_path)
        call = (
            "-m", "harness", "publish", "--to", "huggingface", "--repository", "someone/people",
            "--private", "--message", "Two seeds",
        )  # fmt: skip
        done = machine.call(*call, HF_TOKEN=OWNER)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{hub.url}/spaces/someone/people"
        space = hub.repositories.by_name["someone/people"]
        assert space.private
        assert b"Toy" in space.files("main")[1]["index.html"]
        assert json.loads(hub.requests("POST", "/commit/")[0].body.splitlines()[0])["value"][
            "summary"
        ] == "Two seeds"  # fmt: skip
        again = machine.call(*call, HF_TOKEN=OWNER)
        assert "Nothing to publish: the Space someone/people" in said(again)
        assert len(space.commits) == 2


def test_a_preview_is_shown_until_it_is_ended(
    results: Path, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """It answers at the address that it tells, with the page alone; Ctrl-C ends it cleanly."""
    process = start("-m", "harness", "publish", "--preview", at=tmp_path)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(address, timeout=10) as reply:
        assert b"Toy" in reply.read()
        assert reply.headers["Cache-Control"] == "no-store"
    for outside in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "results"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}{outside}", timeout=10)
    taken = start("-m", "harness", "publish", "--preview", "--port", address.rsplit(":")[-1][:-1],
                  at=tmp_path)  # fmt: skip
    assert "in use. Without --port, a free one is taken" in taken.communicate(timeout=60)[1]
    assert taken.returncode == 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say where to: --to github, --to huggingface or --to FOLDER; or --preview alone"),
        (("--to", "public", "--preview"), "Say where to"),
        (("--to", "github", "--private"), "--private is for huggingface, not for github"),
        (("--to", "public", "--branch", "main"), "--branch is for github, not for a folder"),
        (("--preview", "--dry-run"), "--dry-run is for"),
        (("--to", "huggingface"), "Name the Space: --to huggingface --repository ORG/NAME"),
        (("--to", "public", "--results", "nowhere"), "There is no folder nowhere"),
        (("--to", "public", "--unverified"), "harness run --all"),
    ],
)
def test_errors_are_one_message(
    harness: Call, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """What the user can mend is said without a traceback, and nothing is written."""
    done = harness("publish", *arguments)
    assert done.returncode == 2
    assert message in said(done)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "public").exists()
