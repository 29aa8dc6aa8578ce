"""Encoders by name, tiny and full size, with the weights that they are published with."""

from __future__ import annotations

from pathlib import Path

import open_clip
from open_clip.timm_model import TimmModel

from harness.data.downloads import HubFiles, WebFile
from harness.method import Download
from methods.blocks import tiny
from methods.blocks.dual_encoder import DualEncoder, Encoder, Vocabulary
from methods.blocks.pretrained import BESIDE_FILES, WORD_FILES, loading
from methods.blocks.siglip import SigLipEncoder, is_siglip

OPEN_CLIP = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"  # the first that is there
OF_URLS = Path("~/.cache/clip")  # where open_clip keeps what lies on no hub


def load_encoder(name: str, image_size: tuple[int, int]) -> Encoder:
    """Build an encoder by name: "ViT+BERT" as in `load_vit_bert`, any other a dual encoder."""
    dual = name.partition("/")[0] in open_clip.list_models()  # a file behind it may have a "+"
    if dual or "+" not in name:
        return load_dual_encoder(name, image_size)
    from methods.blocks.vit_bert import load_vit_bert

    return load_vit_bert(name, image_size)


def encoder_downloads(name: str) -> list[Download]:
    """Return what is fetched where `load_encoder` builds an encoder by this name."""
    model, _, tag = name.partition("/")
    if name in tiny.NAMES:
        return []
    if model not in open_clip.list_models() and "+" in name:
        from methods.blocks.vit_bert import vit_bert_downloads

        return vit_bert_downloads(name)
    known = open_clip.get_pretrained_cfg(model, tag) if tag and not Path(tag).is_file() else {}
    if place := known.get("hf_hub"):
        repository, _, file = place.rpartition("/")
        safe = f"{file.rpartition('.')[0]}.safetensors"
        weights = HubFiles(repository, ((safe, file) if file else OPEN_CLIP,))
        return [weights, *_words_downloads(model)]
    url = known.get("url")
    return [*([WebFile(url, OF_URLS.expanduser())] if url else []), *_words_downloads(model)]


def _words_downloads(model: str) -> list[Download]:
    """Return what an open_clip model reads its words with, where it is not CLIP's own."""
    name = (open_clip.get_model_config(model) or {}).get("text_cfg", {}).get("hf_tokenizer_name")
    return [HubFiles(name, (WORD_FILES,), BESIDE_FILES)] if name and not Path(name).is_dir() else []


def load_dual_encoder(name: str, image_size: tuple[int, int]) -> DualEncoder:
    """Build an encoder by name for images of (height, width).

    `tiny-clip`, `tiny-eva` and `tiny-towers` ship with the project. Any other name is open_clip's:
    `ViT-B-16-quickgelu/openai` takes the weights of that tag from the hub,
    `ViT-B-16-quickgelu/FILE` those of a file, a name alone starts from random weights. Of models
    on timm only EVA and SigLIP are known.
    """
    if name in tiny.NAMES:
        return tiny.load_tiny(name, image_size)
    model_name, _, tag = name.partition("/")
    return _open_clip_encoder(model_name, tag or None, image_size)


def _open_clip_encoder(name: str, tag: str | None, image_size: tuple[int, int]) -> DualEncoder:
    """Build an open_clip model; its grid of positions is interpolated to the image size.

    Raises:
        ValueError: open_clip knows no such model or weights, or it is a ResNet.
        HarnessError: the weights cannot be had, or are another model's.
    """
    models = open_clip.list_models()
    if name not in models:
        shipped = ", ".join(tiny.NAMES)
        raise ValueError(f"backbone {name!r} is neither {shipped} nor one of open_clip: {models}")
    vision = (open_clip.get_model_config(name) or {}).get("vision_cfg", {})
    if isinstance(vision.get("layers"), list):  # of a ResNet, by stage
        raise ValueError(f"backbone {name!r} is a ResNet; those of open_clip here are transformers")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if tag is not None and tag not in tags and not Path(tag).is_file():
        raise ValueError(
            f"open_clip has no weights {tag!r} for {name}, nor is it a file; there are: {tags}"
        )
    # NOTE: open_clip interpolates bicubically with antialiasing; IRRA and the code after it
    # bilinearly.
    with loading(f"{name}/{tag}"):
        model = open_clip.create_model(
            name,
            pretrained=tag,
            require_pretrained=tag is not None,
            force_image_size=image_size,
            force_custom_text=True,
        )
        if is_siglip(model):
            return SigLipEncoder(model.visual, model.text, open_clip.get_tokenizer(name))
    tokenizer = open_clip.SimpleTokenizer()
    # CLIP's vocabulary has no mask. The id of its last word serves, as in IRRA: it has to stay
    # below that of the end token, where open_clip pools.
    vocabulary = Vocabulary(
        size=tokenizer.vocab_size,
        pad=0,
        start=tokenizer.sot_token_id,
        mask=tokenizer.sot_token_id - 1,
        end=tokenizer.eot_token_id,
        length=model.text.context_length,
        trims=False,  # the causal mask of open_clip's text tower has a fixed size
    )
    parts = model.visual, model.text, vocabulary, tokenizer.encode
    if isinstance(model.visual, TimmModel):
        from methods.blocks.eva import EvaEncoder

        return EvaEncoder(*parts)
    return DualEncoder(*parts)
