"""`harness export --format model-card`: a folder that the Hugging Face hub takes as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from safetensors.torch import load_file

from harness.errors import HarnessError
from harness.export.model_card import write_card, write_model_card, write_safetensors
from harness.results import METRICS
from harness.results.selection import select_runs

Call = Callable[..., Any]


@pytest.fixture
def card(made_results: Path, tmp_path: Path) -> ModelCard:
    """The card of a method with two seeds, as the hub's own parser reads it."""
    runs = select_runs(made_results, "demo", ["glance"])
    return ModelCard.load(write_model_card(runs, tmp_path / "card"))


def test_the_hub_reads_our_figures(card: ModelCard, made_results: Path) -> None:
    """Every figure is the mean over seeds, and the index survives the hub's own round trip."""
    runs = [run.record for run in select_runs(made_results, "demo", ["glance"])]
    results = card.data.eval_results
    assert {one.metric_type: one.metric_value for one in results} == {
        metric: round(mean(run.metrics[metric] for run in runs), 2) for metric in METRICS
    }
    index = eval_results_to_model_index(card.data.model_name, results)
    name, again = model_index_to_eval_results(index)
    assert name == "Glance"
    assert again == results
    assert all(one.dataset_split == "test" and "seeds 0, 1" in one.metric_name for one in results)


def test_it_says_what_a_reader_needs(card: ModelCard) -> None:
    """How it was trained, the command, the licence, what it is for and what not."""
    told = card.text
    for words in (
        "## Training", "harness run glance", "val R1", "not declared", "## Intended use",
        "surveillance", "Author, A glance, PAPERS 2026", "weights: eyes", "## Data and licences",
    ):  # fmt: skip
        assert words in told
    assert card.data.license == "other"
    assert "--plugins glance.py" in told  # without its folder, which is of this machine


def test_the_range_of_seeds_is_told(own_results: Path, tmp_path: Path) -> None:
    """From the lowest R1 to the highest."""
    (file,) = own_results.glob("demo/*/glance/full/seed-1/run.json")
    told = json.loads(file.read_text(encoding="utf-8"))
    low = told["metrics"]["r1"]
    told["metrics"]["r1"] = low + 7.5
    file.write_text(json.dumps(told), encoding="utf-8")
    card = write_model_card(select_runs(own_results, "demo", ["glance"]), tmp_path / "card")
    assert f"{low:.2f} to {low + 7.5:.2f}" in card.read_text(encoding="utf-8")


def test_drawn_people_are_called_so(own_results: Path) -> None:
    """In the index, where only the figure may be read, and in words."""
    for file in own_results.glob("demo/*/glance/full/seed-*/run.json"):
        values = json.loads(file.read_text(encoding="utf-8"))
        values["data"] |= {"drawn": True, "licence": "Apache-2.0", "title": "Dolls"}
        file.write_text(json.dumps(values), encoding="utf-8")
    card = ModelCard(write_card(select_runs(own_results, "demo", ["glance"])))
    assert {one.dataset_name for one in card.data.eval_results} == {"Dolls (drawn people)"}
    assert "Every person that it was trained and scored on is drawn" in card.text
    assert card.data.license == "apache-2.0"


def test_the_weights_are_the_selected_ones(
    card: ModelCard, made_results: Path, tmp_path: Path
) -> None:
    """As safetensors, tensor by tensor, beside what rebuilds the method."""
    for seed in (0, 1):
        [run] = select_runs(made_results, "demo", ["glance"], seeds=[seed])
        folder = tmp_path / "card" / "small-dolls" / f"seed-{seed}"
        state = torch.load(run.path / "weights" / "selected.pt", weights_only=True)
        found = load_file(folder / "model.safetensors")
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], state[name]) for name in state)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        assert config["config"] == dict(run.record.config)


def test_an_untrained_method_has_a_card_without_weights(made_results: Path, tmp_path: Path) -> None:
    """It says that nothing was trained."""
    file = write_model_card(select_runs(made_results, "demo", ["blank"]), tmp_path / "card")
    assert "Nothing was trained" in file.read_text(encoding="utf-8")
    assert not list(file.parent.rglob("*.safetensors"))


def test_what_strangers_wrote_is_shown_as_it_is(own_results: Path) -> None:
    """Neither Markdown, HTML nor YAML of a record is taken for ours."""
    for file in own_results.glob("demo/*/glance/full/seed-*/run.json"):
        values = json.loads(file.read_text(encoding="utf-8"))
        evil = "x\n---\nlicense: mit\n---\n# <script>alert(1)</script> [a](javascript:b) `c`"
        values |= {"title": evil, "summary": evil, "paper": evil, "command": "```\n# evil"}
        file.write_text(json.dumps(values), encoding="utf-8")
    card = ModelCard(write_card(select_runs(own_results, "demo", ["glance"])))
    assert card.data.license == "other"
    assert "<script>" not in card.text
    assert " [a](" not in card.text
    assert card.text.count("```") == 2


def test_lost_weights_and_several_methods_are_refused(own_results: Path, tmp_path: Path) -> None:
    """Each with what to do; nothing is written."""
    out = tmp_path / "card"
    with pytest.raises(HarnessError, match="one method or variant"):
        write_model_card(select_runs(own_results, "demo"), out)
    shutil.rmtree(next(own_results.glob("demo/*/glance/full/seed-1/weights")))
    with pytest.raises(HarnessError, match="--force --keep selected"):
        write_model_card(select_runs(own_results, "demo", ["glance"]), out)
    assert not out.exists()


def test_stored_code_is_not_executed(tmp_path: Path) -> None:
    """Weights that are more than tensors are refused."""

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(HarnessError, match="cannot be read"):
        write_safetensors(tmp_path / "evil.pt", tmp_path / "out.safetensors")
    torch.save({"a": torch.zeros(1), "b": 3}, tmp_path / "odd.pt")
    with pytest.raises(HarnessError, match="holds more than tensors: b"):
        write_safetensors(tmp_path / "odd.pt", tmp_path / "out.safetensors")
    assert {file.name for file in tmp_path.iterdir()} == {"evil.pt", "odd.pt"}


def test_other_files_are_not_replaced(harness: Call, made_results: Path, tmp_path: Path) -> None:
    """A folder of a thesis stays; an earlier card of ours is replaced."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("x", encoding="utf-8")
    call = "export", "glance", "--format", "model-card", "--results", made_results, "--out", out
    assert "holds other files" in harness(*call).stderr
    assert [file.name for file in out.iterdir()] == ["thesis.tex"]
    (out / "thesis.tex").unlink()
    for _ in range(2):
        done = harness(*call)
        assert done.returncode == 0, done.stderr
    assert "hf upload ORG/NAME" in done.stderr
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("ref: refs/heads/main", encoding="utf-8")
    assert "holds other files (.git/HEAD)" in harness(*call).stderr
    (out / ".git" / "HEAD").unlink()
    (out / "README.md").write_text("# tbpr-bench, a checkout", encoding="utf-8")
    assert "holds other files (README.md)" in harness(*call).stderr
    assert (out / "README.md").read_text(encoding="utf-8") == "# tbpr-bench, a checkout"
