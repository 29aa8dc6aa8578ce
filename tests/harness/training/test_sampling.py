"""Batches by people, and steps on several batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.schema import Split, TrainView
from harness.errors import HarnessError
from harness.method import Batch, Method, Run, Stage, Supervision
from harness.training import Interrupted, Watchers, train
from harness.training.sampling import batches_of_epoch, count_batches

from .test_loop import CPU, Regression, recipe, view, weights

STAGE = Stage(epochs=2, learning_rate=0.1, batch_size=8, optimizer="sgd", betas=(0.0, 0.0))
BY_PEOPLE = replace(STAGE, images_per_person=2)


def uneven(supervision: Supervision = Supervision.IDENTITY) -> TrainView:
    """Return seven people with 1 to 7 images, two captions each."""
    people = np.repeat(np.arange(7), np.arange(1, 8))
    images = len(people)
    names = tuple(map(str, range(2 * images)))
    split = Split(
        "train", lambda row: b"", names[:images], names, np.repeat(np.arange(images), 2), people
    )
    return TrainView(split, lambda rows: torch.zeros(len(rows), 3, 4, 2), supervision, seed=0)


def epoch(stage: Stage, shown: TrainView, seed: int = 0) -> list[Tensor]:
    """Return the batches of an epoch."""
    return list(batches_of_epoch(np.random.default_rng(seed), shown, stage))


def test_a_batch_has_so_many_people_with_so_many_images_each() -> None:
    """Of a person with one image both captions, of others different images."""
    shown = uneven()
    assert shown.person_of_image is not None
    for batch in epoch(BY_PEOPLE, shown):
        images = shown.image_of_caption[batch]
        people = Counter(shown.person_of_image[images].tolist())
        assert [*people.values()] == [2] * 4
        assert len(batch.unique()) == len(batch)  # type: ignore[no-untyped-call]  # of torch
        of_one = Counter(images.tolist())
        assert all(count == 1 for count in of_one.values() if len(of_one) == len(batch))


def test_an_image_comes_again_when_each_has_come() -> None:
    """Of a person with fewer images than wanted all are there, and captions repeat last."""
    shown = uneven()
    assert shown.person_of_image is not None
    counts = np.bincount(shown.person_of_image.numpy())
    for batch in epoch(replace(STAGE, batch_size=10, images_per_person=5), shown):
        images = shown.image_of_caption[batch]
        for person in shown.person_of_image[images].unique().tolist():  # type: ignore[no-untyped-call]  # of torch
            mine = shown.person_of_image[images] == person
            assert mine.sum() == 5
            own = Counter(images[mine].tolist())
            assert len(own) == min(5, counts[person])
            assert max(own.values()) - min(own.values()) <= 1
            assert len({*batch[mine].tolist()}) == min(5, 2 * counts[person])


def test_people_are_visited_alike() -> None:
    """However many images they have; over epochs no caption is left out."""
    shown = uneven()
    assert shown.person_of_image is not None
    batches = [batch for seed in range(70) for batch in epoch(BY_PEOPLE, shown, seed)]
    rows = torch.cat(batches)
    visits = np.bincount(shown.person_of_image[shown.image_of_caption[rows]].numpy())
    assert visits.min() > 0.8 * visits.max()
    assert {*rows.tolist()} == {*range(len(shown.captions))}


def test_an_epoch_has_as_many_rows_as_there_are_captions() -> None:
    """Rounded up to whole batches; of few people all are in each batch."""
    shown = uneven()
    assert len(epoch(BY_PEOPLE, shown)) == count_batches(shown, BY_PEOPLE) == 7  # of 56 captions
    large = replace(BY_PEOPLE, batch_size=64)
    assert [len(batch) for batch in epoch(large, shown)] == [14] * 4


def test_batches_of_people_follow_from_the_seed() -> None:
    """The same seed gives the same batches, another one others."""
    one, same, other = (torch.cat(epoch(BY_PEOPLE, uneven(), seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_batches_of_people_need_people(tmp_path: Path) -> None:
    """A method that is shown none is refused."""
    method = Regression()
    with pytest.raises(HarnessError, match=r"images_per_person: .* shown none: declare identity"):
        train(method, view(), recipe(BY_PEOPLE), 0, CPU, tmp_path, Watchers())


class Mean(Method):
    """Learns by a mean over rows, without chance."""

    def __init__(self) -> None:
        super().__init__(Regression().config, None)  # type: ignore[arg-type]  # a summary is not needed
        self.layer = torch.nn.Linear(3, 1)
        self.seen: list[int] = []

    encode_images, encode_texts = Regression.encode_images, Regression.encode_texts

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        self.seen.append(run.step)
        return {"fit": (self.encode_images(batch.images / 40) - 1).square().mean()}


def trained(folder: Path, *stages: Stage, **watch: Any) -> Mean:
    """Train from fixed weights."""
    torch.manual_seed(0)
    method = Mean()
    train(method, view(), recipe(*stages), 0, CPU, folder, Watchers(**watch))
    return method


@pytest.mark.parametrize(
    ("whole", "size", "count"),
    [(40, 8, 5), (30, 10, 3), (30, 15, 2)],
    ids=["even", "fewer batches in the last step", "and a smaller one"],
)
def test_a_step_on_several_batches_is_that_on_their_rows(
    tmp_path: Path, whole: int, size: int, count: int
) -> None:
    """The mean over all rows, where batches and steps do not divide evenly too."""
    stage = replace(STAGE, warmup_epochs=1, clip_norm=0.5, weight_decay=0.1)
    trained(tmp_path / "one", replace(stage, batch_size=whole))
    trained(tmp_path / "several", replace(stage, batch_size=size, accumulate=count))
    one, several = weights(tmp_path / "one"), weights(tmp_path / "several")
    for name in one:
        torch.testing.assert_close(one[name], several[name])


def test_each_batch_of_a_step_has_a_number(tmp_path: Path) -> None:
    """So that what is drawn in it is its own."""
    assert trained(tmp_path, replace(STAGE, accumulate=3)).seen == [*range(10)]


def test_a_training_that_is_stopped_within_a_step_ends_with_the_same_bits(tmp_path: Path) -> None:
    """It stops behind the step: gradients are in no checkpoint."""
    stage = replace(STAGE, accumulate=2, optimizer="adam", betas=(0.9, 0.999))
    trained(tmp_path / "whole", stage)
    seen: list[Sequence[int]] = []
    for _ in range(6):
        torch.manual_seed(0)
        method = Mean()
        seen.append(method.seen)
        try:
            train(
                method, view(), recipe(stage), 0, CPU, tmp_path / "stopped",
                Watchers(asked_to_end=lambda: True),
            )  # fmt: skip
        except Interrupted:
            continue
    assert seen == [[0, 1], [2, 3], [4], [5, 6], [7, 8], [9]]
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(one[name], other[name]) for name in one)
