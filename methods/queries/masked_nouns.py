"""masked-nouns: captions without the nouns that are most like their image.

Kang, Chen, Wang and Xu, "Multi-path Exploration and Feedback Adjustment for Text-to-Image Person
Retrieval", 2024, Figure 5. https://arxiv.org/abs/2410.21318 What is most alike is decided once, by
a zero-shot encoder that no method trains, so that all are asked the same.

Shapes: M images, N distinct nouns, D the width of the joint space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from harness.data.pixels import open_pixels
from harness.data.schema import Split
from harness.registry import register_queries
from methods.blocks.backbones import load_dual_encoder
from methods.blocks.losses import cosine
from methods.blocks.phrases import Word, tag

MASKED = 3  # nouns of a caption
BATCH = 256
# By scale: the zero-shot encoder with its image size, and the tagger that finds nouns.
ENCODERS = dict.fromkeys(("tiny", "small"), ("tiny-clip", (96, 32), "lexicon"))
DEFAULT = ("ViT-B-16-quickgelu/openai", (224, 224), "perceptron")

_SPACE = re.compile(r"\s+(?=[.,;:!?]|$)|(?<=\s)\s+|^\s+")  # left behind by a word


@register_queries("masked-nouns")
@torch.no_grad()
def mask_nouns(split: Split, scale: str) -> list[str]:
    """Return the captions of a split without their three most visible nouns."""
    name, size, tagger = ENCODERS.get(scale, DEFAULT)
    nouns = [[word for word in words if word.tag.startswith("NN")]
             for words in tag(split.captions, tagger)]  # fmt: skip
    known = sorted({noun.text.lower() for of_caption in nouns for noun in of_caption})
    rows = {text: row for row, text in enumerate(known)}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = load_dual_encoder(name, size).to(device).eval()
    pixels = open_pixels(split, size, None)
    images = [encoder.encode_images(pixels(part.numpy()).to(device)).embedding
              for part in torch.split(torch.arange(len(split.image_ids)), BATCH)]  # fmt: skip
    texts = [encoder.encode_texts(known[start : start + BATCH]).embedding
             for start in range(0, len(known), BATCH)]  # fmt: skip
    if not texts:
        return list(split.captions)
    similarity = cosine(torch.cat(images), torch.cat(texts)).cpu()  # (M, N)
    return [
        without(caption, most_visible(of_caption, similarity[image], rows))
        for caption, of_caption, image in zip(
            split.captions, nouns, split.image_of_caption.tolist(), strict=True
        )
    ]


def most_visible(nouns: Sequence[Word], similarity: Tensor, rows: dict[str, int]) -> list[Word]:
    """Return the nouns that are most like an image (N,), wherever they stand; ties in order."""
    values = {text: float(similarity[rows[text]]) for text in {n.text.lower() for n in nouns}}
    order = dict.fromkeys(noun.text.lower() for noun in nouns)
    chosen = sorted(order, key=lambda text: -values[text])[:MASKED]
    return [noun for noun in nouns if noun.text.lower() in chosen]


def without(caption: str, words: Sequence[Word]) -> str:
    """Leave words out of a caption, with the space that they would leave behind."""
    if not words:
        return caption
    for word in sorted(words, key=lambda one: -one.start):
        caption = caption[: word.start] + caption[word.end :]
    return _SPACE.sub("", caption)
