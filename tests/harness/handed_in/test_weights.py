"""Weights in the layout that authors publish, against a forward pass that is written out here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness import registry
from harness.errors import HarnessError
from harness.handed_in.weights import load_weights
from harness.results import load_runs
from harness.training.building import build_method

WIDTH, HEADS, LAYERS, PEOPLE = 128, 2, 2, 11
HEIGHT, BREADTH, PATCH = 64, 32, 16
WORDS, LENGTH = 49_408, 77  # of CLIP's tokenizer
NAME = "small-quickgelu"  # a model of CLIP's kind, as open_clip builds it from a file
MODEL = {
    "embed_dim": WIDTH, "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": LAYERS, "width": WIDTH, "patch_size": PATCH},
    "text_cfg": {
        "context_length": LENGTH, "vocab_size": WORDS, "width": WIDTH, "heads": HEADS,
        "layers": LAYERS,
    },
}  # fmt: skip
CAPTIONS = ["A man in a red coat.", "She carries a small blue bag, and walks away"]

State = dict[str, Tensor]


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the weights that IRRA's code saves, by its names."""
    patches = HEIGHT // PATCH * (BREADTH // PATCH)
    visual = "base_model.visual."
    yield f"{visual}class_embedding", (WIDTH,)
    yield f"{visual}positional_embedding", (patches + 1, WIDTH)
    yield f"{visual}proj", (WIDTH, WIDTH)
    yield f"{visual}conv1.weight", (WIDTH, 3, PATCH, PATCH)
    yield "base_model.positional_embedding", (LENGTH, WIDTH)
    yield "base_model.text_projection", (WIDTH, WIDTH)
    yield "base_model.token_embedding.weight", (WORDS, WIDTH)
    norms = [f"{visual}ln_pre", f"{visual}ln_post", "base_model.ln_final", "ln_pre_t", "ln_pre_i",
             "ln_post", "mlm_head.ln"]  # fmt: skip
    blocks = {f"{visual}transformer": LAYERS, "base_model.transformer": LAYERS,
              "cross_modal_transformer": 4}  # fmt: skip
    attention = ["cross_attn"]
    linear = {"mlm_head.dense": (WIDTH, WIDTH), "mlm_head.fc": (WORDS, WIDTH),
              "classifier": (PEOPLE, WIDTH)}  # fmt: skip
    for tower, count in blocks.items():
        for number in range(count):
            block = f"{tower}.resblocks.{number}"
            norms += [f"{block}.ln_1", f"{block}.ln_2"]
            attention.append(f"{block}.attn")
            linear |= {f"{block}.mlp.c_fc": (4 * WIDTH, WIDTH),
                       f"{block}.mlp.c_proj": (WIDTH, 4 * WIDTH)}  # fmt: skip
    for name in attention:
        yield f"{name}.in_proj_weight", (3 * WIDTH, WIDTH)
        yield f"{name}.in_proj_bias", (3 * WIDTH,)
        linear[f"{name}.out_proj"] = (WIDTH, WIDTH)
    for name in norms:
        yield f"{name}.weight", (WIDTH,)
        yield f"{name}.bias", (WIDTH,)
    for name, shape in linear.items():
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]


@pytest.fixture(scope="module")
def published() -> State:
    """Random weights as IRRA's code saves them, in half precision."""
    draw = torch.Generator().manual_seed(0)
    return {name: (0.1 * torch.randn(shape, generator=draw)).half() for name, shape in shapes()}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """IRRA's config at a size that open_clip is told of here."""
    folder = tmp_path_factory.mktemp("models")
    (folder / f"{NAME}.json").write_text(json.dumps(MODEL), encoding="utf-8")
    open_clip.add_model_config(folder)
    description = irra().description
    assert description is not None
    full = description["scales"]["paper"]["config"]
    size = (HEIGHT, BREADTH)
    return {**full, "backbone": f"{NAME}/openai", "image_size": size, "heads": HEADS}


def irra() -> registry.Listing:
    """The method that reads them."""
    return registry.find_method("irra", registry.list_methods())


def save(file: Path, state: State) -> Path:
    """Save a checkpoint as IRRA's code does, with what training goes on from."""
    around = {"optimizer": {"state": {}, "param_groups": [{"lr": 1e-5}]}, "epoch": 60}
    torch.save({"model": state, **around}, file)
    return file


def test_features_are_those_of_a_forward_pass(
    tmp_path: Path, published: State, config: dict[str, Any]
) -> None:
    """Every weight of the file has its place: both towers give what CLIP's equations do."""
    loaded = load_weights(irra(), config, save(tmp_path / "best.pth", published))
    assert (loaded.used, loaded.unused, list(loaded.missing)) == (len(published), {}, [])
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (3, 3, HEIGHT, BREADTH), generator=draw, dtype=torch.uint8)
    method = loaded.method.eval()
    state = {name: one.double() for name, one in published.items()}
    with torch.no_grad():
        found = method.encode_images(images).embedding, method.encode_texts(CAPTIONS).embedding
    wanted = encode_images(state, images), encode_texts(state, CAPTIONS)
    for own, other in zip(found, wanted, strict=True):
        assert torch.allclose(own.double(), other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def encode_images(state: State, images: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, D), as Radford et al. write it, in double precision."""
    visual = "base_model.visual."
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).double().view(3, 1, 1)
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).double().view(3, 1, 1)
    pixels = (images.double() / 255 - mean) / deviation
    patches = F.conv2d(pixels, state[f"{visual}conv1.weight"], stride=PATCH).flatten(2).mT
    first = state[f"{visual}class_embedding"].expand(len(images), 1, WIDTH)
    x = torch.cat([first, patches], 1) + state[f"{visual}positional_embedding"]
    x = run(state, f"{visual}transformer", norm(state, f"{visual}ln_pre", x), None)
    return norm(state, f"{visual}ln_post", x[:, 0]) @ state[f"{visual}proj"]


def encode_texts(state: State, captions: list[str]) -> Tensor:
    """B captions -> (B, D): pooled at the end, the largest id."""
    ids = open_clip.SimpleTokenizer()(captions, LENGTH)
    x = state["base_model.token_embedding.weight"][ids] + state["base_model.positional_embedding"]
    later = torch.full((LENGTH, LENGTH), -torch.inf).double().triu(1)
    x = norm(state, "base_model.ln_final", run(state, "base_model.transformer", x, later))
    return x[torch.arange(len(ids)), ids.argmax(1)] @ state["base_model.text_projection"]


def run(state: State, tower: str, x: Tensor, mask: Tensor | None) -> Tensor:
    """(B, L, D) through the blocks of a tower."""
    for number in range(LAYERS):
        block = f"{tower}.resblocks.{number}"
        x = x + attend(state, f"{block}.attn", norm(state, f"{block}.ln_1", x), mask)
        hidden = linear(state, f"{block}.mlp.c_fc", norm(state, f"{block}.ln_2", x))
        x = x + linear(state, f"{block}.mlp.c_proj", hidden * torch.sigmoid(1.702 * hidden))
    return x


def attend(state: State, name: str, x: Tensor, mask: Tensor | None) -> Tensor:
    """Self-attention over (B, L, D), head by head."""
    joined = x @ state[f"{name}.in_proj_weight"].mT + state[f"{name}.in_proj_bias"]
    heads = []
    for q, k, v in zip(*(part.chunk(HEADS, -1) for part in joined.chunk(3, -1)), strict=True):
        scores = q @ k.mT / (WIDTH // HEADS) ** 0.5
        heads.append((scores if mask is None else scores + mask).softmax(-1) @ v)
    return linear(state, f"{name}.out_proj", torch.cat(heads, -1))


def linear(state: State, name: str, x: Tensor) -> Tensor:
    """An affine map."""
    return x @ state[f"{name}.weight"].mT + state[f"{name}.bias"]


def norm(state: State, name: str, x: Tensor) -> Tensor:
    """Layer norm over the last dimension."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def test_what_is_not_needed_is_named(
    tmp_path: Path, published: State, config: dict[str, Any]
) -> None:
    """A checkpoint of the baseline lacks what IRRA trains with; a temperature ranks nothing."""
    clip = {f"module.{n}": t for n, t in published.items() if n.startswith("base_model.")}
    clip["module.base_model.logit_scale"] = torch.tensor(4.6)
    loaded = load_weights(irra(), config, save(tmp_path / "best.pth", clip))
    assert loaded.unused == {
        "base_model.logit_scale": "it scales all similarities alike, which ranks nothing"
    }
    assert {name.partition(".")[0] for name in loaded.missing} == {
        "classifier", "interaction", "masked_word_head",
    }  # fmt: skip
    method = registry.find_method("clip-itc", registry.list_methods())
    assert method.description is not None
    of_clip = {**method.description["scales"]["paper"]["config"],
               "backbone": config["backbone"], "image_size": config["image_size"]}  # fmt: skip
    other = load_weights(method, of_clip, save(tmp_path / "best.pth", published))
    assert other.unused["classifier.weight"] == "clip-itc has no such part"
    plain = {n.removeprefix("base_model."): t for n, t in published.items() if "base_model" in n}
    torch.save(plain, tmp_path / "clip.pt")
    assert load_weights(method, of_clip, tmp_path / "clip.pt").layout == "CLIP"


class Evil:
    """What would run code where a pickle is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def spoilt(state: State, what: str) -> Any:
    """Return a checkpoint that is not one of this method."""
    size = state["base_model.visual.positional_embedding"]
    return {
        "code": Evil(),
        "nothing": {"model": {"epoch": 3}},
        "unknown": {**state, "adapter.down.weight": torch.ones(2)},
        "absent": {n: t for n, t in state.items() if n != "base_model.ln_final.bias"},
        "image size": {**state, "base_model.visual.positional_embedding": size[:-2]},
        "deeper": {**state, "base_model.visual.transformer.resblocks.9.ln_1.bias": size[0]},
    }[what]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("code", "holds more than weights, which only code could read"),
        ("nothing", "holds no weights by name"),
        ("unknown", "does not save: adapter.down.weight. It is another model's"),
        ("absent", "lacks encoder.text.ln_final.bias, without which nothing is encoded"),
        ("image size", "positional_embedding is (7, 128), and (9, 128) here"),
        ("deeper", "which this encoder does not have: it is of another backbone"),
    ],
)
def test_other_checkpoints_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: State, config: dict[str, Any],
    what: str, said: str,
) -> None:  # fmt: skip
    """One sentence says which weight does not fit, and nothing in a file is executed."""
    monkeypatch.chdir(tmp_path)
    torch.save(spoilt(published, what), tmp_path / "best.pth")
    with pytest.raises(HarnessError) as caught:
        load_weights(irra(), config, tmp_path / "best.pth")
    assert said in str(caught.value)
    assert not Path("ran").exists()


def test_a_file_that_is_cut_short_is_refused(
    tmp_path: Path, published: State, config: dict[str, Any]
) -> None:
    """A download that stopped is told."""
    file = save(tmp_path / "best.pth", published)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(HarnessError, match=r"cannot be read|only code could read"):
        load_weights(irra(), config, file)


TO_IRRA = {
    "encoder.visual.": "base_model.visual.",
    "encoder.text.": "base_model.",
    "interaction.cross_attention.": "cross_attn.",
    "interaction.blocks.": "cross_modal_transformer.",
    "interaction.text_norm.": "ln_pre_t.",
    "interaction.image_norm.": "ln_pre_i.",
    "interaction.norm.": "ln_post.",
    "masked_word_head.0.": "mlm_head.dense.",
    "masked_word_head.2.": "mlm_head.ln.",
    "masked_word_head.3.": "mlm_head.fc.",
    "classifier.": "classifier.",
}


def as_irra(state: State) -> State:
    """Return weights of the method here under the names of IRRA's code."""
    renamed = {}
    for name, one in state.items():
        for ours, theirs in TO_IRRA.items():
            if name.startswith(ours):
                renamed[theirs + name.removeprefix(ours)] = one
    return renamed


def test_published_weights_become_a_row(
    harness: Callable[..., Any], small_dolls: Path, tmp_path: Path
) -> None:
    """Encoded and scored as the method itself is, marked, verified, and said whose they are."""
    description = irra().description
    assert description is not None
    scale = description["scales"]["tiny"]
    summary = dataclasses.make_dataclass("Summary", ["image_count", "captions", "person_count"])
    method = build_method("irra", irra().plugin, scale["config"], 3, summary(0, [], 5))
    save(tmp_path / "best.pth", as_irra(method.state_dict()))
    call = "evaluate", "irra", "--weights", "best.pth", "--dataset", small_dolls
    done = harness(*call)
    assert done.returncode == 0, done.stderr
    assert "as IRRA's code saves them" in done.stderr
    assert "trained elsewhere" in done.stdout
    [row] = load_runs(tmp_path / "results")
    record = row.record
    assert (record.method, record.mark) == ("irra-elsewhere", "trained elsewhere")
    assert record.handed_in is not None
    assert record.handed_in.encoded_by == "irra"
    assert "Jiang and Ye" in str(record.paper)
    assert record.supervision == "identity"
    assert "There already" in harness(*call, "--no-report").stderr
    page = (tmp_path / "site/methods/irra-elsewhere.html").read_text("utf-8")
    assert "IRRA (trained elsewhere)" in page
    assert "encoded by the code of irra that is here" in page
    verified = harness("verify", "results", "--dataset", small_dolls)
    assert verified.returncode == 0, verified.stdout
    assert "stale" not in verified.stdout
    check_figures(tmp_path, small_dolls, method, record.metrics)


def check_figures(folder: Path, small_dolls: Path, method: Any, metrics: Any) -> None:
    """Hold figures against those of the method that the weights were taken from."""
    from harness import evaluation
    from harness.data.catalogue import find_declaration, locate
    from harness.data.loading import load_split
    from harness.data.pixels import open_pixels
    from harness.handed_in.scoring import figures_of

    split = load_split(locate(find_declaration(str(small_dolls))), "test")
    pixels = open_pixels(split, (96, 32), None)
    features = evaluation.encode_split(method, split, pixels, torch.device("cpu"))
    wanted = figures_of(evaluation.score_text_to_image(method, features, split))
    assert metrics == pytest.approx(wanted, abs=1e-6)


def test_methods_without_a_table_say_what_to_do(tmp_path: Path, published: State) -> None:
    """Whose layout is not known, hands in features."""
    listing = registry.find_method("dgia", registry.list_methods())
    assert listing.description is not None
    config = listing.description["scales"]["tiny"]["config"]
    with pytest.raises(HarnessError, match="hand in their features with `harness score`"):
        load_weights(listing, config, tmp_path / "any.pth")
