from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig

from harness.errors import HarnessError
from methods.blocks import albef
from methods.blocks.albef import Albef, Pretrained, clean_caption, load_albef
from methods.blocks.albef_weights import TEXT_LAYERS

from .published_albef import (
    SIZE,
    SQUARE,
    TEMPERATURE,
    WIDTH,
    WORDS,
    State,
    build_narrow,
    published,
    write_vocabulary,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be built as published but narrow, and two layers of the image encoder."""
    build_narrow(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the vocabulary of a small BERT."""
    write_vocabulary(tmp_path)
    return tmp_path


def weights(pretrained: Pretrained) -> State:
    """Return the weights that a checkpoint of the model holds."""
    return cast(nn.Module, pretrained.model).state_dict()


def test_the_pretrained_file_loads_with_every_weight_in_place(folder: Path) -> None:
    """The layout of ALBEF.pth: `text_encoder.bert.`, a masked-word head, copies and queues."""
    state, expected = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save({"model": state, "epoch": 29}, folder / "ALBEF.pth")
    found = weights(load_albef(f"albef/{folder}", "albef", SQUARE))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_the_file_fine_tuned_on_coco_takes_its_head_from_the_pretrained_one(folder: Path) -> None:
    """The layout of mscoco.pth: no `bert.`, no head; all else is its own, wherever both have it."""
    first, expected_first = published(0, "text_encoder.bert.", head=True, patches=4)
    second, expected = published(1, "text_encoder.", head=False, patches=4)
    torch.save({"model": first}, folder / "ALBEF.pth")
    torch.save({"model": second}, folder / "mscoco.pth")
    heads = {n: v for n, v in expected_first.items() if n.startswith("masked_word_head.")}
    # But for the decoder, which is the word embeddings as COCO left them.
    words = expected["encoder.embeddings.word_embeddings.weight"]
    heads["masked_word_head.decoder.weight"] = words
    found = weights(load_albef(f"albef/{folder}", "coco", SQUARE))
    assert found.keys() == expected.keys() | heads.keys()
    for name, value in {**expected, **heads}.items():
        assert torch.equal(found[name], value), name
    # Without COCO the second file plays no part.
    found = weights(load_albef(f"albef/{folder}", "albef", SQUARE))
    assert all(torch.equal(found[name], value) for name, value in expected_first.items())


@pytest.mark.parametrize(
    ("key", "file", "bert"),
    [("albef", "ALBEF.pth", "text_encoder.bert."), ("coco", "mscoco.pth", "text_encoder.")],
)
def test_copies_queues_and_temperature_are_the_file_s(
    folder: Path, key: str, file: str, bert: str
) -> None:
    """Those of the weights that are asked for, each queue with its oldest feature first."""
    first, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save({"model": first}, folder / "ALBEF.pth")
    state, expected = published(1, bert, head=key == "albef", patches=4)
    torch.save({"model": state}, folder / file)
    found = load_albef(f"albef/{folder}", key, SQUARE).momentum
    copies = found.encoder.state_dict()
    encoder = {n: v for n, v in expected.items() if n.startswith("encoder.")}
    assert copies.keys() == {name.removeprefix("encoder.") for name in encoder}
    for name, value in encoder.items():
        assert torch.equal(copies[name.removeprefix("encoder.")], value + 1), name
    order = [2, 3, 4, 5, 0, 1]
    assert torch.equal(found.images, state["image_queue"].T[order])
    assert torch.equal(found.texts, state["text_queue"].T[order])
    assert found.temperature == pytest.approx(TEMPERATURE)


def test_positions_of_the_copies_are_interpolated_too(folder: Path) -> None:
    """Copies see images of the same size as the model."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    state["visual_encoder_m.pos_embed"] = state["visual_encoder.pos_embed"]
    torch.save({"model": state}, folder / "ALBEF.pth")
    found = load_albef(f"albef/{folder}", "albef", SIZE)
    mine = weights(found)["encoder.visual.pos_embed"]
    assert mine.shape == (1, 7, WIDTH)
    assert torch.equal(found.momentum.encoder.state_dict()["visual.pos_embed"], mine)


@pytest.mark.parametrize(
    "name",
    ["image_queue", "text_queue", "queue_ptr", "temp", "visual_encoder_m.norm.bias",
     "text_proj_m.weight", "text_encoder_m.bert.encoder.layer.5.output.dense.bias"],
)  # fmt: skip
def test_a_file_without_what_a_contrast_goes_on_from_is_refused(folder: Path, name: str) -> None:
    """Nothing of it starts anew in silence; the message names the weight."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    del state[name]
    torch.save({"model": state}, folder / "ALBEF.pth")
    with pytest.raises(HarnessError, match=rf"Missing key.*{name.rpartition('.')[2]}"):
        load_albef(f"albef/{folder}", "albef", SQUARE)


@pytest.mark.parametrize("name", ["tiny-albef", "albef"])
def test_without_a_file_a_contrast_starts_anew(folder: Path, name: str) -> None:
    """Copies are the encoders, queues are empty, and the temperature is where ALBEF's began."""
    size = (96, 32) if name == "tiny-albef" else SQUARE
    found = load_albef(name if name == "tiny-albef" else f"albef/{folder}", "coco", size)
    assert found.momentum.encoder is found.model.encoder
    width = found.model.encoder.width
    assert found.momentum.images.shape == found.momentum.texts.shape == (0, width)
    assert found.momentum.temperature == 0.07


def test_a_weight_that_the_fine_tuned_file_lacks_is_not_the_pretrained_one_s(folder: Path) -> None:
    """But for the masked-word head, nothing of ALBEF.pth stands in for what mscoco.pth lacks."""
    first, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    second, _ = published(1, "text_encoder.", head=False, patches=4)
    del second["vision_proj.bias"]
    torch.save({"model": first}, folder / "ALBEF.pth")
    torch.save({"model": second}, folder / "mscoco.pth")
    with pytest.raises(HarnessError, match=r"Missing key.*vision_proj\.bias"):
        load_albef(f"albef/{folder}", "coco", SQUARE)


def test_a_bare_state_loads_too(folder: Path) -> None:
    """A file that is the state itself, not a training's checkpoint around it."""
    state, expected = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save(state, folder / "ALBEF.pth")
    found = weights(load_albef(f"albef/{folder}", "albef", SQUARE))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_positions_of_another_resolution_are_interpolated(folder: Path) -> None:
    """A 2 x 2 grid becomes 3 x 2, row by row; the class token's position stays."""
    state, expected = published(0, "text_encoder.bert.", head=True, patches=4)
    grid = torch.tensor([0.0, 1.0, 10.0, 11.0])  # ten a row, one a column
    state["visual_encoder.pos_embed"][0, 1:] = grid[:, None]
    torch.save({"model": state}, folder / "ALBEF.pth")
    found = weights(load_albef(f"albef/{folder}", "albef", SIZE))["encoder.visual.pos_embed"]
    assert torch.equal(found[0, 0], state["visual_encoder.pos_embed"][0, 0])
    rows = found[0, 1:, 0].view(3, 2)
    torch.testing.assert_close(rows[:, 1] - rows[:, 0], torch.ones(3))
    assert rows[0, 0] < rows[1, 0] < rows[2, 0]
    torch.testing.assert_close(rows[1, 0], torch.tensor(5.0))
    assert expected["encoder.visual.pos_embed"].shape == (1, 5, WIDTH)


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("text_encoder.bert.encoder.layer.7.crossattention.self.key.weight",
         r"fusion.layers.1.crossattention.self.key.weight"),
        ("text_encoder.cls.predictions.decoder.weight", "masked_word_head.decoder.weight"),
        ("visual_encoder.blocks.1.attn.qkv.bias", "encoder.visual.blocks.1.attn.qkv.bias"),
        ("itm_head.weight", "matching_head.weight"),
    ],
)  # fmt: skip
def test_a_missing_weight_is_named(folder: Path, name: str, here: str) -> None:
    """A file without one of the weights is refused."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    del state[name]
    torch.save({"model": state}, folder / "ALBEF.pth")
    with pytest.raises(HarnessError, match=rf"Missing key.*{here}"):
        load_albef(f"albef/{folder}", "albef", SQUARE)


@pytest.mark.parametrize(
    "name",
    ["text_encoder.bert.pooler.dense.weight", "visual_encoder.head.weight", "vision_proj.scale",
     "text_encoder.bert.encoder.layer.12.attention.self.query.weight", "cls_head.0.weight"],
)  # fmt: skip
def test_an_unexpected_weight_is_named(folder: Path, name: str) -> None:
    """A file that holds another one is refused."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save({"model": {**state, name: torch.zeros(1)}}, folder / "ALBEF.pth")
    last = name.rpartition(".")[2]
    with pytest.raises(HarnessError, match=rf"Unexpected key.*{last}"):
        load_albef(f"albef/{folder}", "albef", SQUARE)


def test_a_foreign_part_does_not_pass_for_the_head(folder: Path) -> None:
    """A weight of an unknown part is refused, though its last name is one of the head's."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save({"model": {**state, "other.bias": torch.zeros(len(WORDS))}}, folder / "ALBEF.pth")
    with pytest.raises(HarnessError, match="other"):
        load_albef(f"albef/{folder}", "albef", SQUARE)


def test_weights_that_a_folder_lacks_are_not_replaced(folder: Path) -> None:
    """A folder with ALBEF.pth alone has no weights fine-tuned on COCO."""
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    torch.save({"model": state}, folder / "ALBEF.pth")
    with pytest.raises(HarnessError, match=r"mscoco\.pth"):
        load_albef(f"albef/{folder}", "coco", SQUARE)


def test_a_vocabulary_alone_is_enough(folder: Path) -> None:
    """A folder needs no other file beside vocab.txt."""
    (folder / "config.json").unlink()
    found = load_albef(f"albef/{folder}", "coco", SQUARE).model
    assert found.encoder.vocabulary.size == len(WORDS)


def test_a_file_with_code_is_not_run(folder: Path) -> None:
    """What is no tensor is refused while it is read."""
    torch.save({"model": Path("x")}, folder / "ALBEF.pth")
    with pytest.raises(HarnessError, match="code in it is never run"):
        load_albef(f"albef/{folder}", "albef", SQUARE)


def test_a_folder_without_weights_starts_from_random_ones(folder: Path) -> None:
    """The same for one seed, others for another."""
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(weights(load_albef(f"albef/{folder}", "coco", SQUARE)))
    name = "fusion.layers.3.output.dense.weight"
    assert torch.equal(found[0][name], found[1][name])
    assert not torch.equal(found[0][name], found[2][name])


@pytest.mark.parametrize("name", ["albeff", "tiny-clip", "alb/folder"])
def test_an_unknown_encoder_is_refused(name: str) -> None:
    """The message says what there is."""
    with pytest.raises(ValueError, match="tiny-albef, albef and albef/FOLDER"):
        load_albef(name, "coco", SQUARE)


@pytest.mark.parametrize(("weights_name", "phase"), [("albef", 1), ("coco", 2)])
def test_the_tiny_encoder_after_either_phase(weights_name: str, phase: int) -> None:
    """Its second phase stands for the fine-tuning on COCO."""
    from methods.blocks.tiny_albef import load_tiny_albef

    found = weights(load_albef("tiny-albef", weights_name, (96, 32)))
    expected = load_tiny_albef(phase).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    other = load_tiny_albef(3 - phase).state_dict()
    assert not all(torch.equal(found[name], value) for name, value in other.items())


# Encoding.


@pytest.fixture
def model(folder: Path) -> Albef:
    """Random weights that all matter, ready to retrieve, in doubles."""
    torch.manual_seed(0)
    built = cast(Albef, load_albef(f"albef/{folder}", "coco", SIZE).model)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return built.double().eval()


def layer_norm(module: Any, token: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a token of mean 0 and deviation 1, scaled and moved."""
    centred = token - token.mean()
    unit = centred / np.sqrt((centred**2).mean() + module.eps)
    return unit * module.weight.detach().numpy() + module.bias.detach().numpy()


def by_hand(model: Albef, ids: list[int]) -> np.ndarray[Any, Any]:
    """Pass a text without padding through the six layers, token by token, head by head."""
    from math import sqrt

    from scipy.special import erf

    e: Any = model.encoder.embeddings
    vectors = [table.weight.detach().numpy() for table in
               (e.word_embeddings, e.position_embeddings, e.token_type_embeddings)]  # fmt: skip
    x = np.array([layer_norm(e.LayerNorm, vectors[0][n] + vectors[1][i] + vectors[2][0])
                  for i, n in enumerate(ids)])  # fmt: skip

    def lin(module: Any, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.array([module.weight.detach().numpy() @ r + module.bias.detach().numpy()
                         for r in rows])  # fmt: skip

    for block in cast(Any, model.encoder.layers):
        own, size = block.attention.self, WIDTH // 2
        query, key, value = lin(own.query, x), lin(own.key, x), lin(own.value, x)
        mixed = np.zeros_like(x)
        for head in (slice(0, size), slice(size, WIDTH)):
            for i in range(len(ids)):  # every token sees all, before and behind it
                scores = np.array([query[i, head] @ k[head] / sqrt(size) for k in key])
                shares = np.exp(scores - scores.max())
                mixed[i, head] = sum(s * v[head] for s, v in zip(shares, value, strict=True))
                mixed[i, head] /= shares.sum()
        out = block.attention.output
        x = np.array([layer_norm(out.LayerNorm, r) for r in lin(out.dense, mixed) + x])
        hidden = lin(block.intermediate.dense, x)
        hidden = hidden * (1 + erf(hidden / sqrt(2))) / 2
        x = np.array([layer_norm(block.output.LayerNorm, r)
                      for r in lin(block.output.dense, hidden) + x])  # fmt: skip
    return x


def test_equation_14_text_embeddings_of_bidirectional_layers(model: Albef) -> None:
    """Each token, [CLS] too, sees all; the embedding is the projected first token."""
    texts = model.encoder.encode_texts(["a man in red", "a man in a red coat in a coat"])
    assert texts.mask is not None
    assert texts.tokens is not None
    for row, length in enumerate((6, 11)):
        ids = model.encoder.tokenize(["a man in red", "a man in a red coat in a coat"])[row]
        assert texts.mask[row].tolist() == [i < length for i in range(11)]
        expected = by_hand(model, ids[:length].tolist())
        found = texts.tokens[row, :length].detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
        proj = model.encoder.text_proj
        embedding = proj.weight.detach().numpy() @ expected[0] + proj.bias.detach().numpy()
        np.testing.assert_allclose(texts.embedding[row].detach().numpy(), embedding, rtol=1e-7)


def test_equation_13_image_embeddings(model: Albef) -> None:
    """The class token behind the last norm, projected; pixels of CLIP's mean and deviation."""
    pixels = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    found = model.encoder.encode_images(pixels)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    given = ((pixels / 255 - mean) / deviation).double()
    tokens = model.encoder.visual.forward_features(given)
    assert found.tokens is not None
    assert tokens.shape == (2, 7, WIDTH)
    torch.testing.assert_close(found.tokens, tokens, rtol=1e-5, atol=1e-5)
    embedding = tokens[:, 0] @ model.encoder.vision_proj.weight.T + model.encoder.vision_proj.bias
    torch.testing.assert_close(found.embedding, embedding, rtol=1e-4, atol=1e-5)
    close = model.project_images(tokens[:, 3])
    expected = tokens[:, 3] @ model.encoder.vision_proj.weight.T + model.encoder.vision_proj.bias
    torch.testing.assert_close(close, expected)


def test_padding_never_matters(model: Albef) -> None:
    """Alone or beside a longer text: the same embedding, tokens and fusion."""
    alone = model.encoder.encode_texts(["a red coat"])
    beside = model.encoder.encode_texts(["a red coat", "a man in a red coat in a coat"])
    assert alone.tokens is not None
    assert beside.tokens is not None
    torch.testing.assert_close(alone.embedding[0], beside.embedding[0])
    torch.testing.assert_close(alone.tokens[0], beside.tokens[0, :5])
    images = model.encoder.encode_images(torch.zeros(2, 3, *SIZE, dtype=torch.uint8))
    assert images.tokens is not None
    first = type(images)(images.embedding[:1], images.tokens[:1])
    fused = model.fuse(beside, images)
    torch.testing.assert_close(model.fuse(alone, first)[0], fused[0, :5])


def test_texts_are_cut_to_fifty_tokens(model: Albef) -> None:
    """Start and end are kept; a shorter batch is not padded to fifty."""
    ids = model.encoder.tokenize(["a man " * 40, "a"])
    assert ids.shape == (2, 50)
    assert (ids[0, 0], ids[0, -1]) == (2, 3)
    assert ids[1].tolist() == [2, 5, 3] + [0] * 47
    assert model.encoder.tokenize(["a reddish"]).tolist() == [[2, 5, 1, 3]]
    assert model.encoder.tokenize(["Redish coat"]).tolist() == [[2, 8, 10, 9, 3]]


@pytest.mark.parametrize(
    ("caption", "read"),
    [
        ("A man, in a RED coat.", "a man in a red coat"),
        ("a t-shirt/sweater; it's (very) red!", "a t shirt sweater its very red"),
        ("two   spaces\t\nand a * star *", "two spaces and a star"),
        ('<person> in #1: "red"~?\n', "person in 1 red"),
        ("", ""),
        (" ... ", ""),
    ],
)
def test_captions_are_cleaned_as_for_pretraining(caption: str, read: str) -> None:
    """Small letters, without ALBEF's punctuation; hyphens and slashes part words."""
    assert clean_caption(caption) == read


def test_the_encoder_reads_clean_captions(model: Albef) -> None:
    """Punctuation has no tokens, and what a hyphen joins is two words; phrases are read alike."""
    ids = model.encoder.tokenize(["A man, in a red-coat.", "a man in a red coat"])
    assert torch.equal(ids[0], ids[1])
    assert model.encoder.word_pieces("red-coat") == model.encoder.word_pieces("red coat")
    assert model.encoder.word_pieces(",") == []


def test_the_masked_word_decoder_is_the_word_embeddings(model: Albef) -> None:
    """One tensor, learned by both and in the optimiser once, with one bias, as BERT has it."""
    words = model.encoder.embeddings.word_embeddings.weight
    head = model.masked_word_head
    assert head.decoder.weight is words
    assert head.decoder.bias is head.bias
    fused = torch.randn(1, 2, WIDTH, dtype=torch.float64)
    hidden = head.transform(fused)
    torch.testing.assert_close(head(fused), hidden @ words.T + head.bias)
    names = [name for name, _ in model.named_parameters()]
    assert "encoder.embeddings.word_embeddings.weight" in names
    assert not [name for name in names if "decoder" in name]
    assert words.data_ptr() not in {p.data_ptr() for p in head.transform.parameters()}


def test_a_tied_decoder_survives_a_checkpoint(model: Albef, folder: Path, tmp_path: Path) -> None:
    """Loaded from a file the other model is the same, and its decoder still its embeddings."""
    torch.save(model.state_dict(), tmp_path / "checkpoint.pt")
    other = cast(Albef, load_albef(f"albef/{folder}", "coco", SIZE).model).double()
    other.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    assert other.masked_word_head.decoder.weight is other.encoder.embeddings.word_embeddings.weight


def test_random_words_start_as_bert_s(folder: Path) -> None:
    """Deviation 0.02: masked words begin near an even guess."""
    torch.manual_seed(0)
    found = cast(Albef, load_albef(f"albef/{folder}", "coco", SQUARE).model)
    words = found.encoder.embeddings.word_embeddings.weight
    assert 0.01 < words.std() < 0.03


def test_dropout_is_that_of_bert(model: Albef) -> None:
    """A tenth, in the text layers, the fusion layers and behind attention."""
    rates = {n: m.p for n, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p}
    assert set(rates.values()) == {0.1}
    assert any(name.startswith("fusion.layers.5.crossattention") for name in rates)
    assert any(name.startswith("encoder.layers.0") for name in rates)


def test_full_size_is_albefs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Twelve layers of 768, half of them fusing; only asked for, not built."""
    asked: dict[str, Any] = {}

    def create(name: str, **settings: Any) -> nn.Module:
        asked.update(settings, name=name)
        raise InterruptedError

    monkeypatch.setattr(albef, "BertConfig", cast(Callable[..., BertConfig], BertConfig))
    monkeypatch.setattr(albef, "timm", SimpleNamespace(create_model=create))
    with pytest.raises(InterruptedError):
        load_albef(f"albef/{folder}", "coco", (384, 384))
    assert asked == {"name": "vit_base_patch16_224", "img_size": (384, 384), "num_classes": 0}
    assert TEXT_LAYERS == 6
    assert albef.TEXT_LENGTH == 50
