"""What parts of speech and noun phrases of CUHK-PEDES' captions cost beside splitting the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nltk.tokenize import NLTKWordTokenizer

from methods.blocks.phrases import noun_phrases, tag

from .bounds import Bound
from .paired import paired_ratio

CAPTIONS = 68_126  # of CUHK-PEDES' training split
SENTENCES = Path(__file__).parents[1] / "methods" / "blocks" / "captions_of_people.txt"
REPEATS = 10
ROUNDS = 5
LARGEST_RATIOS = {"tags": 5.0, "phrases": 0.25}  # of the time that the words alone take


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Return 1,600 captions of 25 words on average."""
    return SENTENCES.read_text("utf-8").splitlines() * REPEATS


@pytest.mark.parametrize("part", LARGEST_RATIOS)
def test_phrases_cost_little_beside_the_words(
    captions: list[str], part: str, benchmark: Any, bound: Bound
) -> None:
    """The lexicon takes a few times as long as NLTK's tokenizer; phrases take next to nothing."""
    tagged = tag(captions, "lexicon")
    calls = {
        "tags": lambda: tag(captions, "lexicon"),
        "phrases": lambda: [noun_phrases(words) for words in tagged],
    }
    tokenizer = NLTKWordTokenizer()
    paired = paired_ratio(
        benchmark,
        calls[part],
        lambda: [tokenizer.tokenize(caption) for caption in captions],
        ROUNDS,
    )
    for_all = paired.seconds / len(captions) * CAPTIONS
    benchmark.extra_info["seconds for CUHK-PEDES"] = round(for_all, 1)
    bound(paired.ratio, LARGEST_RATIOS[part], of="times the words alone")
