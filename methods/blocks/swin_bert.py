"""A Swin transformer and BERT, the second half of which fuses: what APTM and its kin train.

Yang et al., "Towards Unified Text-based Person Retrieval", ACM MM 2023
(https://arxiv.org/abs/2306.02898, code: https://github.com/Shuyu-XJTU/APTM). On timm's Swin
(Liu et al., ICCV 2021, https://arxiv.org/abs/2103.14030) and transformers' BERT layers.

Shapes: B items, N cells of the last grid of an image.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer, BertConfig, BertForMaskedLM

from harness.data.downloads import HubFiles
from harness.method import Download
from methods.blocks import tiny
from methods.blocks.albef import (
    DECODER,
    TEMPERATURE,
    WORDS,
    Albef,
    AlbefEncoder,
    FusingEncoder,
)
from methods.blocks.albef_weights import TEXT_LAYERS
from methods.blocks.albef_weights import rename as place_of_albef
from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.pretrained import WEIGHT_FILES, bert_downloads, loading, refuse_other_weights

TEXT_LENGTH = 56
WINDOW = 8  # cells of an edge
BERT_LAYERS = 2 * TEXT_LAYERS  # as many encode a text as fuse
IMAGE_TOWER = "vision_encoder."  # what the authors' code calls it
TAU = "temp"  # and the temperature
GOES_ON = "##"  # what a word piece of BERT begins with that is not the first of its word
WORD_BEGINS = "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}"  # a blank, in byte-pair encodings

# Parts of the model by their names: what begins anew beside a Swin and BERT, and the later half of
# the encoders with all heads.
NEW = r"fusion\.layers\.\d+\.crossattention"
LATER = (
    r"encoder\.visual\.swin\.layers\.([23]\.blocks|3\.downsample)|encoder\.layers\.[45]"
    r"|fusion\.layers\.[45]|masked_word_head|encoder\.(vision|text)_proj|matching_head"
)

State = dict[str, Tensor]


class Start(NamedTuple):
    """A model with what goes with it."""

    model: FusingEncoder
    temperature: float
    continues: frozenset[int]  # word pieces that go on with a word


class MeanFirst(nn.Module):
    """A Swin whose tokens begin with their mean, in the place of a class token."""

    def __init__(self, swin: Any) -> None:
        super().__init__()
        self.swin = swin
        self.num_features = int(swin.num_features)

    def forward_features(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1 + N, width)."""
        cells = self.swin.forward_features(pixels).flatten(1, 2)  # (B, N, width)
        return torch.cat([cells.mean(dim=1, keepdim=True), cells], dim=1)


class SwinBert(Albef):
    """ALBEF with a Swin, whose tokens are wider than BERT's, and a matching head of two layers."""

    def __init__(self, encoder: AlbefEncoder, config: BertConfig) -> None:
        super().__init__(encoder, config)
        width, spread = config.hidden_size, config.initializer_range
        for layer in self.fusion.layers:
            attention: Any = layer.crossattention
            attention.self.key = nn.Linear(encoder.visual.num_features, width)
            attention.self.value = nn.Linear(encoder.visual.num_features, width)
            attention.apply(lambda module: _draw(module, spread))  # as BERT begins
        # D -> (no match, match)
        self.matching_head: Any = nn.Sequential(
            nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(), nn.Linear(2 * width, 2)
        )


def _draw(module: nn.Module, spread: float) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=spread)
        nn.init.zeros_(module.bias)


def load_start(name: str, image_size: tuple[int, int]) -> Start:
    """Build a model by name for images of (height, width): `tiny-albef`, or "Swin+BERT".

    Raises as `load_swin_bert` does.
    """
    if "+" in name:
        return load_swin_bert(name, image_size)
    if name != "tiny-albef":
        raise ValueError(
            f"encoder {name!r} is neither tiny-albef nor a Swin with BERT behind a plus"
        )
    from methods.blocks.tiny_albef import load_tiny_albef

    pieces = tiny.load_tokenizer(tiny.WEIGHTS).get_vocab().items()
    continues = frozenset(number for piece, number in pieces if not piece.startswith(WORD_BEGINS))
    return Start(load_tiny_albef(), TEMPERATURE, continues)


def load_swin_bert(name: str, image_size: tuple[int, int]) -> Start:
    """Build a model from "Swin+BERT" for images of (height, width).

    The first is a name of timm's, the second one of the hub's or a folder, as transformers reads
    it. A Swin with a tag (`swin_base_patch4_window7_224.ms_in22k`) takes those weights from the
    hub, and BERT its own; one with a file (`swin_base_patch4_window7_224/FILE`) takes all weights
    from a checkpoint of the authors' code; without either all begin at random.

    Raises:
        ValueError: timm knows no such Swin or weights, or BERT has another number of layers.
        HarnessError: the weights cannot be had, or are another model's.
    """
    swin, _, bert = name.rpartition("+")
    swin, _, file = swin.partition("/")
    with loading(bert):
        config: Any = AutoConfig.from_pretrained(bert, trust_remote_code=False)
        tokenizer: Any = AutoTokenizer.from_pretrained(bert, trust_remote_code=False)
    if config.num_hidden_layers != BERT_LAYERS:
        raise ValueError(f"{bert} has {config.num_hidden_layers} layers, not {BERT_LAYERS}")
    config._attn_implementation = "eager"  # takes an additive mask as it is
    visual = MeanFirst(_load_swin(swin, image_size))
    model = SwinBert(
        AlbefEncoder(visual, config, _vocabulary(tokenizer), _reader(tokenizer)), config
    )
    temperature = TEMPERATURE
    if file:
        with loading(name):
            temperature = _fill_with_published(model, Path(file))
    elif "." in swin:
        with loading(bert):
            _fill_with_bert(model, bert)
    pieces = tokenizer.get_vocab().items()
    continues = frozenset(number for piece, number in pieces if piece.startswith(GOES_ON))
    return Start(model, temperature, continues)


def swin_bert_downloads(name: str) -> list[Download]:
    """Return what is fetched where `load_start` builds a model by this name."""
    if "+" not in name:
        return []
    swin, _, bert = name.rpartition("+")
    model, _, file = swin.partition("/")
    known = timm.get_pretrained_cfg(model) if "." in model and not file else None
    repository = known.hf_hub_id if known else None
    of_swin: list[Download] = [HubFiles(repository, (WEIGHT_FILES,))] if repository else []
    return [*of_swin, *bert_downloads(bert, is_pretrained=bool(of_swin))]


def _vocabulary(tokenizer: Any) -> Vocabulary:
    return Vocabulary(
        size=len(tokenizer),
        pad=tokenizer.pad_token_id,
        start=tokenizer.cls_token_id,
        mask=tokenizer.mask_token_id,
        end=tokenizer.sep_token_id,
        length=TEXT_LENGTH,
        trims=True,
    )


def _reader(tokenizer: Any) -> Any:
    def words(caption: str) -> list[int]:
        """A caption that spells a special token, "[SEP]", means the letters."""
        ids = tokenizer.encode(caption, add_special_tokens=False, split_special_tokens=True)
        return list(ids)

    return words


def _load_swin(name: str, image_size: tuple[int, int]) -> Any:
    """Return timm's Swin for images of a size, with its weights where the name has a tag."""
    model, _, tag = name.partition(".")
    if model not in timm.list_models("swin_*"):
        raise ValueError(f"timm has no Swin {model!r}; `timm.list_models('swin_*')` shows them")
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        raise ValueError(f"timm has no weights {tag!r} for {model}; there are: {tags}")
    with loading(name):
        swin: Any = timm.create_model(name, pretrained=bool(tag), drop_path_rate=0.1)
    swin.reset_classifier(0)
    lay_windows(swin, image_size)
    return swin


def lay_windows(swin: Any, image_size: tuple[int, int], edge: int = WINDOW) -> None:
    """Lay the windows of a Swin over images of (height, width), as Swin's own code does.

    They are squares of `edge` cells, or as wide as a grid that is not wider, and then they are not
    shifted in any direction; timm would shift them along the longer side. Positions within them
    are interpolated.
    """
    swin.patch_embed.set_input_size(img_size=image_size)
    height, width = swin.patch_embed.grid_size
    for number, stage in enumerate(swin.layers):
        before, here = 2 ** max(number - 1, 0), 2**number
        narrowest = min(height, width) // here
        if narrowest <= edge:
            for block in stage.blocks:
                block.target_shift_size = (0, 0)
        size = min(edge, narrowest)
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of how timm indexes
            stage.set_input_size((height // before, width // before), (size, size))


def _fill_with_bert(model: SwinBert, name: str) -> None:
    """Load BERT's layers, the second half into the fusion, where attention to images begins anew.

    Raises:
        RuntimeError: a weight is of another shape.
    """
    loaded: Any = BertForMaskedLM  # its types know nothing of the information on loading
    bert, told = loaded.from_pretrained(
        name, output_loading_info=True, ignore_mismatched_sizes=True
    )
    refuse_other_weights(name, told, unused=("pooler", "seq_relationship", "position_ids"))
    state = {
        place: value
        for weight, value in bert.state_dict().items()
        if (place := place_of_albef(f"text_encoder.{weight}"))
    }
    model.load_state_dict({**model.state_dict(), **state})


def _fill_with_published(model: SwinBert, file: Path) -> float:
    """Load a checkpoint of the authors' code, and return its temperature.

    Raises:
        RuntimeError: weights are missing or of another shape, or there are others.
        Exception: whatever torch raises where a file cannot be read; no code of it is run.
    """
    held = torch.load(file, map_location="cpu", weights_only=True)
    published: Mapping[str, Tensor] = held.get("model", held)
    if TAU not in published:
        raise RuntimeError(f"Missing key(s) in state_dict: {TAU}")
    model.load_state_dict(placed(published))
    return float(published[TAU])


def placed(published: Mapping[str, Tensor]) -> State:
    """Return the weights that the authors' code saves under their names here."""
    state = {place: value for name, value in published.items() if (place := rename(name))}
    if DECODER in state:  # it is the word embeddings
        state[DECODER] = state.get(f"encoder.{WORDS}", state[DECODER])
    return state


def rename(name: str) -> str | None:
    """Return the name here of a weight that the authors' code saves; None for what is not used."""
    if name == TAU or name.endswith(("relative_position_index", "attn_mask")):
        return None  # the method's own, and what follows from sizes
    if not name.startswith(IMAGE_TOWER):
        return place_of_albef(name)
    # Swin's own code merges cells at the end of a stage, timm at the beginning of the next.
    rest = re.sub(
        r"^layers\.(\d+)\.downsample\.",
        lambda found: f"layers.{int(found[1]) + 1}.downsample.",
        name.removeprefix(IMAGE_TOWER),
    )
    return f"encoder.visual.swin.{rest}"
