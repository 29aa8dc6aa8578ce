"""From whatever samples an image holds to eight bits of red, green and blue; no torch here.

This is the part of the rule of `harness.data.decoding` that is about colours.
"""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

REDUCED = "reduced to 8 bits"
LAID = "laid on white"
TO_SRGB = "brought to sRGB"

DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # modes
OTHER_COLOURS = ("CMYK", "LAB", "YCbCr", "HSV")  # modes
WHITE = (255, 255, 255)
FULL_SCALES = (1, 2**8, 2**16, 2**32)
STILL = 2  # levels of 255 by which a profile may move a colour and still be sRGB
PROFILES_HELD = 64


def is_deep(image: Image.Image) -> bool:
    """Tell whether an image that is not loaded yet has more than eight bits a sample."""
    tile = getattr(image, "tile", ())
    halved = image.format in ("PNG", "TIFF") and ";16" in str(tile)
    scaled = image.format == "PPM" and any(_largest_level(one.args) > 255 for one in tile)
    return image.mode in DEEP or halved or scaled  # Pillow reduces colours itself


def _largest_level(how: Any) -> int:
    """Return what white is in a PPM, of how Pillow decodes it: (mode, white), or a mode alone."""
    return int(how[1]) if isinstance(how, tuple) else 255


def to_rgb(image: Image.Image, alpha: Image.Image | None) -> tuple[Image.Image, list[str]]:
    """Return a loaded image in RGB, without metadata, and what that changed of its colours.

    `alpha` is how opaque each pixel is; None where all are.
    """
    profile = image.info.get("icc_profile")
    if image.mode in DEEP:
        image = _in_eight_bits(image)
    rgb, moved = _in_srgb(_without_alpha(image), profile)
    told = [TO_SRGB] if moved else []
    if alpha is not None:
        ground = Image.new("RGB", rgb.size, WHITE)
        ground.paste(rgb, mask=alpha)
        rgb = ground
        told.append(LAID)
    rgb.info = {}
    return rgb, told


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return grey samples of 16 or 32 bits, or fractions, as levels from 0 to 255."""
    samples = np.asarray(image)  # (H, W)
    if image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I"):
        return Image.fromarray((samples >> 8).astype(np.uint8))
    samples = np.nan_to_num(samples.astype(np.float32), nan=0, posinf=np.inf, neginf=-np.inf)
    largest = np.max(samples, where=np.isfinite(samples), initial=0)
    scale = next((scale for scale in FULL_SCALES if largest < 2 * scale), FULL_SCALES[-1])
    return Image.fromarray(np.floor(samples * (256 / scale)).clip(0, 255).astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an image in a mode that a profile may belong to, palettes as their colours."""
    if image.mode == "LA":
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBA", "RGBa") and image.has_transparency_data:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB") if image.mode in ("1", "P", "RGBX") else image


def _in_srgb(image: Image.Image, profile: Any) -> tuple[Image.Image, bool]:
    """Return an image in RGB, and whether its colours were others before."""
    transform = _transform(profile, image.mode) if isinstance(profile, bytes) else None
    if transform is not None:
        return transform.apply(image), True
    if image.mode == "RGB":
        return image, False
    return image.convert("RGB"), image.mode in OTHER_COLOURS


@functools.lru_cache(PROFILES_HELD)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what brings colours to sRGB; None where a profile is broken, foreign or sRGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        # By tables, greys would be up to ten levels off in the dark; colours are not.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.ImageCmsTransform(source, target, mode, "RGB", flags=flags)
    except (OSError, ValueError):  # it is no profile; it has no such channels
        return None
    except ImportError:  # Pillow was built without littlecms
        return None
    return transform if mode in OTHER_COLOURS or _moves(transform, mode) else None


def _moves(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tell whether a transform moves a colour more than rounding does."""
    probe = Image.fromarray(_probe(mode))
    before, after = (
        np.asarray(image, np.int16) for image in (probe.convert("RGB"), transform.apply(probe))
    )
    return bool(np.abs(after - before).max() > STILL)


def _probe(mode: str) -> NDArray[np.uint8]:
    """Return all levels of grey, or colours at equal steps."""
    if mode == "L":
        return np.arange(256, dtype=np.uint8)[None]  # (1, 256)
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
