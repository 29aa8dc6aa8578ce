"""What a method says of its training pairs, against those that the harness broke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.metrics.detection import Flags, score_division

if TYPE_CHECKING:
    from harness.run.open_run import OpenRun


def judge_clean(opened: OpenRun, reported: Tensor) -> Mapping[str, float]:
    """Score which pairs a method takes for clean: (N,) bool, in its own order of captions.

    A pair is clean where its image shows the person that its caption was written of.
    """
    captions = torch.arange(len(reported))
    _, rows = opened.view.rows(opened.view.image_of_caption, captions)
    return score_division(reported.numpy(), _clean(opened)[rows])


def count_wrong(opened: OpenRun) -> int:
    """Return how many captions stand with an image of another person than they were written of."""
    return int((~_clean(opened)).sum())


def _clean(opened: OpenRun) -> Flags:
    """(N,) whether each pair is, in the dataset's order of captions."""
    written_of = opened.data.splits["train"].person_of_caption
    clean: Flags = written_of == opened.training.person_of_caption
    return clean
