"""What is set of a dual encoder before it is fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from methods.blocks.dual_encoder import DualEncoder

# Of ImageNet's pixels, from 0 to 1, by channel (https://docs.pytorch.org/vision/stable/models.html).
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalise_by(encoder: DualEncoder, mean: Sequence[float], deviation: Sequence[float]) -> None:
    """Let an encoder normalise pixels by another mean and deviation, from 0 to 1, by channel."""
    encoder.mean.copy_(255 * torch.tensor(mean).view(1, 3, 1, 1))
    encoder.deviation.copy_(255 * torch.tensor(deviation).view(1, 3, 1, 1))


def drop_attention(encoder: DualEncoder, probability: float) -> None:
    """Drop out what tokens of a text attend to, in every block, while the encoder trains."""
    for block in encoder.text.transformer.resblocks:
        block.attn.dropout = probability


def lock(encoder: DualEncoder, names: Iterable[str]) -> None:
    """Keep modules of an encoder as they are: "visual.conv1" is the one that embeds patches.

    Raises:
        ValueError: the encoder has no such module; the message lists those that it has.
    """
    modules = dict(encoder.named_modules())
    for name in names:
        if name not in modules:
            known = ", ".join(filter(None, modules))
            raise ValueError(f"the encoder has no {name!r} to lock; there are: {known}")
        modules[name].requires_grad_(False)
