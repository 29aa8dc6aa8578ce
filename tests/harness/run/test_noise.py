"""Runs with wrong pairs: what the method is shown, what is recorded, and where they lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.cli.compare import under_noise
from harness.cli.display.running import show_ranking
from harness.cli.planning import plan_runs
from harness.data.breaking import break_pairs
from harness.data.declaration import Located
from harness.data.loading import load_split
from harness.data.noise import Noise
from harness.data.schema import Split, TrainView
from harness.errors import HarnessError
from harness.files import read_table
from harness.method import Supervision
from harness.plan.spec import RunSpec
from harness.registry import list_methods
from harness.results import HISTORY, SELECTED, WEIGHTS, RunRecord
from harness.results.comparison import compare_methods
from harness.run.execute import execute
from harness.run.options import Options

RATE = 0.4
REPORTING = """
    def begin_epoch(self, run):
        run.report_clean(torch.arange(len(run.train.captions)) % 3 > 0)
"""

Plan = Callable[..., RunSpec]
Rows = list[dict[str, Any]]


@pytest.fixture
def plan_toy(small_dolls: Path, toy: Path, toy_source: str) -> Plan:
    """Plan the one run of a method that takes two of three pairs for clean."""
    toy.write_text(f"{toy_source}{REPORTING}", encoding="utf-8")

    def call(*noise: str, name: str = "toy") -> RunSpec:
        listings, data = list_methods([toy]), [str(small_dolls)]
        [spec] = plan_runs([name], listings, "demo", data, "0", plugins=[toy], noises=noise)
        return spec

    return call


def run(spec: RunSpec, folder: Path) -> tuple[RunRecord, Rows, dict[str, Any]]:
    """Execute a run in this process; return its record, its history and its weights."""
    record = execute(spec, Options(folder, "cpu"), lambda update: None)
    assert record.status == "ok", record.error
    path = spec.path(folder)
    weights = torch.load(path / WEIGHTS / SELECTED, weights_only=True)
    return record, read_table(path / HISTORY), weights


def untold(history: Rows) -> Rows:
    """Return a history without times and without what only noise tells."""
    known = ("seconds", "clean/precision", "clean/recall", "noisy/precision", "noisy/recall")
    return [{k: v for k, v in row.items() if k not in known} for row in history]


def test_what_is_called_clean_is_scored_against_what_was_broken(
    plan_toy: Plan, tmp_path: Path
) -> None:
    """Precision and recall by epoch are those of a loop over the pairs; the record tells of it."""
    spec = plan_toy(str(RATE))
    record, history, _ = run(spec, tmp_path)
    wrong = round(RATE * len(load_split(spec.located, "train").captions))
    assert record.noise == {"rate": RATE, "wrong": wrong}
    assert record.variant == "full (noise 0.4)"
    assert record.command.endswith(" --noise 0.4")
    right = load_split(spec.located, "train")
    broken = break_pairs(right, Noise(RATE), 0)
    view = TrainView(broken, lambda rows: torch.empty(0), Supervision.PAIRS, 0)
    counts = np.zeros((2, 2), dtype=int)  # called clean, is clean
    for caption in range(len(view.captions)):
        row = right.captions.index(view.captions[caption])
        image, _ = view.rows(view.image_of_caption[[caption]], torch.tensor([caption]))
        same = right.person_of_image[image[0]] == right.person_of_caption[row]
        counts[int(caption % 3 > 0), int(same)] += 1
    assert len(set(right.captions)) == len(right.captions)
    assert counts[:, 0].sum() == round(RATE * len(right.captions))
    for epoch in history:
        assert epoch["clean/count"] == counts[1].sum()
        assert epoch["clean/precision"] == pytest.approx(counts[1, 1] / counts[1].sum())
        assert epoch["clean/recall"] == pytest.approx(counts[1, 1] / counts[:, 1].sum())
        assert epoch["noisy/precision"] == pytest.approx(counts[0, 0] / counts[0].sum())
        assert epoch["noisy/recall"] == pytest.approx(counts[0, 0] / counts[:, 0].sum())


def test_a_method_cannot_tell_which_pairs_are_wrong(
    plan_toy: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the bits that it has where the same pairs are all there ever was."""
    noisy, with_noise, weights = run(plan_toy(str(RATE)), tmp_path / "noisy")

    def load(located: Located, name: str) -> Split:
        split = load_split(located, name)
        return break_pairs(split, Noise(RATE), 0) if name == "train" else split

    monkeypatch.setattr("harness.run.open_run.load_split", load)
    plain, without, same = run(plan_toy(), tmp_path / "plain")
    assert plain.metrics == noisy.metrics
    assert untold(with_noise) == untold(without)
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert "clean/precision" not in without[0]


def test_noise_changes_what_is_learned_and_nothing_beside_it(
    plan_toy: Plan, tmp_path: Path
) -> None:
    """Two runs, two folders: the second is no reason to repeat the first."""
    plain, noisy = plan_toy(), plan_toy(str(RATE))
    record, _, weights = run(plain, tmp_path)
    _, _, others = run(noisy, tmp_path)
    assert record.noise == {}
    assert not all(torch.equal(weights[name], others[name]) for name in weights)
    assert plain.is_complete(tmp_path)
    assert noisy.is_complete(tmp_path)


def test_each_noise_has_a_table_and_is_compared_by_itself(
    plan_toy: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was trained with it is ranked among its like, and found by the names without it."""
    noise = str(RATE)
    specs = [plan_toy(), plan_toy(noise), plan_toy(noise, name="toy:narrow")]
    for spec in specs:
        run(spec, tmp_path)
    show_ranking(tmp_path, specs)
    without, with_noise = capsys.readouterr().out.split("trained with noise 0.4")
    assert "noise" not in without
    assert without.count("toy") == 1
    assert with_noise.count("toy:") == 2
    names = [under_noise(name, noise) for name in ("toy", "toy:narrow")]
    [compared] = compare_methods(tmp_path, "demo", names, "r1")
    assert list(compared.family.means) == ["toy:full (noise 0.4)", "toy:narrow (noise 0.4)"]
    assert under_noise("toy", "0") == "toy"


def test_an_index_file_of_another_training_set_is_refused_before_a_run(
    plan_toy: Plan, tmp_path: Path
) -> None:
    """By both counts."""
    file = tmp_path / "index.npy"
    np.save(file, np.arange(12)[::-1])
    with pytest.raises(HarnessError, match=r"made for 12 training captions; dataset .* has \d+"):
        plan_toy(str(file))
