"""How the weights of methods lie in the files that their authors publish.

Each is a table of names: what a file calls a weight, and where it belongs here. The tables are
written from the public code that saves such files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.registry import WeightsLayout, register_weights

# Parts of CLIP's text tower, which its own code keeps beside the image tower and not in one.
TEXT = (
    "transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection",
)  # fmt: skip
SCALE = "it scales all similarities alike, which ranks nothing"
SIZE = "a size, which the weights tell themselves"
TOWERS = "encoder.visual.", "encoder.text."


def of_clip(name: str) -> str | None:
    """Return where a weight of CLIP belongs, by the names of OpenAI's code or of open_clip's.

    Radford et al., ICML 2021 (https://github.com/openai/CLIP/blob/main/clip/model.py): `visual.`
    and the parts of the text tower beside it. open_clip's models have these, or `text.` before.
    """
    part = name.partition(".")[0]
    if part in ("visual", "text"):
        return f"encoder.{name}"
    return f"encoder.text.{name}" if part in TEXT else None


def from_scratch(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the backbone without the weights that it is usually loaded with."""
    return {"backbone": str(config["backbone"]).partition("/")[0]}


@register_weights("clip", "clip-itc")
class OfClip(WeightsLayout):
    """A model of OpenAI's code or of open_clip, as `state_dict` gives it."""

    title = "CLIP"
    unused: ClassVar[Mapping[str, str]] = {
        "logit_scale": SCALE,
        "logit_bias": SCALE,
        "input_resolution": SIZE,
        "context_length": SIZE,
        "vocab_size": SIZE,
    }
    encodes = TOWERS
    rename = staticmethod(of_clip)
    settings = staticmethod(from_scratch)


@register_weights("irra", "clip-itc")
class OfIrra(WeightsLayout):
    """`best.pth` of IRRA's code: a checkpoint whose `model` holds CLIP as `base_model`.

    https://github.com/anosorae/IRRA: model/build.py names the parts, model/clip_model.py those of
    CLIP, utils/checkpoint.py what stands around them. Code that forked it mostly saves alike.
    """

    title = "IRRA's code"
    unused: ClassVar[Mapping[str, str]] = {"base_model.logit_scale": SCALE, "logit_scale": SCALE}
    encodes = TOWERS
    classifier = "classifier.weight"
    settings = staticmethod(from_scratch)

    PARTS: ClassVar[Mapping[str, str]] = {
        "cross_attn.": "interaction.cross_attention.",
        "cross_modal_transformer.": "interaction.blocks.",
        "ln_pre_t.": "interaction.text_norm.",
        "ln_pre_i.": "interaction.image_norm.",
        "ln_post.": "interaction.norm.",
        "mlm_head.dense.": "masked_word_head.0.",
        "mlm_head.ln.": "masked_word_head.2.",
        "mlm_head.fc.": "masked_word_head.3.",
        "classifier.": "classifier.",
    }

    @staticmethod
    def rename(name: str) -> str | None:
        if name.startswith("base_model."):
            return of_clip(name.removeprefix("base_model."))
        return _of_parts(name, OfIrra.PARTS)


@register_weights("rde")
class OfRde(WeightsLayout):
    """`best.pth` of RDE's code: a checkpoint whose `model` holds CLIP as `base_model`.

    https://github.com/QinYang79/RDE: model/build.py names the parts, CrossEmbeddingLayer_tse.py
    what they are made of, utils/checkpoint.py what stands around them.
    """

    title = "RDE's code"
    unused: ClassVar[Mapping[str, str]] = {
        "base_model.logit_scale": SCALE,
        "logit_scale": SCALE,
        **{
            f"visul_emb_layer.linear.{part}": "a layer that the code makes and never calls"
            for part in ("weight", "bias")
        },
        **{
            f"{tower}_emb_layer.mlp.bns.1.{part}": "a norm that the code makes and never calls"
            for tower in ("visul", "texual")
            for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        },
    }
    encodes = (*TOWERS, "image_tokens.", "text_tokens.")
    settings = staticmethod(from_scratch)

    PARTS: ClassVar[Mapping[str, str]] = {
        "visul_emb_layer.fc.": "image_tokens.fc.",
        "visul_emb_layer.mlp.layers.0.": "image_tokens.mlp.0.",
        "visul_emb_layer.mlp.bns.0.": "image_tokens.mlp.1.",
        "visul_emb_layer.mlp.layers.1.": "image_tokens.mlp.3.",
        "texual_emb_layer.linear.": "text_tokens.fc.",
        "texual_emb_layer.mlp.layers.0.": "text_tokens.mlp.0.",
        "texual_emb_layer.mlp.bns.0.": "text_tokens.mlp.1.",
        "texual_emb_layer.mlp.layers.1.": "text_tokens.mlp.3.",
    }

    @staticmethod
    def rename(name: str) -> str | None:
        if name.startswith("base_model."):
            return of_clip(name.removeprefix("base_model."))
        return _of_parts(name, OfRde.PARTS)


@register_weights("tbps-clip")
class OfTbpsClip(WeightsLayout):
    """`checkpoint_best.pth` of TBPS-CLIP's code: a checkpoint whose `model` is two towers.

    https://github.com/Flame-Chasers/TBPS-CLIP: model/tbps_model.py names the parts,
    model/visual_transformer.py and model/text_transformer.py those of the towers, main.py what
    stands around them. Beside `model` lies an object with its settings, which is code to read: such
    a file is refused until its `model` is saved alone.
    """

    title = "TBPS-CLIP's code"
    encodes = TOWERS
    settings = staticmethod(from_scratch)

    PARTS: ClassVar[Mapping[str, str]] = {
        "visual.": "encoder.visual.",
        "encode_text.": "encoder.text.",
        "simclr_mlp.": "projection.",
        "logit_scale": "logit_scale",
    }

    @staticmethod
    def rename(name: str) -> str | None:
        return _of_parts(name, OfTbpsClip.PARTS)


def _of_parts(name: str, parts: Mapping[str, str]) -> str | None:
    """Return where a weight belongs by what its name begins with."""
    for theirs, ours in parts.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return None
