"""Texts are read once, as many as a method has."""

from __future__ import annotations

from methods.blocks.dual_encoder import REMEMBERED_TEXTS, remembering

TRAINING_CAPTIONS = 68_126  # of CUHK-PEDES
CHANGED = 262_000  # that MeFa makes of them


def test_all_texts_of_the_largest_training_are_remembered() -> None:
    """In every epoch each comes again, and none is read again; the number has a bound."""
    read: list[str] = []

    def words(text: str) -> list[int]:
        read.append(text)
        return [49_000, len(text)]

    remembered = remembering(words)
    texts = [str(number) for number in range(TRAINING_CAPTIONS + CHANGED)]
    for _ in range(2):
        for text in texts:
            remembered(text)
    assert len(read) == len(texts) < REMEMBERED_TEXTS < 2**20
    assert list(remembered("7")) == [49_000, 1]
