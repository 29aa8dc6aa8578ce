"""Changes of a batch of images, each image by its own draws, from which some or all are taken.

Shapes: B images, 3 x H x W pixels, floats from 0 to 255 in and out. A change is called with the
images, a generator on the CPU and its settings, numbers.

They are those of torchvision by its defaults, for a whole batch at once
(https://docs.pytorch.org/vision/stable/transforms.html), but that the ratio of a crop is relative
to the image's: one of ratio 1 is as slender as the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.augment import Augmentation, erased, flipped
from methods.blocks.transfer import sent

ATTEMPTS = 10  # at a crop that lies within the image
CROP_RATIO = 4 / 3  # of width to height, and its inverse, beside the image's own
ERASED = 0.5  # probability
BLURRED_HEIGHT = 224  # of the images whose pixels the strength of a blur is counted in
Pool = Mapping[str, tuple[float, ...]]  # changes, each with its settings
# What Chen et al. do to a view of an image ("SimCLR", ICML 2020, https://arxiv.org/abs/2002.05709),
# with the strengths of MoCo v2 (https://github.com/facebookresearch/moco/blob/main/main_moco.py).
SIMCLR: Pool = {
    "crop": (0.2, 1.0), "jitter": (0.4, 0.1, 0.8), "grey": (0.2,), "blur": (0.1, 2.0, 0.5),
    "flip": (0.5,),
}  # fmt: skip


def changed(images: Tensor, pool: Pool, generator: torch.Generator, picked: int = 0) -> Tensor:
    """Return images changed by all of a pool, or by so many of it as are picked for each image.

    All are applied in the order of `CHANGES`, picked ones in that in which they are drawn, the
    same twice too: (B, 3, H, W) -> (B, 3, H, W).

    Raises:
        KeyError: the pool has a change that is not known; the message lists those that are.
    """
    if unknown := pool.keys() - CHANGES.keys():
        raise KeyError(f"no change of images {sorted(unknown)}; there are: {sorted(CHANGES)}")
    names = [name for name in CHANGES if name in pool]
    turns = torch.arange(len(names)).repeat(len(images), 1)  # (B, turns)
    if picked and names:
        turns = torch.randint(len(names), (len(images), picked), generator=generator)
    changes = [partial(_called, CHANGES[name], generator, pool[name]) for name in names]
    for turn in turns.T:
        images = _each_by_its_own(images, turn, changes)
    return images


def _called(
    change: Callable[..., Tensor],
    generator: torch.Generator,
    settings: Sequence[float],
    images: Tensor,
    chosen: Tensor,
) -> Tensor:
    return change(images, generator, *settings)


def _each_by_its_own(
    images: Tensor, numbers: Tensor, changes: Sequence[Callable[[Tensor, Tensor], Tensor]]
) -> Tensor:
    """Change each image by the one of its number, (B,) on the CPU.

    A change is called with its images and which they are, (B,) bool.
    """
    found = torch.empty_like(images)
    for number, change in enumerate(changes):
        chosen = numbers == number
        if chosen.all():
            return change(images, chosen)
        if chosen.any():
            rows = sent(chosen.nonzero()[:, 0], images.device)
            found[rows] = change(images[rows], chosen)
    return found


def _on(images: Tensor, chosen: Tensor, change: Callable[..., Tensor], *settings: Any) -> Tensor:
    """Change the images that are chosen, (B,) bool on the CPU."""
    changes = (lambda images, chosen: images), (lambda images, chosen: change(images, *settings))
    return _each_by_its_own(images, chosen.long(), changes)


def crop(images: Tensor, generator: torch.Generator, least: float, most: float = 1.0) -> Tensor:
    """Enlarge a rectangle of a share of the image, from `least` to `most`, to the whole."""
    height, width = images.shape[2:]
    draws = torch.rand(len(images), ATTEMPTS, 4, generator=generator, dtype=torch.float64)
    area = least + (most - least) * draws[..., 0]  # (B, attempts)
    slope = CROP_RATIO ** (2 * draws[..., 1] - 1)
    tall, wide = (height * (area / slope).sqrt()).round(), (width * (area * slope).sqrt()).round()
    fits = (tall >= 1) & (tall <= height) & (wide >= 1) & (wide <= width)
    first = fits.int().argmax(dim=1, keepdim=True)  # (B, 1)
    tall, wide = tall.gather(1, first), wide.gather(1, first)
    top = (draws[..., 2].gather(1, first) * (height - tall + 1)).floor()
    left = (draws[..., 3].gather(1, first) * (width - wide + 1)).floor()
    none = ~fits.any(dim=1, keepdim=True)  # the whole image, then
    tall, wide = tall.masked_fill(none, height), wide.masked_fill(none, width)
    y = _places(top.masked_fill(none, 0), tall, height)  # (B, H)
    x = _places(left.masked_fill(none, 0), wide, width)  # (B, W)
    grid = torch.stack(
        [x[:, None].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1
    ).to(images.dtype)  # (B, H, W, 2)
    return F.grid_sample(
        images, sent(grid, images.device), padding_mode="border", align_corners=False
    )


def _places(start: Tensor, size: Tensor, whole: int) -> Tensor:
    """Return where the pixels of an edge are sampled, from -1 to 1: (B, 1), (B, 1) -> (B, whole).

    Nothing is sampled from beyond the rectangle.
    """
    middle = (torch.arange(whole) + 0.5) * size / whole - 0.5  # (B, whole)
    inside = middle.clamp_min(0).minimum(size - 1) + start
    return (2 * inside + 1) / whole - 1


def erase(images: Tensor, generator: torch.Generator, least: float, most: float) -> Tensor:
    """Blacken a rectangle of a share of the image, from `least` to `most`, in every other one."""
    settings = Augmentation(erase=ERASED, erase_area=(least, most))
    return erased(images, settings, torch.zeros(1, 3, 1, 1), generator)


def grey(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """Take the colours away with a probability."""
    return _on(images, _chance(images, generator, probability), _without_colour)


def _without_colour(images: Tensor) -> Tensor:
    return _lightness(images).expand_as(images)


def flip(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """Mirror left to right with a probability."""
    return flipped(images, probability, generator)


def turn_over(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """Mirror top to bottom with a probability."""
    return _on(images, _chance(images, generator, probability), lambda x: x.flip(-2))


def rotate(images: Tensor, generator: torch.Generator, most: float) -> Tensor:
    """Rotate by up to so many degrees about the centre; what comes into view is black."""
    height, width = images.shape[2:]
    angles = math.radians(most) * (2 * torch.rand(len(images), generator=generator) - 1)  # (B,)
    cosines, sines, zeros = angles.cos(), angles.sin(), torch.zeros(len(images))
    rows = (
        torch.stack([cosines, -sines * height / width, zeros], dim=1),
        torch.stack([sines * width / height, cosines, zeros], dim=1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1), [*images.shape], align_corners=False)
    grid = sent(grid.to(images.dtype), images.device)  # (B, H, W, 2)
    return F.grid_sample(images, grid, mode="nearest", align_corners=False)


def blur(
    images: Tensor,
    generator: torch.Generator,
    least: float,
    most: float,
    probability: float = 1.0,
    taps: float = 0,
) -> Tensor:
    """Blur by a normal distribution with a deviation from `least` to `most`, with a probability.

    Deviations are in pixels of an image 224 high. As many pixels are averaged along an edge as
    there are taps, an odd number; 0: up to three times the largest deviation on each side.
    """
    unit = images.shape[2] / BLURRED_HEIGHT
    deviations = unit * (least + (most - least) * torch.rand(len(images), generator=generator))
    radius = int(taps) // 2 or math.ceil(3 * most * unit)
    chosen = _chance(images, generator, probability)
    return _on(images, chosen, _blurred, deviations[chosen], radius)


def _blurred(images: Tensor, deviations: Tensor, radius: int) -> Tensor:
    """Blur images by a deviation each: (B, 3, H, W), (B,) -> (B, 3, H, W)."""
    count, channels, height, width = images.shape
    distances = torch.arange(-radius, radius + 1)
    weights = (-0.5 * (distances / deviations[:, None]).square()).softmax(dim=1)  # (B, taps)
    weights = sent(weights.to(images.dtype), images.device).repeat_interleave(channels, dim=0)
    images = F.pad(images, (radius,) * 4, mode="reflect")
    images = images.reshape(1, count * channels, *images.shape[2:])
    for shape in ((-1, 1, 2 * radius + 1, 1), (-1, 1, 1, 2 * radius + 1)):
        images = F.conv2d(images, weights.view(shape), groups=count * channels)
    return images.view(count, channels, height, width)


def jitter(
    images: Tensor,
    generator: torch.Generator,
    strength: float,
    hue: float = 0.0,
    probability: float = 1.0,
) -> Tensor:
    """Change brightness, contrast, saturation and hue, in an order that is drawn.

    The first three are multiplied by 1 - strength to 1 + strength; the hue moves by up to `hue`
    of a turn.
    """
    reach = torch.tensor([strength, strength, strength, hue])
    moves = reach * (2 * torch.rand(len(images), 4, generator=generator) - 1)  # (B, 4)
    order = torch.rand(len(images), 4, generator=generator).argsort(dim=1)  # (B, 4)
    chosen = _chance(images, generator, probability)
    return _on(images, chosen, _jittered, moves[chosen], order[chosen])


def _jittered(images: Tensor, moves: Tensor, order: Tensor) -> Tensor:
    """Move four kinds of colour by what is given, in the order that is: each (B, 4)."""

    def moved(kind: int, images: Tensor, chosen: Tensor) -> Tensor:
        by = moves[chosen, kind]
        return KINDS[kind](images, _by_image(by, images)) if by.any() else images

    changes = [partial(moved, kind) for kind in range(len(KINDS))]
    for turn in order.T:
        images = _each_by_its_own(images, turn, changes)
    return images


def _brighter(images: Tensor, by: Tensor) -> Tensor:
    return (images * (1 + by)).clamp(0, 255)


def _contrasted(images: Tensor, by: Tensor) -> Tensor:
    return _away_from(_lightness(images).mean(dim=(1, 2, 3), keepdim=True), images, by)


def _saturated(images: Tensor, by: Tensor) -> Tensor:
    return _away_from(_lightness(images), images, by)


def _away_from(other: Tensor, images: Tensor, by: Tensor) -> Tensor:
    return (images + by * (images - other)).clamp(0, 255)


def _of_other_hue(images: Tensor, by: Tensor) -> Tensor:
    """Move the hue by a share of a turn: (B, 3, H, W), (B, 1, 1, 1)."""
    value = images.amax(dim=1, keepdim=True)  # (B, 1, H, W)
    chroma = value - images.amin(dim=1, keepdim=True)
    red, green, blue = images.chunk(3, dim=1)
    divisor = chroma.clamp_min(1e-6)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )  # of six
    start = torch.tensor([5.0, 3.0, 1.0]).to(images).view(1, 3, 1, 1)
    place = (start + sector + 6 * by) % 6  # (B, 3, H, W)
    return value - chroma * torch.minimum(place, 4 - place).clamp(0, 1)


KINDS = _brighter, _contrasted, _saturated, _of_other_hue


def _lightness(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    weights = torch.tensor([0.2989, 0.587, 0.114]).to(images).view(1, 3, 1, 1)
    return (weights * images).sum(dim=1, keepdim=True)


def _by_image(values: Tensor, images: Tensor) -> Tensor:
    return sent(values.to(images.dtype), images.device).view(-1, 1, 1, 1)


def _chance(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    return torch.rand(len(images), generator=generator) < probability  # (B,)


def _by_torchvision(name: str) -> Callable[..., Tensor]:
    """Return a policy of torchvision with its defaults, applied to one image after the other."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        from torchvision.transforms import v2

        policy = getattr(v2, name)()
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = [policy(image) for image in images.round().to(torch.uint8)]
        return torch.stack(found).to(images.dtype)

    return change


CHANGES: Mapping[str, Callable[..., Tensor]] = {
    "crop": crop,
    "jitter": jitter,
    "grey": grey,
    "blur": blur,
    "rotate": rotate,
    "flip": flip,
    "turn_over": turn_over,
    "erase": erase,
    "auto": _by_torchvision("AutoAugment"),
    "rand": _by_torchvision("RandAugment"),
    "trivial": _by_torchvision("TrivialAugmentWide"),
}
