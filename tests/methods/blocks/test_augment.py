import torch

from methods.blocks.augment import Augmentation, augment, cropped, erased, flipped


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
    """About half of the images lose a rectangle of 2 to 40 % to the mean colour."""
    before = images()
    after = erased(before, Augmentation(), generator())
    colour = torch.tensor([123, 117, 104], dtype=torch.uint8)
    hit = 0
    for old, new in zip(before, after, strict=True):
        changed = (old != new).any(dim=0)
        if not changed.any():
            continue
        hit += 1
        rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
        box = new[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box == colour[:, None, None]).all()
        assert 0.015 < box[0].numel() / old[0].numel() < 0.42
    assert 70 < hit < 130


def test_the_generator_decides_and_the_input_stays() -> None:
    """Equal generators give equal images; the batch handed in is not written to."""
    before = images(16)
    copy = before.clone()
    one = augment(before, Augmentation(), generator(1))
    assert torch.equal(one, augment(before, Augmentation(), generator(1)))
    assert not torch.equal(one, augment(before, Augmentation(), generator(2)))
    assert torch.equal(before, copy)
    assert one.dtype is torch.uint8
    assert one.shape == before.shape
