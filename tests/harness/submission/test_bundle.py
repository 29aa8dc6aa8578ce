"""What `harness export` puts into a bundle, and what it keeps back."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.catalogue import find_declaration, locate
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import Sizes
from harness.errors import HarnessError
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.results.selection import select_runs
from harness.submission.bundle import make_bundle, write_bundle
from harness.submission.privacy import clean_command, find_paths

Call = Callable[..., Any]


def names(bundle: Path) -> list[str]:
    """Return the names of a bundle's files."""
    with zipfile.ZipFile(bundle) as archive:
        return archive.namelist()


def of_run(results: Path, name: str) -> Path:
    """Return the first run of a method."""
    return next(results.glob(f"demo/*/{name}/full/seed-0"))


def edit(file: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    values = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**values, **changes}), encoding="utf-8")


def seal(run: Path) -> None:
    """Write a run's checksums anew."""
    (run / CHECKSUMS).write_text(json.dumps(hash_folder(run)), encoding="utf-8")


def test_equal_runs_give_equal_bytes(own_results: Path, tmp_path: Path) -> None:
    """Neither the time of the export nor that of the files stands in a bundle."""
    contents = []
    for number in range(2):
        bundle = make_bundle(own_results, select_runs(own_results, "demo"), (), by="me")
        write_bundle(bundle.files, tmp_path / f"{number}.zip")
        contents.append((tmp_path / f"{number}.zip").read_bytes())
        for file in own_results.rglob("*"):
            os.utime(file, (time.time() + 1e6,) * 2)
    assert contents[0] == contents[1]


def test_what_is_in_it_and_what_is_not(bundle: Path, made_results: Path, tmp_path: Path) -> None:
    """Records, rankings and what pages show of the data; weights and embeddings if asked for."""
    found = names(bundle)
    assert found == sorted(found)
    runs = select_runs(made_results, "demo")
    for run in runs:
        path = run.path.relative_to(made_results)
        for part in ("run.json", CHECKSUMS, "evaluations/visual-neighbours/evaluation.json"):
            assert f"{path}/{part}" in found
    assert sum("/dataset-" in name for name in found) == 3
    kept_back = ("weights/", "embeddings/", "log.txt", "/key")
    assert not [name for name in found if any(part in name for part in kept_back)]
    with zipfile.ZipFile(bundle) as archive:
        listed = json.loads(archive.read("submission.json"))
        assert {run["path"] for run in listed["runs"]} == {
            run.path.relative_to(made_results).as_posix() for run in runs
        }
        sums = json.loads(archive.read(f"{listed['runs'][-1]['path']}/{CHECKSUMS}"))
        assert any(name.endswith(".safetensors") for name in sums["left_out"])
    whole = make_bundle(made_results, runs, (), weights=True)
    weights = [name for name in whole.files if "/weights/" in name]
    assert len(weights) == 4  # of two trained methods with two seeds
    assert len([name for name in whole.files if "/embeddings/" in name]) == 6


def test_nothing_in_it_names_the_machine(bundle: Path, made_results: Path) -> None:
    """The runs were made with absolute paths of plugin and dataset; the bundle has no path."""
    record = json.loads((of_run(made_results, "glance") / "run.json").read_text(encoding="utf-8"))
    assert "/glance.py" in record["command"]
    with zipfile.ZipFile(bundle) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
        run = next(name for name in content if name.endswith("glance/full/seed-0/run.json"))
    assert "--plugins glance.py" in json.loads(content[run])["command"]
    private = (str(made_results.parents[1]), str(Path.home()), os.uname().nodename)
    for name, raw in content.items():
        assert not [one for one in private if one.encode() in raw and len(one) > 3], name


@pytest.mark.parametrize(
    ("command", "clean"),
    [
        ("harness run irra --suite demo --seeds 0", "harness run irra --suite demo --seeds 0"),
        ("harness run x --plugins /home/ann/x.py", "harness run x --plugins x.py"),
        ("harness run x --suite ../ann/s.yaml", "harness run x --suite s.yaml"),
        ("harness run x --dataset 'C:\\Users\\ann\\d'", "harness run x --dataset d"),
        ("harness run 'dgia:w/o L_k' --seeds 0", "harness run 'dgia:w/o L_k' --seeds 0"),
        ("harness run x --dataset ~ann/d/ 'a b'", "harness run x --dataset d 'a b'"),
        ("harness run 'x", ""),
    ],
)
def test_commands_lose_their_paths_alone(command: str, clean: str) -> None:
    """A label with a slash is none; a command without a path keeps its spelling."""
    assert clean_command(command) == clean


def test_paths_are_found_and_words_with_slashes_are_not() -> None:
    """What is looked through before it is handed on."""
    private = (
        "/home/ann/x", "~/x", "~ann/x", "~", r"C:\x", "C:/x", "see /scratch/ann/y",
        "file:///home/ann/x", "weights:/home/ann/x",
    )  # fmt: skip
    assert len(list(find_paths([*private, {"~/x": 1}]))) == len(private) + 1
    words = (
        "w/o L_k", "https://example.org/a/b", "R1 / R5", "~400M web pairs",
        "50 images, ~2.5/person", "100k images (~5/caption)", "CC0-1.0: free",
    )  # fmt: skip
    assert not list(find_paths(words))


def test_a_path_in_the_config_is_refused(own_results: Path) -> None:
    """The config is part of the key: it cannot be cleaned, so the run is not handed on."""
    run = of_run(own_results, "glance")
    edit(run / "run.json", config={"backbone": "/home/ann/weights.pt"})
    seal(run)
    with pytest.raises(HarnessError, match=r"config.backbone = '/home/ann/weights.pt'"):
        make_bundle(own_results, select_runs(own_results, "demo"), ())


def test_a_failed_drawing_and_a_failed_evaluation_stay_here(own_results: Path) -> None:
    """Both hold tracebacks with paths; what else the run has is handed on."""
    run = of_run(own_results, "glance")
    error = {"kind": "ValueError", "message": "no", "traceback": "/home/ann/x.py"}
    (run / "highlights.json").write_text(json.dumps({"error": error}), encoding="utf-8")
    edit(run / "evaluations/visual-neighbours/evaluation.json", error=error)
    seal(run / "evaluations/visual-neighbours")
    seal(run)
    bundle = make_bundle(own_results, select_runs(own_results, "demo", ["glance"]), ())
    assert len(bundle.runs) == 2
    assert ["visual-neighbours, which failed" in told for told in bundle.left_out] == [True]
    assert not [name for name in bundle.files if name.endswith("highlights.json")]


def test_what_a_run_was_tested_on_goes_along(
    harness: Call, own_results: Path, small_dolls: Path, glance: Path, take: Call, tmp_path: Path
) -> None:
    """Beside what it was trained on: pages tell of both."""
    other = tmp_path / "cleaned"
    write_paperdolls(other, sizes=Sizes(train=4, val=3, test=6))
    where = "--results", own_results, "--plugins", glance, "--no-report", "--dataset", small_dolls
    done = harness("evaluate", "glance", "--on", other, *where, "--seeds", "0")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "both.zip"
    runs = [run for run in select_runs(own_results, "demo", ["glance"]) if run.record.seed == 0]
    here = [locate(find_declaration(str(other)))]
    write_bundle(make_bundle(own_results, runs, here).files, out)
    digests = {name.split("/")[2] for name in names(out) if "/dataset-" in name}
    assert len(digests) == 2
    assert len(take(out).imported) == 1


def test_a_changed_figure_is_not_handed_on(own_results: Path) -> None:
    """What `harness verify` objects to is refused where it is made, not where it arrives."""
    edit(of_run(own_results, "glance") / "run.json", metrics={"r1": 99.0})
    with pytest.raises(HarnessError, match="is not in order"):
        make_bundle(own_results, select_runs(own_results, "demo"), ())


def test_runs_are_chosen_as_elsewhere(harness: Call, own_results: Path, tmp_path: Path) -> None:
    """By method, seed and dataset; what there is not is said with what there is."""
    out = tmp_path / "one.zip"
    call = "export", "glance", "--results", own_results, "--out", out
    done = harness(*call, "--seeds", "1", "--by", "us")
    assert done.returncode == 0, done.stderr
    assert "1 runs" in done.stdout
    wrong = harness("export", "glanse", "--results", own_results)
    assert wrong.returncode == 2
    assert "Did you mean 'glance'?" in wrong.stderr
    assert "no finished run with seed 7" in harness(*call, "--seeds", "7").stderr
    assert "There is no dataset" in harness(*call, "--dataset", "cuhk-pedes").stderr


@pytest.mark.parametrize("content", [b"a thesis", b""])
def test_a_file_of_others_is_not_overwritten(
    made_results: Path, tmp_path: Path, content: bytes
) -> None:
    """Only a bundle takes the place of a bundle."""
    out = tmp_path / "thesis.zip"
    out.write_bytes(content)
    with pytest.raises(HarnessError, match="is no bundle"):
        write_bundle({"submission.json": b"{}"}, out)
    assert out.read_bytes() == content


def test_who_sends_it_is_one_line(made_results: Path) -> None:
    """A name that would garble a page is refused."""
    runs = select_runs(made_results, "demo")
    for by in ("a\nb", "x" * 201, "\x1b[31m"):
        with pytest.raises(HarnessError, match="--by"):
            make_bundle(made_results, runs, (), by=by)
