"""Encoding a split and scoring it: what is done to a trained method, never a reason to train."""

from harness.evaluation.encode import (
    Features,
    as_encoded,
    encode_images,
    encode_split,
    encode_texts,
    with_captions,
)
from harness.evaluation.score import (
    TOP,
    rescores,
    score_image_to_text,
    score_reranked,
    score_text_to_image,
)

__all__ = [
    "TOP",
    "Features",
    "as_encoded",
    "encode_images",
    "encode_split",
    "encode_texts",
    "rescores",
    "score_image_to_text",
    "score_reranked",
    "score_text_to_image",
    "with_captions",
]
