from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from transformers import BertConfig

from harness.errors import HarnessError
from methods.blocks import albef
from methods.blocks.albef import Albef, load_albef, rename

WIDTH, DEPTH, JOINT = 24, 2, 256
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "in", "red", "coat", "##ish"]
SQUARE = (32, 32)  # 2 x 2 patches: files are published for square images
SIZE = (48, 32)  # 3 x 2
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be built as published but narrow, and two layers of the image encoder."""
    monkeypatch.setattr(
        albef,
        "BertConfig",
        partial(
            BertConfig,
            hidden_size=WIDTH,
            num_attention_heads=2,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=64,
        ),
    )
    create = partial(timm.create_model, embed_dim=WIDTH, depth=DEPTH, num_heads=2)
    monkeypatch.setattr(albef, "timm", SimpleNamespace(create_model=create))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the vocabulary of a small BERT."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertConfig().save_pretrained(tmp_path)  # says whose vocabulary it is
    return tmp_path


def bert_layer(number: int, shapes: dict[str, tuple[int, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the names in a BERT layer, published and here; their shapes are noted."""
    here = f"encoder.layers.{number}" if number < 6 else f"fusion.layers.{number - 6}"
    kinds = ["attention"] if number < 6 else ["attention", "crossattention"]
    linear = {f"{kind}.self.{part}": (WIDTH, WIDTH) for kind in kinds
              for part in ("query", "key", "value")}  # fmt: skip
    linear |= {f"{kind}.output.dense": (WIDTH, WIDTH) for kind in kinds}
    linear |= {"intermediate.dense": (4 * WIDTH, WIDTH), "output.dense": (WIDTH, 4 * WIDTH)}
    norms = [f"{kind}.output.LayerNorm" for kind in kinds] + ["output.LayerNorm"]
    for part, shape in linear.items():
        for end, of in ((".weight", shape), (".bias", shape[:1])):
            shapes[f"{here}.{part}{end}"] = of
            yield f"encoder.layer.{number}.{part}{end}", f"{here}.{part}{end}"
    for part in norms:
        for end in (".weight", ".bias"):
            shapes[f"{here}.{part}{end}"] = (WIDTH,)
            yield f"encoder.layer.{number}.{part}{end}", f"{here}.{part}{end}"


def layout(bert: str, patches: int) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Return published name -> name here, and name here -> shape, without the masked-word head."""
    names: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def add(published: str, here: str, *shape: int) -> None:
        names[published], shapes[here] = here, shape

    add("visual_encoder.cls_token", "encoder.visual.cls_token", 1, 1, WIDTH)
    add("visual_encoder.pos_embed", "encoder.visual.pos_embed", 1, 1 + patches, WIDTH)
    add("visual_encoder.patch_embed.proj.weight", "encoder.visual.patch_embed.proj.weight",
        WIDTH, 3, 16, 16)  # fmt: skip
    add("visual_encoder.patch_embed.proj.bias", "encoder.visual.patch_embed.proj.bias", WIDTH)
    for block in range(DEPTH):
        for part, shape in {
            "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,),
            "attn.qkv.weight": (3 * WIDTH, WIDTH), "attn.qkv.bias": (3 * WIDTH,),
            "attn.proj.weight": (WIDTH, WIDTH), "attn.proj.bias": (WIDTH,),
            "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,),
            "mlp.fc1.weight": (4 * WIDTH, WIDTH), "mlp.fc1.bias": (4 * WIDTH,),
            "mlp.fc2.weight": (WIDTH, 4 * WIDTH), "mlp.fc2.bias": (WIDTH,),
        }.items():  # fmt: skip
            place = f"blocks.{block}.{part}"
            add(f"visual_encoder.{place}", f"encoder.visual.{place}", *shape)
    for end in ("weight", "bias"):
        add(f"visual_encoder.norm.{end}", f"encoder.visual.norm.{end}", WIDTH)
        add(f"{bert}embeddings.LayerNorm.{end}", f"encoder.embeddings.LayerNorm.{end}", WIDTH)
    for kind, count in {"word": len(WORDS), "position": 64, "token_type": 2}.items():
        part = f"embeddings.{kind}_embeddings.weight"
        add(f"{bert}{part}", f"encoder.{part}", count, WIDTH)
    for number in range(12):
        names |= {f"{bert}{theirs}": mine for theirs, mine in bert_layer(number, shapes)}
    for side in ("vision", "text"):
        add(f"{side}_proj.weight", f"encoder.{side}_proj.weight", JOINT, WIDTH)
        add(f"{side}_proj.bias", f"encoder.{side}_proj.bias", JOINT)
    add("itm_head.weight", "matching_head.weight", 2, WIDTH)
    add("itm_head.bias", "matching_head.bias", 2)
    return names, shapes


HEAD = {
    "bias": (len(WORDS),),
    "transform.dense.weight": (WIDTH, WIDTH),
    "transform.dense.bias": (WIDTH,),
    "transform.LayerNorm.weight": (WIDTH,),
    "transform.LayerNorm.bias": (WIDTH,),
    "decoder.weight": (len(WORDS), WIDTH),
    "decoder.bias": (len(WORDS),),
}


def published(seed: int, bert: str, head: bool, patches: int) -> tuple[State, State]:
    """Make a state of the published layout; return it and where each value belongs here."""
    generator = torch.Generator().manual_seed(seed)
    names, shapes = layout(bert, patches)
    if head:
        names |= {f"text_encoder.cls.predictions.{p}": f"masked_word_head.{p}" for p in HEAD}
        shapes |= {f"masked_word_head.{part}": shape for part, shape in HEAD.items()}
    state = {name: torch.randn(shapes[here], generator=generator) for name, here in names.items()}
    expected = {here: state[name] for name, here in names.items()}
    copies = {name.replace(".", "_m.", 1): value + 1 for name, value in state.items()
              if not name.startswith("itm_head")}  # fmt: skip
    extra = {
        "temp": torch.tensor(0.05),
        "image_queue": torch.randn(JOINT, 6, generator=generator),
        "text_queue": torch.randn(JOINT, 6, generator=generator),
        "idx_queue": torch.zeros(1, 6),
        "queue_ptr": torch.zeros(1, dtype=torch.long),
        f"{bert}embeddings.position_ids": torch.arange(64)[None],
    }
    return {**state, **copies, **extra}, expected


def weights(model: object) -> State:
    """Return the weights that a checkpoint holds."""
    return cast(nn.Module, model).state_dict()


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
    found = weights(load_albef(f"albef/{folder}", "coco", SQUARE))
    assert found.keys() == expected.keys() | heads.keys()
    for name, value in {**expected, **heads}.items():
        assert torch.equal(found[name], value), name
    # Without COCO the second file plays no part.
    found = weights(load_albef(f"albef/{folder}", "albef", SQUARE))
    assert all(torch.equal(found[name], value) for name, value in expected_first.items())


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
    assert load_albef(f"albef/{folder}", "coco", SQUARE).encoder.vocabulary.size == len(WORDS)


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


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("text_encoder.encoder.layer.5.output.dense.bias", "encoder.layers.5.output.dense.bias"),
        ("text_encoder.bert.encoder.layer.6.output.dense.bias",
         "fusion.layers.0.output.dense.bias"),
        ("text_encoder.bert.encoder.layer.11.crossattention.output.LayerNorm.weight",
         "fusion.layers.5.crossattention.output.LayerNorm.weight"),
        ("text_encoder_m.bert.encoder.layer.5.output.dense.bias", None),
        ("visual_encoder_m.norm.weight", None),
        ("vision_proj_m.bias", None),
        ("text_proj_m.bias", None),
        ("temp", None),
        ("text_queue", None),
        ("image_queue", None),
        ("idx_queue", None),
        ("queue_ptr", None),
        ("text_encoder.bert.embeddings.position_ids", None),
        ("text_encoder.embeddings.position_embeddings.weight",
         "encoder.embeddings.position_embeddings.weight"),
        ("text_encoder.cls.predictions.bias", "masked_word_head.bias"),
    ],
)  # fmt: skip
def test_where_a_published_weight_goes(name: str, here: str | None) -> None:
    """Six layers encode, six fuse; copies, queues and the temperature are left."""
    assert rename(name) == here


# Encoding.


@pytest.fixture
def model(folder: Path) -> Albef:
    """Random weights that all matter, ready to retrieve, in doubles."""
    torch.manual_seed(0)
    built = cast(Albef, load_albef(f"albef/{folder}", "coco", SIZE))
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
    assert albef.TEXT_LAYERS == 6
    assert albef.TEXT_LENGTH == 50
