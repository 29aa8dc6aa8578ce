"""What a method says of its training pairs, against those that the harness broke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.metrics.detection import score_division

if TYPE_CHECKING:
    from harness.run.open_run import OpenRun


def judge_clean(opened: OpenRun, reported: Tensor) -> Mapping[str, float]:
    """Score which pairs a method takes for clean: (N,) bool, in its own order of captions.

    A pair is clean where its image shows the person that its caption was written of.
    """
    captions = torch.arange(len(reported))
    _, rows = opened.view.rows(opened.view.image_of_caption, captions)
    written_of = opened.data.splits["train"].person_of_caption[rows]
    shown = opened.training.person_of_caption[rows]
    return score_division(reported.numpy(), written_of == shown)
