"""What ships, as a user meets it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.results import load_runs
from harness.results.shipped import ABOUT
from harness.sources import HARNESS_FOLDER

from ...command_line import CommandLine

Call = Callable[..., subprocess.CompletedProcess[str]]
SHIPPED = HARNESS_FOLDER / "shipped"
QUERIES = "evaluations/text-to-image/queries.parquet"


def words(text: str) -> str:
    """Return text without the line breaks of a terminal."""
    return " ".join(text.split())


def page(tmp_path: Path, name: str = "index.html") -> str:
    """Return the source of a page."""
    return (tmp_path / "site" / name).read_text(encoding="utf-8")


@pytest.fixture
def results(made_results: Path, tmp_path: Path) -> Path:
    """Own results of one method with the seeds of those that ship."""
    folder = Path(shutil.copytree(made_results, tmp_path / "results"))
    for method in folder.glob("demo/*/*"):
        if not method.name.startswith(("dataset-", "glance-twice")):
            shutil.rmtree(method)
    return folder


def test_a_newcomer_sees_the_board_before_any_run(
    harness: Call, ships: Path, tmp_path: Path
) -> None:
    """Marked as what it is; what to do next is said where nothing ships."""
    done = harness("report")
    assert done.returncode == 0, done.stderr
    assert "All 6 runs ship with tbpr-bench" in words(done.stderr)
    shown = re.sub("<[^>]+>", "", page(tmp_path))
    for text in ("Glance twice", "All 6 runs ship", "harness run --all --suite demo"):
        assert text in shown
    assert "came with the project" in page(tmp_path, "methods/glance.html")
    shutil.rmtree(ships)
    assert "harness run --all" in harness("report").stderr


def test_a_plugin_is_ranked_against_all_methods_after_its_own_run(
    harness: Call, ships: Path, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """In the table that the run ends with, on the page and by `compare`, as if all had run here."""
    base = ("run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds")
    done = harness(*base, "0,1")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line[:1] in "1234"]
    assert len(rows) == 4
    assert [row[1] for row in rows if row[-1] != "shipped"] == ["toy"]
    assert "Of 8 runs, 6 ship with tbpr-bench" in words(done.stderr)
    assert "glance" not in {run.record.method for run in load_runs(tmp_path / "results")}
    assert page(tmp_path).count("Not ranked") == 0
    compared = harness("compare", "--all", "--json")
    assert compared.returncode == 0, compared.stderr
    [family] = json.loads(compared.stdout)
    shipped = {"toy": 0, "glance": 2, "glance-twice": 2, "blank": 1}
    assert family["shipped"] == shipped
    assert {one["name"] for one in family["ranks"]} == shipped.keys()
    shown = harness("compare", "toy", "glance")
    assert "2 shipped" in words(shown.stdout)
    planned = harness("plan-power", "toy", "glance", "--json")
    assert json.loads(planned.stdout)[0]["methods"] == ["toy", "glance"]


def test_a_plugin_with_fewer_seeds_is_told_what_to_run(
    harness: Call, ships: Path, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """As with one's own results: it stands apart, with the seeds that are asked of it."""
    done = harness("run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0")
    assert done.returncode == 0, done.stderr
    assert "ran with seeds 0, 1 and 0" in words(page(tmp_path))
    assert "run what is missing" in words(page(tmp_path))
    refused = harness("compare", "toy", "glance")
    assert "compare the seeds that both have with --seeds" in words(refused.stderr)
    assert harness("compare", "toy", "glance", "--seeds", "0").returncode == 0


def test_an_own_run_stands_in_the_place_of_the_one_that_ships(
    harness: Call, ships: Path, results: Path
) -> None:
    """Of a place there is one run, and runs of other suites are joined by none unless asked."""
    told = json.loads(harness("list", "runs", "--json").stdout)
    own = {run["method"] for run in told if not run["shipped"]}
    assert own == {"glance-twice"}
    assert len(told) == 6
    (results / "demo").rename(results / "other")
    for file in results.rglob("run.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**record, "suite": "other"}), encoding="utf-8")
    assert len(json.loads(harness("list", "runs", "--json").stdout)) == 2
    assert len(json.loads(harness("list", "runs", "--json", "--shipped").stdout)) == 8
    assert "ship" not in harness("report").stderr
    assert "Of 8 runs, 6 ship" in words(harness("report", "--shipped").stderr)


def test_runs_of_another_content_are_told_apart(
    harness: Call, ships: Path, results: Path, tmp_path: Path
) -> None:
    """With the message that there is for own results."""
    for file in results.glob("*/*/*/*/*/run.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        record["data"]["fingerprint"] = "0" * 64
        file.write_text(json.dumps(record), encoding="utf-8")
    done = harness("report")
    assert done.returncode == 0, done.stderr
    assert "Not comparable" in page(tmp_path)
    refused = harness("compare", "--all")
    assert "ran on different contents of demo/small-dolls" in words(refused.stderr)


def test_a_run_on_another_content_is_told_of_what_ships(
    harness: Call, ships: Path, toy: Path, small_dolls: Path
) -> None:
    """They would be missing in its table without a word."""
    for file in ships.glob("*/*/*/*/*/run.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        record["data"]["fingerprint"] = "0" * 64
        file.write_text(json.dumps(record), encoding="utf-8")
    done = harness("run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0")
    assert done.returncode == 0, done.stderr
    assert "Not shown: 6 runs that ship, which saw another content" in words(done.stderr)


def test_outdated_runs_are_told(harness: Call, ships: Path, glance: Path, tmp_path: Path) -> None:
    """The report counts what no code that is here gives; a plugin that is named brings its code."""
    done = harness("report")
    said = "Of the 6 runs that ship, 6 were made by other code or on other data than are here"
    assert said in words(done.stderr)
    listed = harness("list", "runs", "--plugins", glance)
    assert "shipped" in listed.stdout
    assert "outdated" not in listed.stdout
    changed = tmp_path / "changed" / "glance.py"
    changed.parent.mkdir()
    source = glance.read_text(encoding="utf-8")
    changed.write_text(source.replace("width: int = 8", "width: int = 9"), encoding="utf-8")
    listed = harness("list", "runs", "--plugins", changed)
    assert listed.stdout.count("outdated") == 6
    assert "Outdated of those: 6." in words(listed.stderr)


def test_what_ships_is_verified(harness: Call, ships: Path, results: Path, tmp_path: Path) -> None:
    """By an option or, before there are results, without; own results as ever."""
    own = harness("verify")
    assert own.stdout.splitlines()[-1].startswith("2 runs verified")
    asked = harness("verify", "--shipped")
    assert asked.returncode == 0, asked.stdout
    assert asked.stdout.splitlines()[-1].startswith("6 runs verified")
    shutil.rmtree(results)
    alone = harness("verify")
    assert alone.stdout == asked.stdout
    assert "There is no folder results: what came with the project is verified" in words(
        alone.stderr
    )
    assert harness("verify", "elsewhere").returncode == 2
    shutil.rmtree(ships)
    assert "No results came with this copy" in harness("verify", "--shipped").stderr


DAMAGED = [
    (name, content)
    for name in ("queries.parquet", "run.json", "history.parquet", "metrics.json",
                 "gallery.parquet", "checksums.json", ABOUT)
    for content in (b"PAR1", b"{}", b"")
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [DAMAGED[0], *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in DAMAGED[1:])],
)
def test_damage_is_a_finding_and_never_a_crash(
    harness: Call, ships: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    """The other runs are shown."""
    for file in [*ships.rglob(f"glance/full/seed-0/**/{name}"), *ships.glob(name),
                 *ships.glob(f"*/*/dataset-*/{name}")]:  # fmt: skip
        file.write_bytes(content)
    verified = harness("verify", "--shipped")
    assert verified.returncode == 1, verified.stderr
    assert "Traceback" not in verified.stderr
    for command in (
        ("report",),
        ("list", "runs"),
        ("compare", "glance-twice", "blank"),
        ("agree",),
    ):
        assert "Traceback" not in harness(*command).stderr
    assert "Glance twice" in page(tmp_path)


def test_agreement_takes_the_runs_of_the_suite_that_is_named(harness: Call, ships: Path) -> None:
    """Of these methods no paper is held, which is said of each."""
    done = harness("agree", "--suite", "demo")
    assert done.returncode == 2
    assert "no paper that is held here prints it" in words(done.stderr)


def test_the_board_can_be_published_and_is_told_of(
    harness: Call, ships: Path, results: Path, tmp_path: Path
) -> None:
    """What ships is verified before, as own results are."""
    done = harness("publish", "--to", "public")
    assert done.returncode == 0, done.stderr
    assert "All" not in done.stdout
    assert "Of 6 runs, 4 ship" in (tmp_path / "public/index.html").read_text(encoding="utf-8")
    next(ships.rglob(QUERIES)).write_bytes(b"PAR1")
    refused = harness("publish", "--to", "public")
    assert refused.returncode == 2
    assert "`harness verify --shipped` tells" in words(refused.stderr)


@pytest.mark.exhaustive  # a process of its own, which draws and scores what really ships
def test_what_came_with_the_project_is_right(harness: CommandLine) -> None:
    """Every figure of it is that of its ranks, and it is small."""
    done = harness.apart("verify", "--shipped")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no problem" in done.stdout + done.stderr
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    assert 0 < sum(file.stat().st_size for file in files) < 10_000_000
