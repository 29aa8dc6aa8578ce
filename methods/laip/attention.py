"""How a phrase weighs the patches of its image: by attention, forward and backward (eq. 2 to 7).

Shapes: P phrases, L text tokens, N patches, H heads.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from methods.blocks.losses import precise
from methods.laip.config import Attention

# Factors of what the backward attention is a gradient of, tried in turn. In half precision a
# gradient below 6e-8 vanishes, and one above 65,504 is infinite.
SCALES = (2.0**12, 2.0**6, 1.0)


def attention_gradient(score: Tensor, attention: Tensor) -> Tensor:
    """Return ds/dA in at least float32: (), (P, H, L, 1 + N) -> (P, H, L, 1 + N).

    Powers of two are exact, so that in full precision the first factor changes nothing.
    """
    for scale in SCALES:
        (gradient,) = torch.autograd.grad(score * scale, attention, retain_graph=True)
        if gradient.isfinite().all():
            break
    return precise(gradient) / scale


def weigh(forward: Tensor, backward: Tensor, attention: Attention) -> Tensor:
    """Turn forward and backward attention into weights of sum 1: (P, N) twice -> (P, N)."""
    kinds: dict[Attention, Callable[[], Tensor]] = {
        "forward": lambda: forward,
        "backward": lambda: backward.clamp_min(0),
        "bidirectional": lambda: forward * backward.clamp_min(0),
    }
    return normalised(kinds[attention]())


def normalised(weights: Tensor) -> Tensor:
    """Scale non-negative weights to sum 1; all-zero ones become even: (P, N) -> (P, N).

    Products of attentions are tiny, so nothing absolute is added.
    """
    total = weights.sum(dim=1, keepdim=True)  # (P, 1)
    even = torch.full_like(weights, 1 / weights.shape[1])
    return torch.where(total > 0, weights / total.where(total > 0, 1.0), even)
