"""The toy method as one that several processes can train, and one that re-scores."""

from __future__ import annotations

import textwrap

LETTERS = """
    def letters(self, caption):
        counted = torch.tensor([ord(letter) % 128 for letter in caption])
        return torch.bincount(counted, minlength=128).float()

"""
SPREADS = """
        images = normalize(run.spread(lambda rows: Toy.encode_images(self, rows), batch.images))
        letters = torch.stack([self.letters(caption) for caption in batch.captions])
        texts = normalize(run.spread(self.texts, letters), dim=-1)
"""
RESCORES = """

from dataclasses import replace

from harness.method import Encoded


@register("rescoring", title="Rescoring")
class Rescoring(Toy):
    recipes = {"tiny": replace(Toy.recipes["tiny"], candidates=12, val_candidates=6)}

    def encode_images(self, images):
        found = super().encode_images(images)
        return Encoded(found, found[:, None])

    def encode_texts(self, captions):
        found = super().encode_texts(captions)
        return Encoded(found, found[:, None])

    def rescore(self, texts, images, image_of_text):
        return (texts.tokens[:, 0] * images.tokens[image_of_text, 0]).sum(1).sin()
"""


def spreading(source: str, code: str = "") -> str:
    """Return the toy's source with its encoders called through the run, after code at every step.

    A method `rescoring` stands beside it.
    """
    source = source.replace(
        "    config_class = ToyConfig\n", "    config_class = ToyConfig\n    spreads = True\n"
    )
    first = source.index("        images = normalize(self.encode_images(batch.images)")
    last = source.index("        loss = cross_entropy(")
    step = textwrap.indent(textwrap.dedent(code).strip(), " " * 8)
    body = source[:first] + step + SPREADS + source[last:]
    start = body.index("    def training_losses(")
    return body[:start] + LETTERS.lstrip("\n") + body[start:] + RESCORES
