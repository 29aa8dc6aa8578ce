"""Captions of drawn people, read as they were written."""

import pytest

from harness.data.paperdolls.build import photographs
from harness.data.paperdolls.captions.reading import OPEN, read
from harness.data.paperdolls.looks import DATASETS, Look, Sizes

FEW = Sizes(train=1, val=1, test=25, images=(4, 4), captions=2)


@pytest.mark.parametrize("look", DATASETS.values(), ids=DATASETS)
def test_what_is_read_is_what_was_told(look: Look) -> None:
    """Of every caption, in every look: nothing else is read, and a word stands where it is said to.

    Left open is what a caption says by a word that fits several values.
    """
    vague = look.wording.vague > 0
    count = 0
    for photo in photographs("test", look.seed, FEW, look):
        for caption in photo.captions:
            reading = read(caption.text)
            assert reading is not None, caption.text
            assert reading.facts.items() <= caption.facts.items(), caption.text
            left = caption.facts.keys() - reading.facts.keys()
            named = {one.fact for one in reading.mentions if one.value == OPEN}
            assert vague or left <= {*named, "upper.second"}, caption.text
            for one in reading.mentions:
                assert caption.text[one.start : one.end].lower() == one.text
                assert one.value in (OPEN, caption.facts.get(one.fact))
            count += 1
    assert count == 200


@pytest.mark.parametrize(
    "caption",
    [
        "A man in a red anorak.",
        "A man in a dark red gray scarf.",
        "She looks at her watch and smiles.",
        "",
        "A man in a rote Hose.",
    ],
)
def test_a_caption_with_another_word_is_not_read(caption: str) -> None:
    """What is of no grammar is left to others, whole."""
    assert read(caption) is None


def test_qualities_belong_to_the_thing_that_follows() -> None:
    """What shows below a coat is no colour of the coat, and stripes may stand behind."""
    reading = read(
        "An old woman wears a black coat with white checks over a red top, jeans and a gray cap. "
        "She has black hair in a bun. She is carrying no bag."
    )
    assert reading is not None
    assert reading.facts == {
        "kind": "older woman", "upper": "yes", "upper.kind": "coat", "upper.colour": "black",
        "upper.second": "white", "upper.pattern": "checked", "upper.inner": "red",
        "lower": "yes", "lower.kind": "jeans", "hat": "yes", "hat.kind": "cap",
        "hat.colour": "gray", "hair": "yes", "hair.kind": "bun", "hair.colour": "black",
        "bag": "no",
    }  # fmt: skip
