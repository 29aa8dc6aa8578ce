"""A Swin with BERT: windows as Swin's own code lays them, weights as APTM's code saves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models.swin_transformer import SwinTransformer
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM

from harness.errors import HarnessError
from methods.blocks import swin_bert
from methods.blocks.albef import FusingEncoder
from methods.blocks.swin_bert import (
    LATER,
    NEW,
    MeanFirst,
    SwinBert,
    lay_windows,
    load_start,
    placed,
    rename,
)

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "woman", "in", "red", "jacket", "bag",
    "##s", "and",
]  # fmt: skip
WIDTH, LAYERS = 32, 12
SWIN = "swin_tiny_patch4_window7_224"
SIZE = (64, 32)  # grids of 16 x 8, 8 x 4, 4 x 2, 2 x 1 cells


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vocabulary and the weights of a narrow BERT of twelve layers."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=2,
        intermediate_size=4 * WIDTH, max_position_embeddings=64,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def small_swin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm's smallest Swin be one of four narrow blocks."""
    whole = timm.create_model

    def create(name: str, **settings: Any) -> Any:
        return whole(name, embed_dim=16, depths=(1, 1, 1, 1), num_heads=(1, 2, 4, 8), **settings)

    monkeypatch.setattr(timm, "create_model", create)


# Windows.


def swin(height: int, width: int) -> Any:
    """Return a narrow Swin with two blocks a stage, as it is built for images of 224."""
    torch.manual_seed(0)
    model: Any = SwinTransformer(
        embed_dim=8, depths=(2, 2, 2, 2), num_heads=(1, 2, 2, 4), window_size=7, num_classes=0
    )
    lay_windows(model, (height, width))
    return model.eval()


def test_windows_are_those_of_the_published_model() -> None:
    """Of 384 x 128: eight cells, four in the last stage; no shift where a grid is not wider."""
    stages = swin(384, 128).layers
    found = [[(b.input_resolution, b.window_size, b.shift_size) for b in s.blocks] for s in stages]
    still = (0, 0)
    assert found == [
        [((96, 32), (8, 8), still), ((96, 32), (8, 8), (4, 4))],
        [((48, 16), (8, 8), still), ((48, 16), (8, 8), (4, 4))],
        [((24, 8), (8, 8), still), ((24, 8), (8, 8), still)],
        [((12, 4), (4, 4), still), ((12, 4), (4, 4), still)],
    ]
    tables = [tuple(stage.blocks[0].attn.relative_position_bias_table.shape) for stage in stages]
    assert tables == [(225, 1), (225, 2), (225, 2), (49, 4)]


def test_a_block_without_shift_reads_each_window_alone() -> None:
    """In a grid of 24 x 8 a cell changes its own window of 8 x 8 and no other."""
    block = swin(384, 128).layers[2].blocks[1].double()
    cells = torch.randn(1, 24, 8, 32, dtype=torch.float64)
    other = cells.clone()
    other[0, 9, 3] = -other[0, 9, 3]
    with torch.no_grad():
        changed = (block(cells) != block(other))[0].any(dim=-1)  # (24, 8)
    assert changed[8:16].all()
    assert not changed[:8].any()
    assert not changed[16:].any()


def test_tokens_begin_with_their_mean() -> None:
    """48 cells of an image of 384 x 128, row by row, behind one that stands for all."""
    tower = MeanFirst(swin(384, 128).double())
    pixels = torch.randn(2, 3, 384, 128, dtype=torch.float64)
    with torch.no_grad():
        tokens = tower.forward_features(pixels)
        grid = tower.swin.forward_features(pixels)
    assert tokens.shape == (2, 49, 64)
    assert torch.equal(tokens[:, 1 + 4 * 5 + 2], grid[:, 5, 2])
    for column in range(0, 64, 13):
        mean = sum(float(grid[1, y, x, column]) for y in range(12) for x in range(4)) / 48
        assert float(tokens[1, 0, column]) == pytest.approx(mean)


# Weights.


def test_berts_second_half_fuses(bert: Path, small_swin: None, monkeypatch: Any) -> None:
    """Its layers 7 to 12 have their weights; attention to images begins as BERT does."""
    monkeypatch.setattr(swin_bert, "_load_swin", lambda name, size: swin(*size))
    model: Any = load_start(f"{SWIN}.ms_in1k+{bert}", SIZE).model
    theirs: Any = BertForMaskedLM.from_pretrained(bert)
    for number in range(LAYERS):
        half = model.encoder.layers if number < 6 else model.fusion.layers
        ours, layer = half[number % 6], theirs.bert.encoder.layer[number]
        assert torch.equal(ours.attention.self.query.weight, layer.attention.self.query.weight)
        assert torch.equal(ours.output.dense.bias, layer.output.dense.bias)
    words = theirs.bert.embeddings.word_embeddings.weight
    assert torch.equal(model.encoder.embeddings.word_embeddings.weight, words)
    assert model.masked_word_head.decoder.weight is model.encoder.embeddings.word_embeddings.weight
    dense = theirs.cls.predictions.transform.dense.weight
    assert torch.equal(model.masked_word_head.transform.dense.weight, dense)
    key = model.fusion.layers[0].crossattention.self.key
    assert key.weight.shape == (WIDTH, 64)  # from the width of the Swin
    assert float(key.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert not key.bias.any()


def published(model: FusingEncoder) -> dict[str, Tensor]:
    """Return weights of a model under the names that the authors' code has for them."""
    swap = {
        "encoder.visual.swin.": "vision_encoder.",
        "encoder.embeddings.": "text_encoder.bert.embeddings.",
        "masked_word_head.": "text_encoder.cls.predictions.", "matching_head.": "itm_head.",
        "encoder.vision_proj.": "vision_proj.", "encoder.text_proj.": "text_proj.",
    }  # fmt: skip
    for half, start in (("encoder.layers.", 0), ("fusion.layers.", 6)):
        for number in range(6):
            there = f"text_encoder.bert.encoder.layer.{start + number}."
            swap[f"{half}{number}."] = there
    for number in (1, 2, 3):  # Swin's own code merges cells one stage earlier
        before = f"vision_encoder.layers.{number - 1}.downsample."
        swap[f"encoder.visual.swin.layers.{number}.downsample."] = before
    found: dict[str, Tensor] = {}
    assert isinstance(model, SwinBert)
    for name, value in model.state_dict().items():
        begin = max((one for one in swap if name.startswith(one)), key=len)
        found[swap[begin] + name.removeprefix(begin)] = torch.rand_like(value)
    head = "text_encoder.cls.predictions."
    found[f"{head}decoder.weight"] = found["text_encoder.bert.embeddings.word_embeddings.weight"]
    found[f"{head}decoder.bias"] = found[f"{head}bias"]
    for number in range(4):
        block = f"vision_encoder.layers.{number}.blocks.0"
        found[f"{block}.attn.relative_position_index"] = torch.zeros(4, 4, dtype=torch.long)
        found[f"{block}.attn_mask"] = torch.zeros(2, 4, 4)
    found["temp"] = torch.tensor(0.03)
    return found


def test_a_published_checkpoint_fills_everything(
    bert: Path, small_swin: None, tmp_path: Path
) -> None:
    """Every weight has its place, what follows from sizes is left, the temperature comes along."""
    state = published(load_start(f"{SWIN}+{bert}", SIZE).model)
    torch.save({"model": state, "config": {"temp": 0.07}}, tmp_path / "checkpoint_31.pth")
    start = load_start(f"{SWIN}/{tmp_path / 'checkpoint_31.pth'}+{bert}", SIZE)
    assert start.temperature == pytest.approx(0.03)
    assert start.continues == {WORDS.index("##s")}
    model: Any = start.model
    ours = model.state_dict()
    assert len(placed(state)) == len(ours)
    for place, name in {
        "encoder.visual.swin.layers.2.downsample.reduction.weight":
            "vision_encoder.layers.1.downsample.reduction.weight",
        "fusion.layers.3.crossattention.self.value.weight":
            "text_encoder.bert.encoder.layer.9.crossattention.self.value.weight",
        "matching_head.3.bias": "itm_head.3.bias",
        "masked_word_head.bias": "text_encoder.cls.predictions.bias",
    }.items():  # fmt: skip
        assert torch.equal(ours[place], state[name])


def parts(model: FusingEncoder, pattern: str) -> set[str]:
    """Return the beginnings of the names that a pattern finds."""
    assert isinstance(model, SwinBert)
    names = [name for name, _ in model.named_parameters() if re.match(pattern, name)]
    return {".".join(name.removeprefix("encoder.visual.swin.").split(".")[:3]) for name in names}


def test_parts_of_the_model_are_those_of_the_code(bert: Path, small_swin: None) -> None:
    """Two stages of a Swin and what is between them, two layers of each half of BERT, heads."""
    model = load_start(f"{SWIN}+{bert}", SIZE).model
    assert parts(model, NEW) == {f"fusion.layers.{number}" for number in range(6)}
    found = parts(model, LATER)
    assert {one for one in found if one.startswith("layers.")} == {
        "layers.2.blocks", "layers.3.blocks", "layers.3.downsample",
    }  # fmt: skip
    assert {one for one in found if one.startswith("encoder.")} == {
        "encoder.layers.4", "encoder.layers.5", "encoder.vision_proj.weight",
        "encoder.vision_proj.bias", "encoder.text_proj.weight", "encoder.text_proj.bias",
    }  # fmt: skip
    assert {one for one in found if one.startswith("fusion.")} == {
        "fusion.layers.4", "fusion.layers.5",
    }  # fmt: skip
    heads = {one.split(".")[0] for one in found} - {"layers", "encoder", "fusion"}
    assert heads == {"matching_head", "masked_word_head"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("temp"), "Missing key.*temp"),
        (lambda state: state.pop("itm_head.0.bias"), "Missing key.*matching_head.0.bias"),
        (lambda state: state.update({"<script>": torch.zeros(1)}), "Unexpected key.*script"),
        (lambda state: state.update({"vision_proj.bias": torch.zeros(1)}), "size mismatch"),
    ],
)
def test_a_file_of_another_model_is_refused(
    bert: Path, small_swin: None, tmp_path: Path, change: Any, message: str
) -> None:
    """Naming what is wrong."""
    state = published(load_start(f"{SWIN}+{bert}", SIZE).model)
    change(state)
    torch.save({"model": state}, tmp_path / "other.pth")
    with pytest.raises(HarnessError, match=message):
        load_start(f"{SWIN}/{tmp_path / 'other.pth'}+{bert}", SIZE)


def test_code_in_a_file_is_never_run(bert: Path, small_swin: None, tmp_path: Path) -> None:
    """A pickle that would touch a file does not."""

    class Touches:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    torch.save({"model": Touches()}, tmp_path / "bad.pth")
    with pytest.raises(HarnessError, match="code in it is never run"):
        load_start(f"{SWIN}/{tmp_path / 'bad.pth'}+{bert}", SIZE)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny-clip", "'tiny-clip' is neither tiny-albef nor a Swin with BERT behind a plus"),
        ("swin_huge+{bert}", "timm has no Swin 'swin_huge'"),
        (f"{SWIN}.of_mine+{{bert}}", "no weights 'of_mine' for .*; there are: .*ms_in1k"),
    ],
)
def test_an_unknown_name_is_refused(bert: Path, name: str, message: str) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match=message):
        load_start(name.format(bert=bert), SIZE)


def test_a_bert_of_other_depth_is_refused(tmp_path: Path) -> None:
    """Half of it fuses, so it has to have twelve layers."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertConfig(vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=4).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 4 layers, not 12"):
        load_start(f"{SWIN}+{tmp_path}", SIZE)


def test_what_is_fetched_is_named() -> None:
    """The Swin of a tag and BERT; of a file the words of BERT alone; nothing of the tiny one."""
    names = [one.name for one in swin_bert.swin_bert_downloads(
        "swin_base_patch4_window7_224.ms_in22k+google-bert/bert-base-uncased"
    )]  # fmt: skip
    assert [name for name in names if "swin_base" in name]
    assert [name for name in names if "bert-base-uncased" in name]
    (words,) = swin_bert.swin_bert_downloads(f"{SWIN}/file.pth+google-bert/bert-base-uncased")
    assert "bert-base-uncased" in words.name
    assert swin_bert.swin_bert_downloads("tiny-albef") == []


def test_word_pieces_of_the_tiny_encoder_go_on_without_a_blank() -> None:
    """What a text's words begin with is not among them."""
    start = load_start("tiny-albef", (96, 32))
    encoder: Any = start.model.encoder
    pieces = encoder.word_pieces("a woman in turquoise")
    begins = [piece not in start.continues for piece in pieces]
    assert begins[:3] == [True, True, True]
    assert sum(begins) == 4


def test_names_that_are_nothings_place_keep_themselves() -> None:
    """So that loading says that they are too many; what is not used has none."""
    assert rename("something.else") == "something.else"
    assert rename("temp") is None
    assert rename("vision_encoder.layers.0.blocks.1.attn_mask") is None
