"""Mean and deviation of a dataset's pixels, which some methods normalise by.

Shapes: B images, 3 x H x W pixels from 0 to 255.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from methods.blocks.dual_encoder import DEVIATION, MEAN

Colour = tuple[float, float, float]

# Mean and deviation from 0 to 1, by channel: of CLIP's pixels, and of datasets as
# https://github.com/Shuyu-XJTU/APTM/blob/main/dataset/__init__.py has them.
PIXELS: Mapping[str, tuple[Colour, Colour]] = {
    "clip": (MEAN, DEVIATION),
    "mals": ((0.4416847, 0.41812873, 0.4237452), (0.3088255, 0.29743394, 0.301009)),
    "cuhk-pedes": ((0.38901278, 0.3651612, 0.34836376), (0.24344306, 0.23738699, 0.23368555)),
    "icfg-pedes": ((0.30941582, 0.28956893, 0.30347288), (0.25849792, 0.24547698, 0.2366199)),
    "rstpreid": ((0.27722597, 0.26065794, 0.3036557), (0.2609547, 0.2508087, 0.25293276)),
}


def pixels_of(name: str) -> tuple[Colour, Colour]:
    """Return mean and deviation of a dataset's pixels.

    Raises:
        ValueError: they are not known; the message lists those that are.
    """
    if name not in PIXELS:
        raise ValueError(f"no mean of the pixels of {name!r}; there are: {sorted(PIXELS)}")
    return PIXELS[name]


def scaled(name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation from 0 to 255: (1, 3, 1, 1) each."""
    mean, deviation = (
        255 * torch.tensor(one, device=device).view(1, 3, 1, 1) for one in pixels_of(name)
    )
    return mean, deviation


def as_pixels_of(images: Tensor, name: str, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return images that an encoder's mean and deviation make what a dataset's own would make.

    (B, 3, H, W) -> (B, 3, H, W), beyond 0 and 255 too.
    """
    own = scaled(name, images.device)
    return (images - own[0]) / own[1] * deviation + mean
