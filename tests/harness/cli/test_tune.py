"""Settings chosen on val: what is tried, shown and kept, and that test has no part in it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from harness import results
from harness.data.catalogue import find_declaration, locate
from harness.data.pixels import pixel_folder

from ...command_line import CommandLine
from ...conftest import TOY
from ...made_once import Make, write_text
from ..execution.commands import Command, one_epoch, starter, wait_for

SIX = ("--grid", "width=4,6,8", "--grid", "learning_rate=1e-2,1e-3")
TEXTS = "return self.texts(letters)"


@pytest.fixture(scope="session")
def toys(once: Make) -> Path:
    """The toy, trained for an epoch."""
    return (
        once("tuned-toy", lambda folder: write_text(folder / "toy.py", one_epoch(TOY))) / "toy.py"
    )


@pytest.fixture(scope="session")
def tune(toys: Path, small_dolls: Path) -> tuple[object, ...]:
    """The arguments of a grid of six on two seeds."""
    common = ("--plugins", toys, "--dataset", small_dolls, "--seeds", "0,1", "--jobs", "2")
    return ("tune", "toy", *SIX, *common)


@pytest.fixture(scope="session")
def tuned(
    harness_in: Callable[[Path], CommandLine], tune: tuple[object, ...], once: Make
) -> tuple[Path, str]:
    """A folder with the grid, undisturbed, and what was printed; copy it before changing it."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        done = harness_in(folder)(*tune)
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout, encoding="utf-8")

    folder = once("tuned", fill)
    return folder, (folder / "said.txt").read_text(encoding="utf-8")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Start the command line in an empty folder; nothing of it outlives the test."""
    commands: list[Command] = []
    yield starter(tmp_path, commands)
    for command in commands:
        command.clear()


def records(folder: Path) -> list[Path]:
    """Return the records of the trials that are there."""
    return sorted(folder.glob("results/.tuning/*/*/*/*/val-?/run.json"))


def test_the_grid_is_shown_by_val_alone(tuned: tuple[Path, str], toys: Path) -> None:
    """Best first, with the spread over seeds and the command that tests the best."""
    folder, said = tuned
    title, headers, *lines, told, command = said.splitlines()
    assert title.startswith("small-dolls (demo), toy, val, mean over seeds")
    assert headers.split("  ")[1].strip() == "width"
    assert [word in headers for word in ("val R1", "R1 range", "val mAP", "seeds")] == [True] * 4
    assert "mINP" not in said
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    merits = [(float(row[3]), float(row[5])) for row in rows]
    assert merits == sorted(merits, reverse=True)
    known = [json.loads(file.read_text()) for file in records(folder)]
    (width, rate) = int(rows[0][1]), float(rows[0][2])
    best = [
        record["metrics"]["val_r1"]
        for record in known
        if record["config"]["width"] == width
        and record["recipe"]["stages"][0]["learning_rate"] == rate
    ]
    assert len(best) == 2
    assert rows[0][3] == f"{sum(best) / 2:.2f}"
    assert rows[0][4] == f"{min(best):.2f}-{max(best):.2f}"
    assert "best on val" in told
    assert command.startswith("harness run toy --suite demo --dataset ")
    assert command.endswith(f" --plugins {toys}")


def test_a_best_value_at_an_end_is_told(
    harness_in: Callable[[Path], CommandLine],
    tune: tuple[object, ...],
    tuned: tuple[Path, str],
    tmp_path: Path,
) -> None:
    """Of two rates the best is at an end: beyond it there may be a better one."""
    folder = Path(shutil.copytree(tuned[0], tmp_path / "copy"))
    said = " ".join(harness_in(folder)(*tune).stderr.split())
    ends = "learning_rate 0.01 is the largest", "learning_rate 0.001 is the smallest"
    assert sum(f"{end} that was tried" in said for end in ends) == 1


def test_nothing_of_test_is_in_its_folder(tuned: tuple[Path, str]) -> None:
    """Only trials, each with its record and its history; their figures are of val."""
    folder, _ = tuned
    assert not (folder / "site").exists()
    assert sorted(path.name for path in (folder / "results").iterdir()) == [".locks", ".tuning"]
    found = records(folder)
    assert len(found) == 12
    for file in found:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert sorted(record["metrics"]) == ["val_map", "val_r1"]
        assert sorted(record["data"]["counts"]) == ["train", "val"]
        assert "every val caption" in record["protocol"]["queries"]
        left = {path.name for path in file.parent.iterdir()}
        assert left <= {"run.json", "history.parquet", "checksums.json", "key", "log.txt"}
        columns = pyarrow.parquet.read_schema(file.parent / "history.parquet").names
        assert {"val_r1", "val_map"} <= {*columns}
        assert not [name for name in columns if "test" in name]


def test_test_images_are_not_decoded_and_test_captions_not_read(
    harness: CommandLine, small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Where every test image is broken, a grid is tuned as ever, and a run is not."""
    dolls, heard = tmp_path / "broken", tmp_path / "heard.txt"
    shutil.copytree(small_dolls, dolls)
    table = pyarrow.parquet.read_table(dolls / "test.parquet")
    image = table.schema.get_field_index("image")
    kind = table.schema.field(image).type
    broken = pyarrow.array([{"bytes": b"no image", "path": None}] * len(table), kind)
    captions = [[f"a test caption {row}"] for row in range(len(table))]
    table = table.set_column(image, "image", broken)
    text = table.schema.get_field_index("captions")
    column = pyarrow.array(captions, table.schema.field(text).type)
    table = table.set_column(text, "captions", column)
    pyarrow.parquet.write_table(table, dolls / "test.parquet")
    listening = f"open({str(heard)!r}, 'a').write(repr(captions)); {TEXTS}"
    toy.write_text(one_epoch(toy_source).replace(TEXTS, listening), encoding="utf-8")
    common = ("--plugins", toy, "--dataset", dolls, "--seeds", "0")
    done = harness("tune", "toy", "--grid", "width=4", *common)
    assert done.returncode == 0, done.stderr
    assert heard.stat().st_size
    assert "a test caption" not in heard.read_text(encoding="utf-8")
    fingerprint = locate(find_declaration(str(dolls))).fingerprint
    decoded = {file.name.partition("-")[0] for file in pixel_folder(fingerprint).glob("*.npy")}
    assert decoded == {"train", "val"}
    run = harness("run", "toy", *common, "--no-report")
    assert run.returncode == 1
    assert "Split test, image" in " ".join(run.stderr.split())


@pytest.mark.exhaustive  # its runs are those that test_cli's killed harness has
def test_a_grid_that_is_killed_ends_as_one_that_is_not(
    tuned: tuple[Path, str],
    tune: tuple[object, ...],
    start: Callable[..., Command],
    tmp_path: Path,
) -> None:
    """The same table, no trial run again, nothing left over, and no test figure anywhere."""
    command = start(*tune)
    wait_for(lambda: len(records(tmp_path)) >= 3, 240)
    command.send(signal.SIGKILL)
    command.finish()
    wait_for(lambda: not command.processes())
    made = {file: file.stat().st_mtime_ns for file in records(tmp_path)}
    assert 3 <= len(made) < 12
    again = start(*tune)
    assert again.finish() == 0, again.said
    assert again.output[0] == tuned[1]
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in made.items())
    test_nothing_of_test_is_in_its_folder((tmp_path, ""))
    assert not [*tmp_path.rglob("results/**/*.unfinished"), *tmp_path.rglob("results/**/*.tmp")]


def test_what_is_complete_is_not_run_again_when_a_grid_grows(
    tuned: tuple[Path, str], tune: tuple[object, ...], harness: CommandLine, tmp_path: Path
) -> None:
    """By more values, by more settings, or written in another order."""
    folder, said = tuned
    shutil.copytree(folder / "results", tmp_path / "results")
    common = (*tune[:2], *tune[6:])
    turned = ("--grid", "learning_rate=0.001,1e-2", "--grid", "width=8,6,4")
    done = harness(*common, *turned, "--grid", "losses.itc=1.0")
    assert "12 runs planned, 12 complete" in done.stderr
    figures = [line.split()[-4:] for line in said.splitlines()[2:8]]
    assert [line.split()[-4:] for line in done.stdout.splitlines()[2:8]] == figures
    more = harness(*common, "--grid", "width=2,4,6,8", *SIX[2:], "--dry-run")
    assert "16 runs planned, 12 complete" in more.stderr
    assert more.stdout.count("to do") == 4


def test_rankings_know_no_trial(
    tuned: tuple[Path, str], tune: tuple[object, ...], harness_in: Callable[[Path], CommandLine],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Neither tables, lists, comparisons, pages, checks nor bundles, wherever they look."""
    shutil.copytree(tuned[0] / "results", tmp_path / "results")
    harness = harness_in(tmp_path)
    for folder in ("results", "results/.tuning"):
        assert harness("list", "runs", "--json", "--results", folder).stdout.strip() == "[]"
        for command in ("report", "verify", "export", "compare"):
            words = (command, "toy", "toy:narrow") if command == "compare" else (command,)
            assert harness(*words, "--results", folder).returncode == 2, command
    done = harness("run", "toy", "--seeds", "0", *tune[6:10])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    (listed,) = json.loads(harness("list", "runs", "--json").stdout)
    assert (listed["method"], listed["variant"]) == ("toy", "full")
    assert "1 runs verified" in harness("verify").stdout
    pages = [file.read_text(encoding="utf-8") for file in (tmp_path / "site").rglob("*.html")]
    assert pages
    assert not [page for page in pages if "width=4" in page or ".tuning" in page]


def test_what_is_not_trained_is_scored_on_val_as_it_is(
    harness: CommandLine, glance: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """A method without stages can be tuned too."""
    common = ("--plugins", glance, "--dataset", small_dolls, "--seeds", "0")
    done = harness("tune", "blank", "--grid", "supervision=none", *common)
    assert done.returncode == 0, done.stderr
    (file,) = records(tmp_path)
    record = json.loads(file.read_text(encoding="utf-8"))
    assert sorted(record["metrics"]) == ["val_map", "val_r1"]
    assert record["selected_epoch"] is None
    assert done.stdout.splitlines()[-1].startswith("harness run blank --suite demo")


def test_a_trial_that_fails_does_not_stop_the_others(
    harness: CommandLine, toy: Path, toy_source: str, small_dolls: Path
) -> None:
    """It stands last, is no best one, and what went wrong is told with its place."""
    broken = "        if config.width == 9:\n            raise RuntimeError('boom')\n"
    first = "        super().__init__(config, train)\n"
    toy.write_text(one_epoch(toy_source).replace(first, first + broken), encoding="utf-8")
    common = ("--plugins", toy, "--dataset", small_dolls, "--seeds", "0")
    done = harness("tune", "toy", "--grid", "width=9,5", *common)
    assert done.returncode == 1
    lines = [line.split() for line in done.stdout.splitlines()]
    first_row, last_row = (line for line in lines if line[:1] in (["1"], ["2"]))
    assert first_row[:2] == ["1", "5"]
    assert last_row == ["2", "9", "0", "of", "1"]
    assert "--set width=5" in done.stdout
    assert "RuntimeError: boom (in results/.tuning/" in " ".join(done.stderr.split())


def test_the_table_after_a_run_shows_val_and_what_was_run(
    harness: CommandLine, toys: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Methods as published and the variants of this run; others are only counted."""
    common = ("--plugins", toys, "--dataset", small_dolls, "--seeds", "0", "--no-report")
    narrow = harness("run", "toy:narrow", *common)
    assert "toy:narrow" in narrow.stdout
    done = harness("run", "toy", "--set", "width=5", *common)
    (run,) = [
        run for run in results.load_runs(tmp_path / "results") if run.record.variant != "narrow"
    ]
    (row,) = run.history()
    told = f"val R1 {row['val_r1']:.2f}, test R1 {run.record.metrics['r1']:.2f}"
    assert told in " ".join(done.stderr.split())
    headers, line = done.stdout.splitlines()[1:3]
    assert headers.split()[:4] == ["method", "val", "R1", "R1"]
    assert f"{row['val_r1']:.2f}" in line
    assert "toy:narrow" not in done.stdout
    assert "Variants beside these in results: 1." in " ".join(done.stderr.split())


def test_help_teaches(harness: CommandLine) -> None:
    """It says what is looked at, and shows a grid."""
    said = " ".join(harness("tune", "--help").stdout.replace("│", " ").split())
    assert "harness tune clip-itc --grid learning_rate=1e-3,3e-4" in said
    assert "val alone" in said
