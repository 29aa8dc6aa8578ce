"""Figures beside a model card, as the hub's own library reads them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from harness.errors import HarnessError
from harness.export.eval_results import Benchmark, parse_benchmark
from harness.export.model_card import write_model_card
from harness.results.selection import select_runs

DOLLS = "small-dolls=our-lab/dolls:text-to-image"


def test_a_benchmark_is_written_in_one_word() -> None:
    """What is something else is refused, with an example."""
    assert parse_benchmark(DOLLS) == Benchmark("small-dolls", "our-lab/dolls", "text-to-image")
    for text in ("small-dolls", "small-dolls=dolls:task", "=our-lab/dolls:task", "a=b/c", "a=b/c:"):
        with pytest.raises(HarnessError, match="it is DATASET=ORG/NAME:TASK, as in cuhk-pedes="):
            parse_benchmark(text)


def test_the_hub_reads_the_file(
    made_results: Path, tmp_path: Path, harness: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """One result, the mean R1 over seeds, of the dataset and the task that were named."""
    out = tmp_path / "card"
    call = "export", "glance", "--format", "model-card", "--out", out, "--results", made_results
    for _ in range(2):  # a card is replaced whole
        done = harness(*call, "--benchmark", DOLLS)
        assert done.returncode == 0, done.stderr
    text = (out / ".eval_results" / "small-dolls.yaml").read_text("utf-8")
    [entry] = parse_eval_result_entries(yaml.safe_load(text))
    runs = [run.record for run in select_runs(made_results, "demo", ["glance"])]
    assert (entry.dataset_id, entry.task_id) == ("our-lab/dolls", "text-to-image")
    assert entry.value == round(mean(run.metrics["r1"] for run in runs), 2)
    assert entry.date == max(run.started for run in runs)[:10]
    assert str(entry.notes).startswith("text-to-image Rank-1 in percent, mean over seeds 0, 1; ")
    done = harness("export", "glance", "--results", made_results, "--benchmark", DOLLS)
    assert done.returncode == 2
    assert "--benchmark is for --format model-card" in done.stderr


def test_a_benchmark_without_a_run_is_refused(made_results: Path, tmp_path: Path) -> None:
    """Before anything is written; and files of others are not replaced."""
    runs = select_runs(made_results, "demo", ["glance"])
    other = Benchmark("small-dols", "our-lab/dolls", "task")
    with pytest.raises(HarnessError, match="Did you mean 'small-dolls'"):
        write_model_card(runs, tmp_path / "card", [other])
    assert not (tmp_path / "card").exists()
    (tmp_path / "card" / ".eval_results").mkdir(parents=True)
    (tmp_path / "card" / ".eval_results" / "hle.yaml").write_text("- value: 1\n")
    with pytest.raises(HarnessError, match=r"holds other files \(.eval_results/hle.yaml\)"):
        write_model_card(runs, tmp_path / "card")
