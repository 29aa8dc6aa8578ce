import math

import pytest
import torch

from methods.blocks.augment import Augmentation, augment, cropped, erased, flipped, rectangle

MEAN = torch.tensor([10.2, 200.0, 30.6]).view(1, 3, 1, 1)  # of no encoder
COLOUR = torch.tensor([10, 200, 31], dtype=torch.uint8)


def images(count: int = 200, height: int = 96, width: int = 32) -> torch.Tensor:
    """Return images of random pixels, none of them black."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of a seed."""
    return torch.Generator().manual_seed(seed)


def test_flipping_mirrors_about_half() -> None:
    """Each image is itself or its mirror image."""
    before = images()
    after = flipped(before, 0.5, generator())
    mirrored = (after == before.flip(-1)).flatten(1).all(dim=1)
    kept = (after == before).flatten(1).all(dim=1)
    assert (mirrored ^ kept).all()
    assert 70 < int(mirrored.sum()) < 130


def test_cropping_shifts_within_the_padding() -> None:
    """A crop is the image moved by at most `pad`; what comes in from outside is black."""
    before = images()
    after = cropped(before, 2, generator())
    padded = torch.nn.functional.pad(before, (2, 2, 2, 2))
    for image, whole in zip(after, padded, strict=True):
        windows = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(image, whole[:, top : top + 96, left : left + 32])
        ]
        assert len(windows) == 1


def test_erasing_fills_one_rectangle_of_bounded_area() -> None:
    """About half of the images lose a rectangle of 2 to 40 % to the colour that is given."""
    before = images()
    after = erased(before, Augmentation(), MEAN, generator())
    hit = 0
    for old, new in zip(before, after, strict=True):
        changed = (old != new).any(dim=0)
        if not changed.any():
            continue
        hit += 1
        rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
        box = new[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box == COLOUR[:, None, None]).all()
        assert 0.015 < box[0].numel() / old[0].numel() < 0.42
    assert 70 < hit < 130


def torchvisions(height: int, width: int, random: torch.Generator) -> tuple[int, ...] | None:
    """Return top, left, height and width as torchvision's RandomErasing draws them, in a loop."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=random, dtype=torch.float64))

    for _ in range(10):
        area = height * width * uniform(0.02, 0.4)
        ratio = math.exp(uniform(math.log(0.3), math.log(3.3)))
        h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if not (h < height and w < width):
            continue
        top = int(torch.randint(0, height - h + 1, (1,), generator=random))
        left = int(torch.randint(0, width - w + 1, (1,), generator=random))
        return top, left, h, w
    return None


def drawn(height: int, width: int, random: torch.Generator) -> tuple[int, ...] | None:
    """Return top, left, height and width of a rectangle of ours, by ten attempts' draws."""
    attempts = torch.rand(10, 4, generator=random).tolist()
    found = rectangle(height, width, Augmentation(), attempts)
    if found is None:
        return None
    rows, columns = found
    return rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start


@pytest.mark.parametrize(("height", "width"), [(384, 128), (96, 32), (384, 192)])
def test_rectangles_are_distributed_as_torchvisions(height: int, width: int) -> None:
    """Area, ratio and place are spread, and hang together, as by its own rule; no bands."""
    kinds = [], []  # type: tuple[list[tuple[float, ...]], list[tuple[float, ...]]]
    for found, draw, seed in zip(kinds, (drawn, torchvisions), (1, 2), strict=True):
        random = generator(seed)
        for _ in range(4000):
            one = draw(height, width, random)
            assert one is not None  # ten attempts fail about once in a million
            top, left, h, w = one
            assert 0 <= top <= height - h
            assert 0 <= left <= width - w
            assert h < height
            assert w < width
            place = top / (height - h), left / (width - w)
            found.append((h * w / height / width, math.log(h / w), *place))
    ours, theirs = (torch.tensor(found) for found in kinds)  # (4000, 4)
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        bounds = ours.quantile(share, dim=0)  # (4,)
        shares = [(kind <= bounds).float().mean(dim=0) for kind in (ours, theirs)]
        assert (shares[0] - shares[1]).abs().max() < 0.045  # four standard errors of a half
    together = torch.corrcoef(ours.T) - torch.corrcoef(theirs.T)  # (4, 4)
    assert together.abs().max() < 0.09  # four standard errors


def test_what_does_not_fit_is_drawn_anew_and_given_up_after_the_last_attempt() -> None:
    """A wide rectangle would be a band across the image: the next attempt counts, or none."""
    wide, small = (0.99, 0.01, 0.5, 0.5), (0.1, 0.5, 0.0, 0.0)
    rows, columns = rectangle(384, 128, Augmentation(), [wide, small, wide]) or (None, None)
    pixels = 384 * 128 * (0.02 + 0.1 * 0.38)
    slope = math.sqrt(0.3 * 3.3)
    assert rows == slice(0, round(math.sqrt(pixels * slope)))
    assert columns == slice(0, round(math.sqrt(pixels / slope)))
    assert rectangle(384, 128, Augmentation(), [wide] * 10) is None


def test_an_images_erasure_depends_on_no_other_image() -> None:
    """The first rows of a batch are erased alike however many rows stand behind them."""
    before = images(40)
    whole = erased(before, Augmentation(), MEAN, generator(3))
    part = erased(before[:7], Augmentation(), MEAN, generator(3))
    assert torch.equal(whole[:7], part)
    assert not torch.equal(part, before[:7])


def test_the_generator_decides_and_the_input_stays() -> None:
    """Equal generators give equal images; the batch handed in is not written to."""
    before = images(16)
    copy = before.clone()
    one = augment(before, Augmentation(), MEAN, generator(1))
    assert torch.equal(one, augment(before, Augmentation(), MEAN, generator(1)))
    assert not torch.equal(one, augment(before, Augmentation(), MEAN, generator(2)))
    assert torch.equal(before, copy)
    assert one.dtype is torch.uint8
    assert one.shape == before.shape
