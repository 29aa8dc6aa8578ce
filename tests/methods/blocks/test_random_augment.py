"""Changes of images against torchvision's, one image at a time, and against what they leave."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from methods.blocks import random_augment
from methods.blocks.random_augment import CHANGES, random_changes


def images(count: int = 4) -> Tensor:
    """Return noise with a bright square, as large as the papers' images."""
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(30, 200, (count, 3, 96, 32), dtype=torch.uint8, generator=generator)
    found[:, :, 40:56, 10:20] = 250
    return found


def test_no_change_is_none() -> None:
    """Images stay as they are, in a tensor of bytes."""
    assert torch.equal(random_changes(images(), 0, torch.Generator()), images())


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_a_change_of_a_batch_is_that_of_each_image(name: str) -> None:
    """As torchvision makes it."""
    expected = torch.stack([getattr(functional, name)(image) for image in images()])
    assert torch.equal(CHANGES[name](images(), 1), expected)


def test_brightness_is_multiplied() -> None:
    """By 1.36, up to 255."""
    found = CHANGES["brightness"](images(), 1).float()
    torch.testing.assert_close(found, (1.36 * images().float()).clamp(0, 255), rtol=0, atol=1)


def test_translation_moves_by_seven_pixels_of_384() -> None:
    """A quarter of that in an image 96 high, either way; grey comes into view."""
    large = torch.zeros(1, 3, 384, 128, dtype=torch.uint8)
    large[..., 100:200, 50:80] = 255
    right = CHANGES["translate x"](large, 1)
    assert torch.equal(right[..., :, 7:], large[..., :, :-7])
    assert (right[..., :, :6] == random_augment.GREY).all()
    up = CHANGES["translate y"](large, -1)
    assert torch.equal(up[..., :-7, :], large[..., 7:, :])
    small = torch.full((1, 3, 96, 32), random_augment.GREY, dtype=torch.uint8)
    small[..., 10:20] = 228
    column = CHANGES["translate x"](small, 1)[0, 0, 40, 5:].float() - random_augment.GREY
    centre = float((column * torch.arange(5, 32)).sum() / column.sum())
    assert centre - 14.5 == pytest.approx(1.75, abs=0.02)


def test_what_has_a_direction_goes_either_way() -> None:
    """Mirrored, one way is the other."""
    for name in ("shear x", "translate x", "rotate"):
        one = CHANGES[name](images(), 1).float()
        other = CHANGES[name](images().flip(-1), -1).flip(-1).float()
        assert (one - images().float()).abs().mean() > 5
        assert (one - other).abs().mean() < 2, name


def test_shear_moves_rows_by_a_share_of_their_distance() -> None:
    """0.21 pixels to the side for each one down, about the middle."""
    lines = torch.zeros(1, 3, 101, 101, dtype=torch.uint8)
    lines[..., 50] = 255
    found = CHANGES["shear x"](lines, 1)[0, 0].float()
    places = found[[10, 50, 90]].where(found[[10, 50, 90]] != random_augment.GREY, 0.0)
    middle = places.argmax(dim=1).tolist()
    assert middle[1] == 50
    assert abs(middle[0] - middle[2]) == pytest.approx(0.21 * 80, abs=1.5)


def test_half_of_the_changes_are_left_out_and_each_kind_comes() -> None:
    """With one change drawn of ten, of which one is none, 45 % of the images change."""
    many = images(1).expand(2000, -1, -1, -1)
    found = random_changes(many, 1, torch.Generator().manual_seed(1))
    changed = (found != many).flatten(1).any(dim=1)
    assert float(changed.float().mean()) == pytest.approx(0.45, abs=0.03)
    kinds = {one.flatten().numpy().tobytes() for one in found[changed]}
    assert len(kinds) == len(CHANGES) - 1 + 5  # each once, and those with a direction twice


def test_an_image_is_changed_by_its_own_draws() -> None:
    """The same seed changes alike, another image in the batch nothing."""
    one, again = (random_changes(images(), 2, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, again)
    others = images()
    others[1:] = 0
    beside = random_changes(others, 2, torch.Generator().manual_seed(4))
    assert torch.equal(beside[0], one[0])
