"""Augmentation of a batch of images, (B, 3, H, W) uint8 in and out, drawn from a generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.dual_encoder import MEAN


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images; the values are IRRA's, in pixels of 384 x 128."""

    flip: float = 0.5  # probability
    pad: int = 10  # pixels of black around the image before it is cropped back
    erase: float = 0.5  # probability
    erase_area: tuple[float, float] = (0.02, 0.4)  # share of the image
    erase_ratio: tuple[float, float] = (0.3, 3.3)  # height / width


def augment(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Flip, crop out of a padded image, erase a rectangle: each image by its own draws."""
    images = flipped(images, settings.flip, generator)
    images = cropped(images, settings.pad * images.shape[2] // 384, generator)
    return erased(images, settings, generator)


def flipped(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Mirror images left to right."""
    chosen = torch.rand(len(images), generator=generator).to(images.device) < probability
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


def erased(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Fill one rectangle of an image with CLIP's mean colour.

    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020. https://arxiv.org/abs/1708.04896
    """
    # NOTE: IRRA erases after normalising, with the mean in normalised units; here the rectangle
    # is the mean colour itself.
    height, width = images.shape[2:]
    draws = torch.rand(len(images), 5, generator=generator).tolist()  # (B, 5)
    colour = torch.tensor(MEAN, device=images.device).mul(255).round().to(torch.uint8)
    images = images.clone()
    for image, (chance, area, ratio, top, left) in zip(images, draws, strict=True):
        if chance >= settings.erase:
            continue
        pixels = height * width * _between(settings.erase_area, area)
        slope = math.exp(_between(tuple(map(math.log, settings.erase_ratio)), ratio))
        tall = min(height, round(math.sqrt(pixels * slope)))
        wide = min(width, round(math.sqrt(pixels / slope)))
        y, x = int(top * (height - tall + 1)), int(left * (width - wide + 1))
        image[:, y : y + tall, x : x + wide] = colour[:, None, None]
    return images  # (B, 3, H, W)


def _between(limits: tuple[float, ...], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])
