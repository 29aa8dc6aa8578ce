"""Two things of one name never take each other's place, nor stand in one table."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet
import pytest

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.execution.local import execute_all
from harness.execution.watch import Watch
from harness.plan.collisions import why_taken
from harness.plan.spec import RunSpec
from harness.results import RunRecord, finish_run, load_runs
from harness.run.options import Options

Call = Callable[..., subprocess.CompletedProcess[str]]


def other_rows(dolls: Path, folder: Path) -> Path:
    """Copy a dataset with other captions."""
    shutil.copytree(dolls, folder)
    for file in folder.glob("*.parquet"):
        table = pyarrow.parquet.read_table(file)
        captions = arrow.array(
            [[text.upper() for text in row] for row in table["captions"].to_pylist()],
            table.schema.field("captions").type,
        )
        place = table.schema.get_field_index("captions")
        pyarrow.parquet.write_table(table.set_column(place, "captions", captions), file)
    return folder


@pytest.fixture
def run(harness: Call, toy: Path) -> Call:
    """Run the toy with one seed."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return harness(
            "run", "toy", "--plugins", toy, "--seeds", "0", "--no-report", *arguments
        )  # fmt: skip

    return run


def test_a_second_dataset_of_a_name_is_refused(
    run: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """Named later or at once; what is stored stays, and the message names both folders."""
    one = shutil.copytree(small_dolls, tmp_path / "v1" / "people")
    two = other_rows(small_dolls, tmp_path / "v2" / "people")
    assert run("--dataset", one).returncode == 0
    (stored,) = load_runs(tmp_path / "results")
    refused = run("--dataset", two)
    assert refused.returncode == 2
    assert str(one) in refused.stderr.replace("\n", "")
    assert str(two) in refused.stderr.replace("\n", "")
    assert "harness drop --dataset people" in " ".join(refused.stderr.split())
    assert [found.record.key for found in load_runs(tmp_path / "results")] == [stored.record.key]
    both = run("--dataset", one, "--dataset", two, "--results", tmp_path / "other")
    assert both.returncode == 2
    assert "Two datasets have the name 'people'" in both.stderr
    again = run("--dataset", two, "--results", tmp_path / "other")
    assert again.returncode == 0


def test_a_dataset_that_moved_or_changed_in_its_place_is_the_same(
    run: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """The first is complete there, the second is run again; neither is refused."""
    one = shutil.copytree(small_dolls, tmp_path / "v1" / "people")
    assert run("--dataset", one).returncode == 0
    moved = tmp_path / "moved" / "people"
    moved.parent.mkdir()
    one.rename(moved)
    assert "1 complete" in run("--dataset", moved).stderr
    shutil.rmtree(moved)
    other_rows(small_dolls, moved)
    changed = run("--dataset", moved, "--seeds", "1")
    assert changed.returncode == 2  # it was first run in v1: another folder with other rows
    other_rows(small_dolls, one)
    changed = run("--dataset", one, "--seeds", "1")
    assert changed.returncode == 0
    table = changed.stdout.split("mean over seeds")[1]
    assert table.split()[-1] == "1", "the seed on the older rows has no place in the mean"


def test_a_folder_called_like_a_drawn_dataset_is_refused(
    run: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """./paperdolls is not PaperDolls."""
    folder = shutil.copytree(small_dolls, tmp_path / "paperdolls")
    refused = run("--dataset", folder)
    assert refused.returncode == 2
    assert "is called like the dataset 'paperdolls'" in " ".join(refused.stderr.split())


def test_a_suite_called_like_a_shipped_one_is_refused(run: Call, tmp_path: Path) -> None:
    """./demo.yaml is not the suite demo."""
    suite = tmp_path / "demo.yaml"
    suite.write_text("scale: tiny\nseeds: [0]\ndatasets: [paperdolls]\n", encoding="utf-8")
    refused = run("--suite", suite)
    assert refused.returncode == 2
    assert "is called like the suite 'demo'" in " ".join(refused.stderr.split())


def test_two_datasets_of_a_name_in_a_suite_are_refused(run: Call, tmp_path: Path) -> None:
    """Whether they are named or declared."""
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "scale: tiny\nseeds: [0]\ndatasets: [paperdolls, {name: paperdolls, folder: x}]\n",
        encoding="utf-8",
    )
    refused = run("--suite", suite)
    assert refused.returncode == 2
    assert "the dataset paperdolls stands twice" in " ".join(refused.stderr.split())


def test_datasets_of_a_name_are_not_evaluated_on(
    harness: Call, run: Call, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """A table of datasets by name would show one for the other."""
    one = shutil.copytree(small_dolls, tmp_path / "v1" / "people")
    two = other_rows(small_dolls, tmp_path / "v2" / "people")
    assert run("--dataset", one).returncode == 0
    refused = harness(
        "evaluate", "toy", "--plugins", toy, "--dataset", one, "--seeds", "0", "--on", two,
        "--no-report",
    )  # fmt: skip
    assert refused.returncode == 2
    assert "Two datasets have the name 'people'" in refused.stderr


def test_a_plugin_called_like_a_method_of_the_project_is_refused(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """Whoever names it is told that there are two, by every command that takes a method."""
    toy.write_text(toy_source.replace('"toy"', '"irra"'), encoding="utf-8")
    for command in ("run", "check"):
        refused = harness(command, "irra", "--plugins", toy)
        assert refused.returncode == 2
        assert "method 'irra' is already registered by" in " ".join(refused.stderr.split())


SAME: Mapping[str, tuple[str, ...]] = {
    "what is the default": ("--set", "width=8"),
    "an integer for a float": ("--set", "learning_rate=0.01"),
    "the default twice": ("--set", "epochs=2", "--set", "width=8"),
}


@pytest.mark.parametrize("settings", SAME.values(), ids=SAME)
def test_settings_that_change_nothing_are_the_run_that_there_is(
    run: Call, small_dolls: Path, settings: tuple[str, ...]
) -> None:
    """One key is one run, by whatever options it is named."""
    assert run("--dataset", small_dolls).returncode == 0
    assert "1 complete" in run("--dataset", small_dolls, *settings).stderr


def test_settings_of_a_row_are_the_row(run: Call, small_dolls: Path, tmp_path: Path) -> None:
    """`--set` of what an ablation row changes is that row, with its place in the table."""
    assert run("--dataset", small_dolls, "--set", "width=4").returncode == 0
    (stored,) = load_runs(tmp_path / "results")
    assert stored.record.variant == "narrow"
    assert stored.record.tables == (("Table 1", "narrow", 0),)


def test_the_order_of_settings_does_not_matter(
    run: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """Nor how a number is written."""
    first = ("--set", "width=6", "--set", "learning_rate=1e-3")
    second = ("--set", "learning_rate=0.001", "--set", "width=6")
    assert run("--dataset", small_dolls, *first).returncode == 0
    assert "1 complete" in run("--dataset", small_dolls, *second).stderr
    (stored,) = load_runs(tmp_path / "results")
    assert stored.record.variant == "full (learning_rate=0.001, width=6)"


def suite_file(file: Path, folder: Path) -> Path:
    """Write a suite that calls a folder x."""
    file.parent.mkdir()
    text = f"scale: tiny\nseeds: [0]\ndatasets: [{{name: x, folder: {folder}}}]\n"
    file.write_text(text, encoding="utf-8")
    return file


def test_two_suite_files_of_a_name_are_told_apart(
    run: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """By what they call a dataset; the same file may be named in another way."""
    one = suite_file(tmp_path / "s1" / "bench.yaml", small_dolls)
    two = suite_file(tmp_path / "s2" / "bench.yaml", other_rows(small_dolls, tmp_path / "other"))
    assert run("--suite", one).returncode == 0
    refused = run("--suite", two)
    assert refused.returncode == 2
    assert "whose x holds other rows" in " ".join(refused.stderr.split())
    assert "1 complete" in run("--suite", Path("s1/bench.yaml")).stderr


def test_a_run_that_another_command_has_finished_meanwhile_stays(
    toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Between the plan and the start of a run its place may have been taken."""
    results = tmp_path / "results"

    def planned(dolls: Path) -> RunSpec:
        choices = plan.choose(["toy"], registry.list_methods([toy]), "tiny", ablations=False)
        located = [locate(find_declaration(str(dolls)))]
        suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
        return plan.plan(suite, located, choices, (0,), {})[0]

    one = planned(shutil.copytree(small_dolls, tmp_path / "v1" / "people"))
    two = planned(other_rows(small_dolls, tmp_path / "v2" / "people"))
    assert why_taken(two, results) == ""
    finish_run(one.record(), one.path(results))
    told: list[RunRecord] = []
    watch = Watch(
        started=lambda spec: None,
        updated=lambda spec, update: None,
        finished=lambda spec, record: told.append(record),
    )
    execute_all([two], Options(results), watch)
    assert [record.status for record in told] == ["skipped"]
    assert "holds other rows" in str(told[0].error)
    (stored,) = load_runs(results)
    assert stored.record.key == one.key


def test_another_dataset_of_a_name_does_not_replace_an_evaluation(
    harness: Call, run: Call, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """`--on` knows a dataset by its name: the second is refused, the first stays."""
    one = other_rows(small_dolls, tmp_path / "c" / "shop")
    two = shutil.copytree(one, tmp_path / "d" / "shop")
    table = pyarrow.parquet.read_table(two / "test.parquet")
    pyarrow.parquet.write_table(table.slice(4), two / "test.parquet")
    assert run("--dataset", small_dolls).returncode == 0
    common = ("toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0", "--no-report")
    assert harness("evaluate", *common, "--on", one).returncode == 0
    refused = harness("evaluate", *common, "--on", two)
    assert refused.returncode == 2
    assert "was evaluated on another dataset called 'shop'" in " ".join(refused.stderr.split())
    assert "1 complete" in harness("evaluate", *common, "--on", one).stderr
