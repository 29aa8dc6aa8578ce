"""Losses between images and texts, as pure functions in float32 (float64 where given that).

Shapes: B pairs, D the width of the joint space, C classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-8


def precise(tensor: Tensor) -> Tensor:
    """Return a tensor in at least single precision, where 1e-8 is not yet zero."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def cosine(rows: Tensor, columns: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return cosine similarities, at least in float32: (B, D), (C, D) -> (B, C).

    `lengths` (C,) are those of the columns, where they are known: then only the product is left
    to normalise. Mixed precision is off here: a similarity in half precision has three digits.
    """
    with torch.autocast(rows.device.type, enabled=False):
        rows = F.normalize(precise(rows), dim=-1)  # (B, D)
        if lengths is not None:
            return rows @ columns.T / lengths  # (B, C)
        return rows @ F.normalize(precise(columns), dim=-1).T  # (B, C)


def cosine_logits(images: Tensor, texts: Tensor, temperature: float) -> Tensor:
    """Return cosine / temperature: (B, D), (B, D) -> (B, B), images by texts."""
    return cosine(images, texts) / temperature  # (B, B)


def infonce(images: Tensor, texts: Tensor, temperature: float) -> Tensor:
    """Return the image-text contrastive loss: each pair against the batch, both directions' mean.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML
    2021, figure 3. https://arxiv.org/abs/2103.00020
    """
    logits = cosine_logits(images, texts, temperature)  # (B, B)
    own = torch.arange(len(logits), device=logits.device)  # (B,)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def sdm(images: Tensor, texts: Tensor, person_ids: Tensor, temperature: float) -> Tensor:
    """Return similarity distribution matching: KL(p || q), image-to-text plus text-to-image.

    p is the softmax of cosine / temperature over the batch, q the row-normalised identity matches:
    mean over rows of sum_j p_ij (log p_ij - log(q_ij + 1e-8)).

    Jiang and Ye, CVPR 2023, equations 3 to 6 (IRRA). https://arxiv.org/abs/2303.12501
    """
    logits = cosine_logits(images, texts, temperature)  # (B, B)
    target = identity_target(person_ids)  # (B, B)
    return distribution_matching(logits, target) + distribution_matching(logits.T, target)


def identity_target(person_ids: Tensor) -> Tensor:
    """Return the row-normalised matches of identities: (B,) -> (B, B)."""
    same = (person_ids[:, None] == person_ids[None, :]).float()  # (B, B)
    return same / same.sum(dim=1, keepdim=True)


def distribution_matching(logits: Tensor, target: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return the mean over rows of KL(softmax(logits) || target + epsilon): (B, C) twice -> ()."""
    return divergence(logits, target, epsilon).mean()


def divergence(logits: Tensor, target: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return KL(softmax(logits) || target + epsilon) of each row: (B, C), (B, C) -> (B,)."""
    log_p = F.log_softmax(precise(logits), dim=1)  # (B, C)
    return (log_p.exp() * (log_p - (target + epsilon).log())).sum(dim=1)


def cmpm(images: Tensor, texts: Tensor, person_ids: Tensor) -> Tensor:
    """Return cross-modal projection matching: KL(p || q) of scalar projections, both directions.

    Zhang and Lu, "Deep Cross-Modal Projection Learning for Image-Text Matching", ECCV 2018,
    equations 1 to 5: each modality is projected onto the normalised features of the other.

    NOTE: the true matches of a row are divided by their number, so that they are a distribution;
    IRRA's code divides them by their L2 norm, which is the same but where a person is in the batch
    more than once.
    https://github.com/anosorae/IRRA/blob/main/model/objectives.py
    """
    images, texts = precise(images), precise(texts)
    target = identity_target(person_ids)  # (B, B)
    with torch.autocast(images.device.type, enabled=False):
        image_to_text = images @ F.normalize(texts, dim=-1).T  # (B, B)
        text_to_image = texts @ F.normalize(images, dim=-1).T  # (B, B)
    return distribution_matching(image_to_text, target) + distribution_matching(
        text_to_image, target
    )


def identity(image_logits: Tensor, text_logits: Tensor, person_ids: Tensor) -> Tensor:
    """Return the mean of both modalities' cross-entropy over people: (B, C), (B, C), (B,) -> ().

    Zheng et al., "Dual-Path Convolutional Image-Text Embeddings with Instance Loss", TOMM 2020.
    https://arxiv.org/abs/1711.05535
    """
    images = F.cross_entropy(precise(image_logits), person_ids)
    return (images + F.cross_entropy(precise(text_logits), person_ids)) / 2


def hardest_triplet(similarity: Tensor, person_ids: Tensor, margin: float) -> Tensor:
    """Return the mean hinge of each anchor's pair against its most similar other person.

    (B, B) similarities of anchors (rows) whose pairs are on the diagonal, (B,) -> (): mean of
    [margin - s_ii + max_j s_ij]_+ over the j of another identity. An anchor without one is left
    out. Faghri et al., "VSE++", BMVC 2018. https://arxiv.org/abs/1707.05612
    """
    same = person_ids[:, None] == person_ids[None, :]  # (B, B)
    hardest = similarity.masked_fill(same, -torch.inf).amax(dim=1)  # (B,)
    hinges = F.relu(margin - similarity.diagonal() + hardest)  # (B,), 0 without a negative
    return hinges.sum() / (~same).any(dim=1).sum().clamp_min(1)
