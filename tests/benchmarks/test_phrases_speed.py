"""What parts of speech and noun phrases of CUHK-PEDES' captions cost beside splitting the words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from nltk.tokenize import NLTKWordTokenizer

from methods.blocks.phrases import noun_phrases, tag

CAPTIONS = 68_126  # of CUHK-PEDES' training split
SENTENCES = Path(__file__).parents[1] / "methods" / "blocks" / "captions_of_people.txt"
REPEATS = 10
LARGEST_RATIOS = {"tags": 5.0, "phrases": 0.25}  # of the time that the words alone take


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Return 1,600 captions of 25 words on average."""
    return SENTENCES.read_text("utf-8").splitlines() * REPEATS


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes, the shortest of three."""
    times = []
    for _ in range(3):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return min(times)


@pytest.mark.parametrize("part", LARGEST_RATIOS)
def test_phrases_cost_little_beside_the_words(
    captions: list[str], part: str, benchmark: Any
) -> None:
    """The lexicon takes a few times as long as NLTK's tokenizer; phrases take next to nothing."""
    tagged = tag(captions, "lexicon")
    calls = {
        "tags": lambda: tag(captions, "lexicon"),
        "phrases": lambda: [noun_phrases(words) for words in tagged],
    }
    tokenizer = NLTKWordTokenizer()
    words_alone = seconds(lambda: [tokenizer.tokenize(caption) for caption in captions])
    benchmark.pedantic(calls[part], rounds=3, warmup_rounds=1)
    took = benchmark.stats.stats.min if benchmark.enabled else 0.0
    benchmark.extra_info["seconds for CUHK-PEDES"] = round(took / len(captions) * CAPTIONS, 1)
    benchmark.extra_info["ratio to the words alone"] = round(took / words_alone, 2)
    assert took <= LARGEST_RATIOS[part] * words_alone
