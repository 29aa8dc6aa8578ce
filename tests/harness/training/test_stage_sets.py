"""A stage that trains on another set than the run's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.schema import Split, StageSet, TrainView
from harness.method import Batch, Run, Stage, Supervision, TrainSet
from harness.progress import Progress
from harness.training import TrainingResult, Watchers, train

from .test_loop import COUNT, CPU, Regression, recipe, view, weights

OTHERS = 12  # images of the other set, a caption each
STAGES = recipe(
    Stage(epochs=2, learning_rate=0.01, batch_size=5, data="others"),
    Stage(epochs=1, learning_rate=0.01, batch_size=10),
)


class Noting(Regression):
    """Notes what it is handed in each epoch, and reports pairs."""

    def __init__(self, supervision: Supervision = Supervision.PAIRS) -> None:
        super().__init__(supervision)
        self.prepared: list[int] = []
        self.measured: list[int] = []
        self.steps_told: list[int] = []

    def prepare(self, train: TrainSet, run: Run) -> None:
        self.prepared.append(len(train.captions))
        assert run.train is train

    def begin_epoch(self, run: Run) -> None:
        self.measured.append(len(run.measure(lambda batch: batch.caption_index)))
        assert len(run.train.captions) == self.measured[-1]
        self.steps_told.append(run.steps_per_epoch)
        every = torch.arange(len(run.train.captions))
        run.report_pairs("own", run.train.image_of_caption[every], every)


def other_split() -> Split:
    """Return 12 images of two people, a caption each."""
    rows = np.arange(OTHERS)
    names = tuple(f"other {row}" for row in rows)
    return Split("train", lambda row: b"", names, names, rows, 100 + rows // 6)


def stage_set(supervision: Supervision = Supervision.PAIRS) -> StageSet:
    """Return them as a set to train on: all white."""
    pixels = torch.full((OTHERS, 3, 4, 2), 255, dtype=torch.uint8)
    split = other_split()
    return StageSet.of(TrainView(split, lambda rows: pixels[rows], supervision, 0), split)


def run(folder: Path, method: Noting, **watch: Any) -> TrainingResult:
    """Train its first stage on the other set, its second on its own."""
    supervision = method.config.supervision
    sets = {0: stage_set(supervision)}
    watchers = Watchers(**watch)
    return train(method, view(supervision), STAGES, 0, CPU, folder, watchers, (), sets)


def noting(supervision: Supervision = Supervision.PAIRS) -> Noting:
    """Return the method with fixed weights."""
    torch.manual_seed(0)
    return Noting(supervision)


def test_a_stage_sees_its_own_set_and_later_ones_that_of_the_run(tmp_path: Path) -> None:
    """Batches, captions, passes and steps are those of the stage's set; prepare sees the run's."""
    method = noting()
    trained = run(tmp_path, method)
    assert method.prepared == [COUNT]
    assert method.measured == [OTHERS, OTHERS, COUNT]
    assert method.steps_told == [3, 3, 4]
    first, last = method.batches[:6], method.batches[6:]
    assert {text for batch in first for text in batch.captions} == {*other_split().captions}
    assert all((batch.images == 255).all() for batch in first)
    assert sorted(int(text) for batch in last for text in batch.captions) == [*range(COUNT)]
    assert trained.images_per_second == pytest.approx(
        (2 * OTHERS + COUNT) / sum(row["seconds"] for row in trained.history)
    )


def test_reported_pairs_are_judged_by_the_people_of_the_set(tmp_path: Path) -> None:
    """Those of the stage's set by its own labels, those of the run's by the run's."""
    asked: list[int] = []

    def judge(images: Tensor, captions: Tensor) -> int:
        asked.append(len(images))
        return 0

    trained = run(tmp_path, noting(), judge_pairs=judge)
    assert [row["pairs/own/right"] for row in trained.history] == [1.0, 1.0, 0.0]
    assert asked == [COUNT]


def test_prepare_reports_nothing_for_a_stage_on_another_set(tmp_path: Path) -> None:
    """It numbers pairs of the run's own set: they would be judged by other people."""

    class Early(Noting):
        def prepare(self, train: TrainSet, run: Run) -> None:
            run.report_pairs("own", torch.arange(2), torch.arange(2))

    torch.manual_seed(0)
    with pytest.raises(ValueError, match="report in begin_epoch"):
        run(tmp_path, Early())


def test_people_of_the_set_are_numbered_apart(tmp_path: Path) -> None:
    """From 0, and for those alone who may know people."""
    method = noting(Supervision.IDENTITY)
    run(tmp_path, method)
    people = [
        {*batch.person_ids.tolist()} for batch in method.batches if batch.person_ids is not None
    ]
    assert set.union(*people[:6]) == {0, 1}
    assert set.union(*people[6:]) == {*range(10)}


@pytest.mark.parametrize("after", [2, 5, 8])
def test_a_run_that_is_killed_ends_with_the_same_bits(tmp_path: Path, after: int) -> None:
    """In the stage on the other set, and behind it."""

    class Killed(BaseException):
        """Stands for kill -9: nothing handles it."""

    steps: list[Progress] = []

    def die(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) > after:
            raise Killed

    run(tmp_path / "whole", noting())
    with pytest.raises(Killed):
        run(tmp_path / "killed", noting(), report=die)
    run(tmp_path / "killed", noting())
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_progress_counts_the_steps_of_the_stage(tmp_path: Path) -> None:
    """And expects of the stages to come as many rows as they have."""
    told: list[Progress] = []
    run(tmp_path, noting(), report=told.append)
    assert [one.steps for one in told] == [3] * 6 + [4] * 4
    assert told[-1].seconds_left == 0
    assert all(one.seconds_left > 0 for one in told[:-1] if one.seconds_left is not None)


def test_batches_can_be_drawn_by_people_of_the_set(tmp_path: Path) -> None:
    """A stage that draws by people draws them from its own set."""
    by_people = recipe(
        Stage(epochs=1, learning_rate=0.01, batch_size=4, images_per_person=2, data="others")
    )
    method = noting(Supervision.IDENTITY)
    sets = {0: stage_set(Supervision.IDENTITY)}
    train(method, view(Supervision.IDENTITY), by_people, 0, CPU, tmp_path, Watchers(), (), sets)
    batch: Batch = method.batches[0]
    assert batch.person_ids is not None
    assert torch.bincount(batch.person_ids).tolist() == [2, 2]
