from dataclasses import replace
from pathlib import Path

import pytest

from harness import results
from harness.files import slug, write_json, write_table
from harness.results import RunRecord

RECORD = RunRecord(
    status="ok", key="k", suite="demo", dataset="d", method="m", variant="B+LRC", seed=0,
    scale="tiny", title="M", tables=(("Table 4", "B+LRC", 1),), metrics={"r1": 12.5},
)  # fmt: skip


def place(tmp_path: Path) -> Path:
    """Return the folder of the record's run."""
    return results.run_path(tmp_path, "demo", "d", "m", "B+LRC", 0)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """What is stored is what is read."""
    results.finish_run(RECORD, place(tmp_path))
    (run,) = results.load_runs(tmp_path)
    assert run.record == RECORD
    assert run.path == place(tmp_path)


def test_a_run_in_work_is_not_counted(tmp_path: Path) -> None:
    """A working folder with a record in it, as a kill before the renaming leaves it, is no run."""
    work = results.working_folder(place(tmp_path))
    results.finish_run(RECORD, place(tmp_path))
    place(tmp_path).rename(work)
    assert list(results.load_runs(tmp_path)) == []


def test_a_new_run_replaces_the_old_one_whole(tmp_path: Path) -> None:
    """Nothing of the earlier run stays."""
    work = results.working_folder(place(tmp_path))
    write_table(work / "history.parquet", {"epoch": [1]})
    results.finish_run(RECORD, place(tmp_path))
    results.finish_run(replace(RECORD, key="new"), place(tmp_path))
    (run,) = results.load_runs(tmp_path)
    assert run.record.key == "new"
    assert run.history() == []
    assert [path.name for path in place(tmp_path).parent.iterdir()] == ["seed-0"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 99}', '{"schema_version": 1}'])
def test_a_damaged_record_is_no_record(tmp_path: Path, text: str) -> None:
    """A truncated, foreign or newer run.json is passed over, never half read."""
    results.finish_run(RECORD, place(tmp_path))
    (place(tmp_path) / "run.json").write_text(text, encoding="utf-8")
    assert list(results.load_runs(tmp_path)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_damaged_evaluation_hides_no_other(tmp_path: Path, text: str) -> None:
    """Its figures are left out, those of the others are there."""
    work = results.working_folder(place(tmp_path))
    for name in ("text-to-image", "image-to-text"):
        write_json(work / "evaluations" / name / "metrics.json", {"r1": 12.5})
    results.finish_run(RECORD, place(tmp_path))
    (place(tmp_path) / "evaluations" / "image-to-text" / "metrics.json").write_text(text)
    (run,) = results.load_runs(tmp_path)
    assert run.evaluations() == {"text-to-image": {"r1": 12.5}}


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """write_json replaces a file only by a whole one."""
    file = tmp_path / "values.json"
    write_json(file, {"a": 1})
    with pytest.raises((TypeError, ValueError)):
        write_json(file, {(1, 2): "no JSON key"})
    assert file.read_text(encoding="utf-8") == '{\n "a": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["values.json"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("B+LRC", "B+LRC"),
        ("w/o L_k", "w-o-L_k"),
        ("../../etc", "etc"),
        ("  ", "unnamed"),
        ("A⁺", "A+"),
    ],
)
def test_labels_make_safe_file_names(label: str, name: str) -> None:
    """A label can hold anything; a file name cannot."""
    assert slug(label) == name


def test_the_records_module_needs_no_torch() -> None:
    """What the leaderboard reads with must stay light."""
    import subprocess
    import sys

    script = "import sys, harness.results; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_long_label_has_a_short_folder_of_its_own() -> None:
    """Whatever was set; equal starts are told apart, and no letter is cut in two."""
    names = {slug(f"full ({'wide=1, ' * 40}{end})") for end in ("a", "b", "\u00e9" * 200)}
    assert len(names) == 3
    for name in names:
        assert len(name.encode()) <= 150
        assert slug(name) == name
        assert "\ufffd" not in name
    assert slug("B+LRC") == "B+LRC"
