"""Changes of images at a fixed strength, drawn as in RandAugment, that leave a person whole.

Cubuk et al., "RandAugment", CVPRW 2020 (https://arxiv.org/abs/1909.13719), with the list and the
strengths of ALBEF (https://github.com/salesforce/ALBEF) and of the code that followed it.

Shapes: B images, 3 x H x W pixels, uint8 in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from methods.blocks.transfer import sent

STRENGTH = 7  # of ten
ENHANCED = 0.1 + 1.8 * STRENGTH / 10  # factor of brightness and sharpness; 1 is the image itself
SHEARED = 0.3 * STRENGTH / 10  # pixels to the side for each one down, or the other way round
MOVED = STRENGTH  # pixels of an image that is 384 high
TURNED = 30 * STRENGTH / 10  # degrees
GREY = 128  # what comes into view
APPLIED = 0.5  # probability of a change that was drawn


def random_changes(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return images changed by so many of `CHANGES`, each drawn for itself, half of them left out.

    What has a direction goes either way.
    """
    for _ in range(count):
        kind = torch.randint(len(CHANGES), (len(images),), generator=generator)  # (B,)
        chance, way = torch.rand(2, len(images), generator=generator)  # (B,) each
        kind = torch.where(chance < APPLIED, kind, -1)
        images = _changed(images, kind, torch.where(way < 0.5, -1, 1))
    return images


def _changed(images: Tensor, kind: Tensor, way: Tensor) -> Tensor:
    """Change each image by the one of its number, or not where that is -1: (B,) on the CPU each."""
    found = images.clone()
    for number, change in enumerate(CHANGES.values()):
        for sign in (-1, 1):
            chosen = ((kind == number) & (way == sign)).nonzero()[:, 0]
            if len(chosen):
                rows = sent(chosen, images.device)
                found[rows] = change(images[rows], sign)
    return found


def _by_torchvision(name: str, **settings: Any) -> Callable[[Tensor, int], Tensor]:
    def change(images: Tensor, way: int) -> Tensor:
        from torchvision.transforms.v2 import functional

        found: Tensor = getattr(functional, name)(images, **settings)
        return found

    return change


def _moved(
    images: Tensor,
    way: int,
    *,
    shear: tuple[float, float] = (0.0, 0.0),
    move: tuple[float, float] = (0.0, 0.0),
    turn: float = 0.0,
) -> Tensor:
    """Shear, move and turn images, (right, down) each, the other way where that is -1."""
    from torchvision.transforms.v2 import InterpolationMode, functional

    unit = images.shape[2] / 384
    degrees = [torch.tensor(way * one).atan().rad2deg().item() for one in shear]
    found: Tensor = functional.affine(
        images,
        angle=way * turn,
        translate=[way * unit * one for one in move],
        scale=1.0,
        shear=degrees,
        interpolation=InterpolationMode.BILINEAR,
        fill=GREY,
    )
    return found


CHANGES: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "nothing": lambda images, way: images,
    "autocontrast": _by_torchvision("autocontrast"),
    "equalize": _by_torchvision("equalize"),
    "brightness": _by_torchvision("adjust_brightness", brightness_factor=ENHANCED),
    "sharpness": _by_torchvision("adjust_sharpness", sharpness_factor=ENHANCED),
    "shear x": partial(_moved, shear=(SHEARED, 0.0)),
    "shear y": partial(_moved, shear=(0.0, SHEARED)),
    "translate x": partial(_moved, move=(MOVED, 0.0)),
    "translate y": partial(_moved, move=(0.0, MOVED)),
    "rotate": partial(_moved, turn=TURNED),
}
