"""Where a method looks for the words of a few test captions, kept for its page.

Each caption is shown with the image that it was written for: what is drawn explains a method, it
measures nothing. `highlights.json` tells captions and images by row, so that it holds no text and
no picture that a dataset's licence keeps back.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.errors import describe_error
from harness.files import write_json
from harness.method import Highlight, Method

EXAMPLES = 6
DIGITS = 3

_log = logging.getLogger(__name__)


def write_highlights(
    file: Path, method: Method, split: Split, pixels: Pixels, device: torch.device
) -> None:
    """Write what a method highlights for captions spread over a split; nothing where it does not.

    An error is written in its place: a drawing that fails is no reason to lose a run.
    """
    found: dict[str, Any]
    try:
        found = _examples(method, split, pixels, device)
    except Exception as error:
        _log.exception("no highlights")
        found = {"error": describe_error(error)}
    if found:
        write_json(file, found)


def _examples(method: Method, split: Split, pixels: Pixels, device: torch.device) -> dict[str, Any]:
    count = min(EXAMPLES, len(split.captions))
    rows = (2 * np.arange(count) + 1) * len(split.captions) // (2 * count)
    images = split.image_of_caption[rows]
    captions = [split.captions[row] for row in rows]
    method.to(device).eval()
    found = method.highlight(pixels(images).to(device), captions)
    if len(found) != count:
        raise ValueError(f"highlight must return {count} lists for {count} captions")
    examples = [
        {
            "caption": int(row),
            "image": int(image),
            "highlights": [_plain(one, caption) for one in highlights],
        }
        for row, image, caption, highlights in zip(rows, images, captions, found, strict=True)
    ]
    return {"examples": examples} if any(found) else {}


def _plain(highlight: Highlight, caption: str) -> dict[str, Any]:
    if not 0 <= highlight.start < highlight.stop <= len(caption):
        raise ValueError(
            f"a highlight has to lie in the caption's {len(caption)} characters, got "
            f"{highlight.start} to {highlight.stop}"
        )
    similarity = highlight.similarity
    if similarity is not None and not -1.0001 <= similarity <= 1.0001:  # beside rounding
        raise ValueError(f"a similarity has to be a cosine, got {similarity}")
    return {
        "start": highlight.start,
        "stop": highlight.stop,
        "maps": {title: _scaled(weights, title) for title, weights in highlight.maps.items()},
        "similarity": None if similarity is None else round(similarity, DIGITS),
    }


def _scaled(weights: Tensor, title: str) -> list[list[float]]:
    """Scale a map so that its largest weight is 1; zeros stay."""
    weights = weights.detach().double().cpu()
    if weights.ndim != 2 or not torch.isfinite(weights).all() or (weights < 0).any():
        shape = tuple(weights.shape)
        raise ValueError(f"map {title!r} has to be rows x columns of weights >= 0, got {shape}")
    scaled = weights / weights.max().clamp_min(torch.finfo(weights.dtype).tiny)
    return [[round(value, DIGITS) for value in row] for row in scaled.tolist()]
