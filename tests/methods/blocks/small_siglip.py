"""A small SigLIP of random weights, with a tokenizer of a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from open_clip.timm_model import TimmModel
from open_clip.tokenizer import HFTokenizer
from open_clip.transformer import TextTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import PreTrainedTokenizerFast

from methods.blocks.siglip import SigLipEncoder

TRUNK = "vit_base_patch16_siglip_224"
WIDTH, HEIGHT, BREADTH, LENGTH = 24, 48, 32, 8  # three rows and two columns of patches
WORDS = ["a", "man", "woman", "in", "with", "red", "blue", "jacket", "jeans", "and"]
SPECIAL = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "mask_token": "<mask>"}


def save_words(folder: Path, has_end: bool = False) -> Path:
    """Save a tokenizer that closes texts with an end token, as that of SigLIP 2, or does not."""
    names = [*SPECIAL.values(), *WORDS]
    tokenizer = Tokenizer(WordLevel({name: row for row, name in enumerate(names)}, "<pad>"))
    tokenizer.pre_tokenizer = Whitespace()
    if has_end:
        end = SPECIAL["eos_token"]
        template: Any = TemplateProcessing  # untyped
        tokenizer.post_processor = template(f"$A {end}", special_tokens=[(end, names.index(end))])
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, **SPECIAL).save_pretrained(folder)
    return folder


def small_siglip(words: Path) -> SigLipEncoder:
    """Build it with a saved tokenizer."""
    torch.manual_seed(0)
    visual = TimmModel("vit_tiny_patch16_224", WIDTH, pool="", proj="none")
    visual.trunk = timm.create_model(
        TRUNK, img_size=(HEIGHT, BREADTH), embed_dim=WIDTH, depth=2, num_heads=2, num_classes=0
    )
    text = TextTransformer(
        LENGTH, len(SPECIAL) + len(WORDS), WIDTH, heads=2, layers=2, output_dim=WIDTH,
        no_causal_mask=True, proj_bias=True, pool_type="last",
    )  # fmt: skip
    tokenizer = HFTokenizer(str(words), LENGTH, clean="canonicalize")
    encoder = SigLipEncoder(visual, text, tokenizer)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder.eval()
