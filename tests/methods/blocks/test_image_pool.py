"""Changes of images against torchvision's, which take one image at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip  # noqa: F401  # mends torchvision where it stands beside a CPU-only torch
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from methods.blocks import image_pool
from methods.blocks.image_pool import CHANGES, SIMCLR, changed

COUNT, HEIGHT, WIDTH = 12, 48, 20


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Return random images in float64."""
    return 255 * torch.rand(COUNT, 3, HEIGHT, WIDTH, generator=generator(9), dtype=torch.float64)


def alike(one: Tensor, other: Tensor, tolerance: float = 1e-6) -> bool:
    """Tell whether images are the same but for rounding."""
    return bool(torch.allclose(one, other, rtol=0, atol=255 * tolerance))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_shape_type_and_range_and_repeats(name: str, images: Tensor) -> None:
    """The images that came in stay; equal generators give equal images, others do not."""
    settings = {**SIMCLR, "erase": (0.1, 0.2), "turn_over": (0.5,), "rotate": (15.0,)}.get(name, ())
    given = images.float()
    before = given.clone()
    found = CHANGES[name](given, generator(), *settings)
    assert (found.shape, found.dtype) == (given.shape, given.dtype)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 255 + 1e-3
    assert torch.equal(given, before)
    assert torch.equal(found, CHANGES[name](given, generator(), *settings))
    assert not torch.equal(found, CHANGES[name](given, generator(1), *settings))


def test_a_crop_is_a_rectangle_enlarged(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the share and shape that were drawn, as torchvision enlarges it; nothing from beyond."""
    rectangles: list[tuple[Tensor, Tensor]] = []
    places = image_pool._places

    def noted(start: Tensor, size: Tensor, whole: int) -> Tensor:
        rectangles.append((start, size))
        return places(start, size, whole)

    monkeypatch.setattr(image_pool, "_places", noted)
    found = image_pool.crop(images, generator(), 0.3, 0.6)
    (top, tall), (left, wide) = rectangles
    for row in range(COUNT):
        y, h, x, w = (int(one[row]) for one in (top, tall, left, wide))
        assert 0 <= y <= HEIGHT - h
        assert 0 <= x <= WIDTH - w
        assert h * w / (HEIGHT * WIDTH) == pytest.approx(0.45, abs=0.18)
        assert 0.7 < (w / WIDTH) / (h / HEIGHT) < 1.45
        size = [HEIGHT, WIDTH]
        expected = reference.resized_crop(images[row], y, x, h, w, size, antialias=True)
        assert alike(found[row], expected)
    assert len({int(one) for one in top}) > 3


def test_a_crop_that_fits_nowhere_is_the_whole() -> None:
    """As small an image has no rectangle of the share; it stays as it is."""
    image = torch.arange(3.0).view(1, 3, 1, 1).expand(2, -1, -1, -1).double()
    torch.testing.assert_close(image_pool.crop(image, generator(), 1.0, 1.0), image)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (0, lambda image, by: reference.adjust_brightness(image, 1 + by)),
        (1, lambda image, by: reference.adjust_contrast(image, 1 + by)),
        (2, lambda image, by: reference.adjust_saturation(image, 1 + by)),
        (3, lambda image, by: reference.adjust_hue(image, by)),
    ],
    ids=["brightness", "contrast", "saturation", "hue"],
)
def test_colours_move_as_torchvision_moves_them(
    images: Tensor, kind: int, function: Callable[[Tensor, float], Tensor]
) -> None:
    """Each image by its own strength, greys and pure colours too."""
    images = images.clone()
    images[0, :] = images[0, :1]
    images[1, 1:] = 0
    moves = torch.linspace(-0.45, 0.45, COUNT, dtype=torch.float64)
    found = image_pool.KINDS[kind](images, moves.view(-1, 1, 1, 1))
    for row, by in enumerate(moves.tolist()):
        assert alike(found[row], 255 * function(images[row] / 255, by), 1e-4)


def test_colours_move_in_an_order_that_is_drawn(images: Tensor) -> None:
    """Brightness before contrast is another image than contrast before brightness."""
    moves = torch.tensor([[0.4, -0.4, 0.3, 0.1]]).expand(2, -1)
    order = torch.tensor([[0, 1, 2, 3], [3, 1, 0, 2]])
    found = image_pool._jittered(images[:1].repeat(2, 1, 1, 1), moves, order)
    for row in (0, 1):
        expected = images[:1]
        for kind in order[row].tolist():
            expected = image_pool.KINDS[kind](expected, moves[:1, kind].view(1, 1, 1, 1))
        assert alike(found[row], expected[0])
    assert not alike(found[0], found[1], 0.01)


def test_a_rotation_is_torchvisions(images: Tensor) -> None:
    """By the angle that was drawn, about the centre, what comes into view black."""
    found = image_pool.rotate(images, generator(), 30.0)
    angles = 30 * (2 * torch.rand(COUNT, generator=generator()) - 1)
    alike_pixels = torch.stack(
        [
            (found[row] - reference.rotate(images[row], float(angle))).abs().amax(dim=0) < 1e-6
            for row, angle in enumerate(angles)
        ]
    )
    assert float(alike_pixels.double().mean()) > 0.99  # the nearest of two as near may differ
    assert bool((found == 0).any())


def test_a_blur_is_torchvisions(images: Tensor) -> None:
    """With the deviation that was drawn, in pixels of an image 224 high."""
    found = image_pool.blur(images, generator(), 2.0, 9.0, 1.0, 5)
    drawn = 2.0 + 7.0 * torch.rand(COUNT, generator=generator())
    for row, deviation in enumerate((drawn * HEIGHT / 224).tolist()):
        expected = reference.gaussian_blur(images[row], [5, 5], [deviation, deviation])
        assert alike(found[row], expected, 1e-5)


def test_chances_are_drawn_by_image(images: Tensor) -> None:
    """Of greys, flips and turns some are made and some not, each as torchvision has it."""
    for change, made in {
        image_pool.grey: lambda x: reference.rgb_to_grayscale(x, 3),
        image_pool.flip: reference.horizontal_flip,
        image_pool.turn_over: reference.vertical_flip,
    }.items():
        found = change(images, generator(), 0.5)
        kinds = {
            (alike(f, image, 1e-4), alike(f, made(image), 1e-4))
            for f, image in zip(found, images, strict=True)
        }
        assert kinds == {(True, False), (False, True)}


def test_an_erased_rectangle_is_black(images: Tensor) -> None:
    """In about every other image, of a tenth to a fifth of it."""
    found = image_pool.erase(images.repeat(20, 1, 1, 1), generator(), 0.1, 0.2)
    shares = [float((one == 0).all(dim=0).double().mean()) for one in found]
    erased = [share for share in shares if share > 0]
    assert 0.35 < len(erased) / len(shares) < 0.65
    assert all(0.07 < share < 0.25 for share in erased)


def test_some_of_a_pool_are_drawn_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many, one after the other, the same twice too; with 0 all, in the order of the table."""

    def noting(digit: int) -> Callable[..., Tensor]:
        return lambda images, generator, *settings: 10 * images + digit

    monkeypatch.setattr(image_pool, "CHANGES", {str(digit): noting(digit) for digit in (1, 2, 3)})
    pool: dict[str, Any] = {"3": (), "1": (), "2": ()}
    images = torch.zeros(200, 3, 1, 1)
    found = {int(one) for one in changed(images, pool, generator(), 2)[:, 0, 0, 0]}
    assert found == {10 * one + other for one in (1, 2, 3) for other in (1, 2, 3)}
    assert set(changed(images, pool, generator())[:, 0, 0, 0].tolist()) == {123}
    assert changed(images, {}, generator(), 2) is images


def test_a_change_that_is_not_known_is_refused(images: Tensor) -> None:
    """The message lists those that are."""
    with pytest.raises(KeyError, match=r"\['melt'\]; there are: \['auto', 'blur'"):
        changed(images, {"melt": ()}, generator())


def test_policies_leave_torchs_own_stream_as_it_is(images: Tensor) -> None:
    """They draw from a stream that the generator begins."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    image_pool.CHANGES["rand"](images, generator())
    assert torch.equal(torch.rand(1), expected)
