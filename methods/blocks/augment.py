"""Augmentation of a batch of images, (B, 3, H, W) uint8 in and out, drawn from a generator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.transfer import sent

ATTEMPTS = 10  # at a rectangle that is smaller than the image, as torchvision makes them


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images; the values are IRRA's, in pixels of 384 x 128."""

    flip: float = 0.5  # probability
    pad: int = 10  # pixels of black around the image before it is cropped back
    erase: float = 0.5  # probability
    erase_area: tuple[float, float] = (0.02, 0.4)  # share of the image
    erase_ratio: tuple[float, float] = (0.3, 3.3)  # height / width


def augment(
    images: Tensor, settings: Augmentation, mean: Tensor, generator: torch.Generator
) -> Tensor:
    """Flip, crop out of a padded image, erase a rectangle: each image by its own draws.

    `mean` (1, 3, 1, 1) is the colour, from 0 to 255, that the encoder takes from its pixels: to it
    what is erased is nothing.
    """
    images = flipped(images, settings.flip, generator)
    images = cropped(images, settings.pad * images.shape[2] // 384, generator)
    return erased(images, settings, mean, generator)


def flipped(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Mirror images left to right."""
    chosen = sent(torch.rand(len(images), generator=generator), images.device) < probability
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)  # (B, 3, H, W)


def cropped(images: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """Shift images by up to `pad` pixels, black at the edges."""
    height, width = images.shape[2:]
    offsets = torch.randint(0, 2 * pad + 1, (len(images), 2), generator=generator).tolist()
    padded = F.pad(images, (pad, pad, pad, pad))  # (B, 3, H + 2 pad, W + 2 pad)
    windows = [
        image[:, top : top + height, left : left + width]
        for image, (top, left) in zip(padded, offsets, strict=True)
    ]
    return torch.stack(windows)  # (B, 3, H, W)


def erased(
    images: Tensor, settings: Augmentation, mean: Tensor, generator: torch.Generator
) -> Tensor:
    """Fill one rectangle of an image with the mean colour, (1, 3, 1, 1) from 0 to 255.

    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020. https://arxiv.org/abs/1708.04896
    """
    # NOTE: IRRA erases after normalising, with the mean in normalised units; here the rectangle
    # is the mean colour itself.
    height, width = images.shape[2:]
    # A row of draws an image, whether it needs them or not: none depends on the others' luck.
    draws = torch.rand(len(images), 1 + 4 * ATTEMPTS, generator=generator)  # (B, 41)
    chances, rectangles = draws[:, 0].tolist(), draws[:, 1:].view(-1, ATTEMPTS, 4).tolist()
    colour = mean[0].to(images.device).round().to(torch.uint8)  # (3, 1, 1)
    images = images.clone()
    for image, chance, attempts in zip(images, chances, rectangles, strict=True):
        found = rectangle(height, width, settings, attempts) if chance < settings.erase else None
        if found is not None:
            image[:, found[0], found[1]] = colour
    return images  # (B, 3, H, W)


def rectangle(
    height: int, width: int, settings: Augmentation, attempts: Iterable[Sequence[float]]
) -> tuple[slice, slice] | None:
    """Return the rows and columns of the first rectangle that is smaller than the image, or None.

    Each attempt is four numbers from [0, 1): for the area, the ratio, the top and the left. One
    that reaches from edge to edge is drawn anew, not cut to a band: torchvision's RandomErasing.
    """
    for area, ratio, top, left in attempts:
        pixels = height * width * _between(settings.erase_area, area)
        slope = math.exp(_between(tuple(map(math.log, settings.erase_ratio)), ratio))
        tall, wide = round(math.sqrt(pixels * slope)), round(math.sqrt(pixels / slope))
        if tall < height and wide < width:
            y, x = int(top * (height - tall + 1)), int(left * (width - wide + 1))
            return slice(y, y + tall), slice(x, x + wide)
    return None


def _between(limits: tuple[float, ...], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])
