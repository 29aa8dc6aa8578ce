"""Processes that train one run together, through the command line and at their parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import distributed, results
from harness.seeding import seed_everything

from ...processes_of_ranks import run_by_ranks
from ..training.spreading import spreading

Call = Callable[..., Any]

SCRIPT = Path(__file__).with_name("scores_of_ranks.py")
NOTES = """
    import os
    with open({file!r}, "a") as noted:
        noted.write(f"{{run.accelerator.process_index}} of {{run.accelerator.num_processes}}\\n")
"""


@pytest.fixture
def ranks_noted(tmp_path: Path) -> Path:
    """A file to which each process of a run adds a line a step."""
    return tmp_path / "ranks"


@pytest.fixture
def plugin(toy: Path, toy_source: str, ranks_noted: Path) -> Path:
    """The toy method, with its encoders called through the run, and one that re-scores."""
    toy.write_text(spreading(toy_source, NOTES.format(file=str(ranks_noted))), encoding="utf-8")
    return toy


def test_alone_a_function_is_called_as_it_is() -> None:
    """With one process nothing is divided, and whatever is returned comes back."""
    given = torch.arange(5)
    assert distributed.spread(lambda one, two: (one, two), given, "as it is") == (given, "as it is")
    assert distributed.is_main()


def test_ranks_draw_apart_for_their_rows_and_alike_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dropout does not repeat across the ranks of a batch; masks of the whole batch are the same.
    The same seed gives each rank the same draws again."""
    monkeypatch.setattr(distributed, "_gathered", lambda part, length: part)

    def step(rank: int) -> tuple[list[float], list[float], float]:
        monkeypatch.setattr(distributed, "rank_and_count", lambda: (rank, 2))
        seed_everything(0, "step")
        one, two = (
            distributed.spread(lambda rows: torch.rand(len(rows)), torch.arange(6)).tolist()
            for _ in range(2)
        )
        return one, two, float(torch.rand(()))

    first, second = step(0), step(1)
    assert len({*first[0], *first[1], *second[0], *second[1]}) == 12
    assert first[2] == second[2]
    assert (step(0), step(1)) == (first, second)


@pytest.mark.parametrize("name", ["toy", "rescoring"])
def test_several_processes_find_what_one_does(
    harness: Call, small_dolls: Path, plugin: Path, ranks_noted: Path, tmp_path: Path, name: str
) -> None:
    """Every figure of every evaluation is that of one process, and nothing is left behind."""
    for processes in (1, 3):
        done = harness(
            "run", name, "--plugins", plugin, "--dataset", small_dolls, "--seeds", "0",
            "--results", tmp_path / str(processes), "--no-report", "--set",
            f"processes={processes}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (one,), (several,) = (results.load_runs(tmp_path / count) for count in ("1", "3"))
    assert several.record.recipe["processes"] == 3
    assert (one.record.name, one.record.key) == (several.record.name, several.record.key)
    expected = {"0 of 1", *(f"{rank} of 3" for rank in range(3))}
    assert set(ranks_noted.read_text(encoding="utf-8").splitlines()) == expected
    assert one.evaluations() == several.evaluations()
    assert [row["val_r1"] for row in one.history()] == [row["val_r1"] for row in several.history()]
    assert not list(tmp_path.rglob("*.unfinished"))


def test_chunks_are_recorded_and_are_the_same_run(
    harness: Call, small_dolls: Path, plugin: Path, tmp_path: Path
) -> None:
    """The same label and key, and losses but for rounding; without a graphics card one fits."""
    found = []
    for chunks, recorded in (("auto", 1), ("3", 3)):
        done = harness(
            "run", "toy", "--plugins", plugin, "--dataset", small_dolls, "--seeds", "0",
            "--results", tmp_path / chunks, "--no-report", "--chunks", chunks,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (run,) = results.load_runs(tmp_path / chunks)
        assert run.record.recipe["chunks"] == recorded
        assert f"--set chunks={chunks}" in run.record.command
        found.append(run)
    one, three = found
    assert (one.record.name, one.record.key) == (three.record.name, three.record.key)
    losses = ([row["loss"] for row in run.history()] for run in found)
    assert next(losses) == pytest.approx(next(losses), rel=1e-4)


def test_every_process_has_the_threads_of_the_recipe(
    harness: Call, small_dolls: Path, plugin: Path, tmp_path: Path
) -> None:
    """They decide the bits: no library puts its own number in their place."""
    done = harness(
        "run", "toy", "--plugins", plugin, "--dataset", small_dolls, "--seeds", "0",
        "--results", tmp_path / "results", "--no-report", "--set", "processes=2",
        "--set", "threads=3", "--set", "epochs=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = results.load_runs(tmp_path / "results")
    assert run.record.environment["threads"] == 3


def test_a_method_has_to_say_that_it_spreads(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Where it does not, several processes are refused before anything runs."""
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--set", "processes=2",
        "--results", tmp_path / "results",
    )  # fmt: skip
    assert done.returncode == 2
    assert "run.spread" in " ".join(done.stderr.split())


def fail(harness: Call, plugin: Path, dolls: Path, folder: Path, code: str) -> dict[str, Any]:
    """Return the record of a run of two processes whose method does this at every step."""
    source = plugin.read_text(encoding="utf-8")
    plugin.write_text(source.replace("        import os\n", code, 1), encoding="utf-8")
    done = harness(
        "run", "toy", "--plugins", plugin, "--dataset", dolls, "--seeds", "0",
        "--results", folder, "--no-report", "--set", "processes=2",
    )  # fmt: skip
    assert done.returncode == 1
    (file,) = folder.rglob("run.json")
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def test_an_error_on_every_process_is_one_record(
    harness: Call, small_dolls: Path, plugin: Path, tmp_path: Path
) -> None:
    """What a method raises is told as of one process."""
    code = "        raise RuntimeError('boom')\n"
    record = fail(harness, plugin, small_dolls, tmp_path / "results", code)
    assert (record["status"], record["error"]["message"]) == ("error", "boom")


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("os.kill(os.getpid(), 9)", "process 1 of the run was killed by signal 9 (SIGKILL)"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
    ],
)
def test_a_process_that_fails_alone_is_what_the_record_tells_of(
    harness: Call, small_dolls: Path, plugin: Path, tmp_path: Path, does: str, told: str
) -> None:
    """Not that the first process has lost it; a checkpoint stays."""
    code = (
        "        import os\n"
        "        if run.step == 8 and run.accelerator.process_index == 1:\n"
        f"            {does}\n"
    )
    record = fail(harness, plugin, small_dolls, tmp_path / "results", code)
    assert (record["status"], record["error"]["kind"]) == ("killed", "ProcessDied")
    assert told in record["error"]["traceback"]
    assert list((tmp_path / "results").rglob("last.pt"))


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs share them, and so do the processes of a run on this machine; there is one at least."""
    monkeypatch.setattr(distributed, "cpu_count", lambda: 12)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert distributed.fair_threads(2, 1) == 6
    assert distributed.fair_threads(2, 3) == 2
    assert distributed.fair_threads(40, 1) == 1


def score(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return what each of several processes finds."""
    run_by_ranks(SCRIPT, [folder / "found-"], count, folder)
    return [torch.load(folder / f"found-{rank}", weights_only=False) for rank in range(count)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What one process finds, and then each of three."""
    folder = tmp_path_factory.mktemp("scores")
    return score(folder / "one", 1) + score(folder / "three", 3)


@pytest.mark.xdist_group("scores of ranks")
@pytest.mark.parametrize("kind", ["cosine", "reverse", "rescored", "blocks"])
def test_scores_that_are_divided_are_those_of_one_process(
    found: list[dict[str, Any]], kind: str
) -> None:
    """To the bit and on every rank: ranks, precisions, top lists and their scores."""
    one, *several = (each[kind] for each in found)
    assert len(several) == 3
    for each in several:
        assert each.keys() == one.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(each[name], values, strict=True)


@pytest.mark.xdist_group("scores of ranks")
@pytest.mark.parametrize(
    ("kind", "told"), [("pair", "gave no finite score"), ("query", "query_features row")]
)
def test_what_is_wrong_in_one_share_is_told_on_every_rank(
    found: list[dict[str, Any]], kind: str, told: str
) -> None:
    """None waits for the one that has found it."""
    assert all(told in each[kind] for each in found)
