from pathlib import Path

import torch

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from methods.blocks.backbones import load_dual_encoder
from methods.blocks.phrases import tag
from methods.queries.masked_nouns import mask_nouns, most_visible, without

CAPTION = "A man with a red Jacket, a bag, and shoes; the jacket is new."


def nouns(caption: str) -> list[str]:
    """Return the nouns of a caption in lower case, in order."""
    (words,) = tag([caption], "lexicon")
    return [word.text.lower() for word in words if word.tag.startswith("NN")]


def test_the_three_most_visible_nouns_go_wherever_they_stand() -> None:
    """A noun that is named twice is one noun; a tie goes to the earlier one."""
    (words,) = tag([CAPTION], "lexicon")
    found = [word for word in words if word.tag.startswith("NN")]
    rows = {"man": 0, "jacket": 1, "bag": 2, "shoes": 3}
    similarity = torch.tensor([0.1, 0.4, 0.2, 0.2])
    chosen = most_visible(found, similarity, rows)
    assert [word.text for word in chosen] == ["Jacket", "bag", "shoes", "jacket"]
    assert without(CAPTION, chosen) == "A man with a red, a, and; the is new."
    assert [w.text for w in most_visible(found, torch.tensor([0.2, 0.3, 0.2, 0.2]), rows)] == [
        "man", "Jacket", "bag", "jacket",
    ]  # fmt: skip


def test_what_stays_is_untouched() -> None:
    """But for the space that a word leaves behind; without words nothing changes at all."""
    assert without("  two  spaces ", []) == "  two  spaces "
    (words,) = tag(["A hat."], "lexicon")
    assert without("A hat.", [word for word in words if word.text == "hat"]) == "A."
    (words,) = tag(["hat"], "lexicon")
    assert without("hat", words) == ""


def test_a_split_loses_three_nouns_a_caption(small_dolls: Path) -> None:
    """Those that tiny-clip, as it ships, finds most like the caption's own image."""
    split = load_split(locate(find_declaration(str(small_dolls))), "test")
    found = mask_nouns(split, "tiny")
    assert len(found) == len(split.captions)
    encoder = load_dual_encoder("tiny-clip", (96, 32)).eval()
    pixels = open_pixels(split, (96, 32), None)
    for row in (0, 17, 63):
        whole = list(dict.fromkeys(nouns(split.captions[row])))
        with torch.no_grad():
            image = encoder.encode_images(pixels(split.image_of_caption[[row]])).embedding[0]
            texts = [encoder.encode_texts([noun]).embedding[0] for noun in whole]
        values = [float(torch.cosine_similarity(image, text, dim=0)) for text in texts]
        order = sorted(range(len(whole)), key=lambda i: -values[i])
        gone = {whole[i] for i in order[:3]}
        kept = [word for word in nouns(split.captions[row]) if word not in gone]
        left = found[row].lower()
        assert not any(f" {word} " in f" {left} " for word in gone)
        assert all(word in left for word in kept)


def test_the_same_captions_come_again(small_dolls: Path) -> None:
    """Made twice, every caption is the same."""
    split = load_split(locate(find_declaration(str(small_dolls))), "val")
    assert mask_nouns(split, "tiny") == mask_nouns(split, "tiny")
