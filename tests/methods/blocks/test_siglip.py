"""SigLIP's towers give what open_clip's model of them gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor

from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.masking import hide_words, mask_words
from methods.blocks.siglip import SigLipEncoder

from .small_siglip import (
    BREADTH,
    HEIGHT,
    LENGTH,
    SPECIAL,
    WIDTH,
    WORDS,
    save_words,
    small_siglip,
)

CAPTIONS = ["A man, in a red jacket.", "a woman with blue jeans"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tokenizer of a few words."""
    return save_words(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def small(words: Path) -> SigLipEncoder:
    """A small SigLIP with random weights."""
    return small_siglip(words)


def pixels() -> Tensor:
    """Return two random images."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, HEIGHT, BREADTH), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def test_an_image_is_pooled_by_attention(small: SigLipEncoder) -> None:
    """Pixels go from -1 to 1; the embedding is the model's own, and the first of the tokens."""
    found = small.encode_images(pixels())
    assert found.tokens is not None
    expected = small.visual(pixels() / 127.5 - 1)
    torch.testing.assert_close(found.embedding, expected)
    torch.testing.assert_close(found.tokens[:, 0], found.embedding)
    assert found.tokens.shape == (2, 1 + 3 * 2, WIDTH)


@torch.no_grad()
def test_a_text_is_read_with_its_padding(small: SigLipEncoder) -> None:
    """Case and punctuation are left out; the last place is pooled; the mask spares padding."""
    ids = small.tokenize(CAPTIONS)
    first = ["a", "man", "in", "a", "red", "jacket"]
    row = [len(SPECIAL) + WORDS.index(word) for word in first]
    assert ids[0].tolist() == row + [0] * (LENGTH - len(row))
    found = small.encode_texts(CAPTIONS)
    assert found.mask is not None
    assert found.tokens is not None
    torch.testing.assert_close(found.embedding, small.text(ids)[0])
    torch.testing.assert_close(found.tokens[:, -1], found.embedding)
    assert found.mask.sum(dim=1).tolist() == [len(first), len(CAPTIONS[1].split())]


def test_a_long_text_loses_its_end(small: SigLipEncoder) -> None:
    """The tower has so many places and no more."""
    assert small.tokenize(["a man and " * 9]).shape == (1, LENGTH)


@pytest.mark.parametrize("has_end", [False, True])
def test_every_word_and_nothing_else_is_a_word(tmp_path: Path, has_end: bool) -> None:
    """The first one too, whether the tokenizer writes an end or none: pieces, masks."""
    encoder = small_siglip(save_words(tmp_path, has_end))
    first = [len(SPECIAL) + WORDS.index(word) for word in ("a", "man", "in", "a", "red", "jacket")]
    assert encoder.word_pieces(CAPTIONS[0]) == first
    assert encoder.word_pieces("") == []
    ids = encoder.tokenize([CAPTIONS[0], ""])
    v = encoder.vocabulary
    assert (v.end in ids) is has_end
    are_words = [[True] * len(first) + [False] * (LENGTH - len(first)), [False] * LENGTH]
    assert v.words(ids).tolist() == are_words
    generator = torch.Generator().manual_seed(0)
    assert (hide_words(ids, v, generator, 1.0) == v.mask).tolist() == are_words
    masked = mask_words(ids, v, generator, share=0.0)  # the first word then, where there is one
    assert masked.chosen.tolist() == [[True] + [False] * (LENGTH - 1), [False] * LENGTH]


@pytest.mark.exhaustive
def test_published_weights_load_at_any_size(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By open_clip's name, from a file, with positions interpolated to the images' size."""
    config: Any = open_clip.get_model_config("ViT-B-16-SigLIP2")
    config["text_cfg"] |= {
        "vocab_size": 4 + len(WORDS), "layers": 1, "hf_tokenizer_name": str(words),
    }  # fmt: skip
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "few-words", config)
    torch.manual_seed(0)
    published = open_clip.create_model("few-words")
    torch.save(published.state_dict(), tmp_path / "weights.pt")

    encoder = load_dual_encoder(f"few-words/{tmp_path / 'weights.pt'}", (384, 128)).eval()

    assert isinstance(encoder, SigLipEncoder)
    assert encoder.grid == (24, 8)
    images = torch.randint(0, 256, (1, 3, 384, 128), dtype=torch.uint8)
    with torch.no_grad():
        assert encoder.encode_images(images).embedding.shape == (1, 768)
        text = published.eval().encode_text(encoder.tokenize(CAPTIONS))
        torch.testing.assert_close(encoder.encode_texts(CAPTIONS).embedding, text)


def test_its_words_are_fetched_too() -> None:
    """SentencePiece's vocabulary lies beside the weights, CLIP's comes with open_clip."""
    names = [each.name for each in encoder_downloads("ViT-B-16-SigLIP2/webli")]
    assert names == ["timm/ViT-B-16-SigLIP2", "timm/ViT-B-16-SigLIP2"]
    assert len(encoder_downloads("EVA02-B-16/merged2b_s8b_b131k")) == 1
