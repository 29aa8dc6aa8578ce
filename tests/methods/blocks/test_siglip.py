"""SigLIP's towers give what open_clip's model of them gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.timm_model import TimmModel
from open_clip.tokenizer import HFTokenizer
from open_clip.transformer import TextTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.siglip import SigLipEncoder

TRUNK = "vit_base_patch16_siglip_224"
WIDTH, HEIGHT, BREADTH, LENGTH = 24, 48, 32, 8  # three rows and two columns of patches
WORDS = ["a", "man", "woman", "in", "with", "red", "blue", "jacket", "jeans", "and"]
SPECIAL = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "mask_token": "<mask>"}
CAPTIONS = ["A man, in a red jacket.", "a woman with blue jeans"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tokenizer of a few words."""
    names = [*SPECIAL.values(), *WORDS]
    tokenizer = Tokenizer(WordLevel({name: row for row, name in enumerate(names)}, "<pad>"))
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path_factory.mktemp("words")
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, **SPECIAL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small(words: Path) -> SigLipEncoder:
    """A small SigLIP with random weights."""
    torch.manual_seed(0)
    visual = TimmModel("vit_tiny_patch16_224", WIDTH, pool="", proj="none")
    visual.trunk = timm.create_model(
        TRUNK, img_size=(HEIGHT, BREADTH), embed_dim=WIDTH, depth=2, num_heads=2, num_classes=0
    )
    text = TextTransformer(
        LENGTH, 4 + len(WORDS), WIDTH, heads=2, layers=2, output_dim=WIDTH,
        no_causal_mask=True, proj_bias=True, pool_type="last",
    )  # fmt: skip
    tokenizer = HFTokenizer(str(words), LENGTH, clean="canonicalize")
    encoder = SigLipEncoder(visual, text, tokenizer)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder.eval()


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
