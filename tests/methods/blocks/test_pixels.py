"""Images normalised as one set's, by an encoder that normalises as another's."""

from __future__ import annotations

import pytest
import torch

from methods.blocks import pixels


def test_an_encoder_sees_what_the_sets_own_mean_would_make() -> None:
    """Whatever it takes from pixels itself."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 4, 2), dtype=torch.uint8, generator=generator)
    mean, deviation = pixels.scaled("cuhk-pedes", images.device)
    given = pixels.as_pixels_of(images, "mals", mean, deviation)
    seen = (given - mean) / deviation
    means, deviations = pixels.PIXELS["mals"]
    for channel in range(3):
        expected = (images[:, channel] / 255 - means[channel]) / deviations[channel]
        torch.testing.assert_close(seen[:, channel], expected, rtol=1e-4, atol=1e-5)


def test_of_the_same_set_nothing_changes() -> None:
    """But for rounding."""
    images = torch.arange(24.0).view(1, 3, 4, 2) * 10
    scaled = pixels.scaled("rstpreid", images.device)
    torch.testing.assert_close(pixels.as_pixels_of(images, "rstpreid", *scaled), images)


def test_a_set_that_is_not_known_is_named_with_those_that_are() -> None:
    """In one sentence."""
    with pytest.raises(ValueError, match=r"pixels of 'market'; there are: \['clip', 'cuhk-pedes'"):
        pixels.pixels_of("market")
