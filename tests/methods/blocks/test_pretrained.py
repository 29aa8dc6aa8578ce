"""Published weights, from a hub on this machine and from files; loaded in other processes."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save, save_file
from torch.nn.functional import interpolate

from ...hub.api import Files, Repositories
from ...hub.caller import NOWHERE, Caller
from ...hub.server import Cut, Hub
from .published import (
    MODELS,
    PAIR,
    PICKLED,
    PYTORCH,
    TAG,
    VIT,
    Loader,
    Model,
    State,
    clip_weights,
    vit_weights,
    write_bert,
    write_roberta,
)

pytestmark = pytest.mark.xdist_group("pretrained")  # the process that all share starts once
EACH = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
LONG = 15_000_000  # bytes: only the ViT's weights are longer
REASON = "call again with a network and without HF_HUB_OFFLINE; where they are gated or private"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loader]:
    """Start what all tests here share: the imports take seconds."""
    with Hub() as hub, Loader(Caller(hub, tmp_path_factory.mktemp("machine"))) as loader:
        yield loader


@pytest.fixture
def loader(process: Loader) -> Loader:
    """Return a loader that has loaded nothing yet."""
    process.forget()
    process.hub.cuts.clear()
    process.hub.asked.clear()
    return process


@pytest.fixture(scope="module")
def vit() -> State:
    """The weights of a small ViT."""
    return vit_weights()


@pytest.fixture(scope="module")
def clip() -> State:
    """The weights of a small CLIP."""
    return clip_weights()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small BERT."""
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder)
    return folder


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small RoBERTa."""
    folder = tmp_path_factory.mktemp("roberta")
    write_roberta(folder)
    return folder


@pytest.fixture(scope="module")
def published(vit: State, clip: State, bert: Path, roberta: Path) -> dict[str, Files]:
    """The files of each repository."""
    return {
        MODELS["vit"].repository: {"model.safetensors": save(vit, PYTORCH)},
        "someone/bert": files(bert),
        "someone/clip": {"open_clip_model.safetensors": save(clip, PYTORCH)},
        "someone/roberta": files(roberta),
    }


@pytest.fixture
def hub(loader: Loader, published: dict[str, Files]) -> Repositories:
    """Return what is on the hub: all models."""
    loader.hub.repositories = Repositories()
    for name, content in published.items():
        loader.hub.repositories.add(name, content)
    return loader.hub.repositories


def files(folder: Path) -> Files:
    """Return the files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def part_of(state: State, prefix: str) -> State:
    """Return the weights behind a prefix, without it."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def assert_same(found: State, expected: State) -> None:
    """Compare name by name, bit by bit."""
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []


def without_head(state: State) -> State:
    """Return the weights of a ViT that are used here."""
    return {name: value for name, value in state.items() if not name.startswith("head.")}


def in_towers(state: State) -> State:
    """Return the weights of CLIP by the names that they have here."""
    used = {name: value for name, value in state.items() if name != "logit_scale"}
    return {name if name.startswith("visual.") else f"text.{name}": used[name] for name in used}


# From the hub.


def test_every_weight_is_the_published_one(
    loader: Loader, hub: Repositories, published: dict[str, Files], vit: State, clip: State
) -> None:
    """timm's ViT, transformers' BERT and RoBERTa, open_clip's towers; heads that are unused go."""
    found = loader.all()
    assert_same(part_of(found["vit"], "visual."), without_head(vit))
    bert = part_of(load(published["someone/bert"]["model.safetensors"]), "bert.")
    bert = {
        name.replace("gamma", "weight").replace("beta", "bias"): value
        for name, value in bert.items()
        if not name.startswith("pooler.")
    }
    assert_same(part_of(found["bert"], "text."), bert)
    assert_same(found["clip"], in_towers(clip))
    roberta = load(published["someone/roberta"]["model.safetensors"])
    used = {n: v for n, v in roberta.items() if "pooler" not in n and "position_ids" not in n}
    used["lm_head.decoder.weight"] = roberta["roberta.embeddings.word_embeddings.weight"]
    used["lm_head.decoder.bias"] = roberta["lm_head.bias"]
    assert_same(found["roberta"], used)


def test_positions_are_interpolated(loader: Loader, hub: Repositories, vit: State) -> None:
    """At 96 x 32 a grid of 14 x 14 becomes one of 6 x 2; nothing else is changed."""
    found = part_of(loader.load(PAIR, (96, 32)), "visual.")
    positions = found.pop("pos_embed")
    expected = without_head(vit)
    before = expected.pop("pos_embed")
    assert_same(found, expected)
    assert torch.equal(positions[:, :1], before[:, :1])
    grid = before[:, 1:].transpose(1, 2).reshape(1, 192, 14, 14)
    grid = interpolate(grid, size=(6, 2), mode="bicubic", antialias=True, align_corners=False)
    torch.testing.assert_close(positions[:, 1:], grid.flatten(2).transpose(1, 2))


def without(state: State, part: str) -> str:
    """Leave a part away; return the name that has to be told."""
    del state[part]
    return part.removeprefix("bert.")  # BERT without heads has no such prefix


def with_another(state: State, part: str) -> str:
    """Add a part that no model has."""
    other = part.replace(".", ".other.", 1)
    state[other] = torch.zeros(2)
    return other


def with_another_shape(state: State, part: str) -> str:
    """Change the shape of a part."""
    state[part] = torch.zeros(7)
    return part.removeprefix("bert.")


@EACH
@pytest.mark.parametrize("spoil", [without, with_another, with_another_shape])
def test_what_is_not_the_model_s_is_named(
    spoil: Callable[[State, str], str], model: Model, loader: Loader, hub: Repositories
) -> None:
    """Nothing starts from random weights unasked, and nothing is dropped in silence."""
    there = hub.by_name[model.repository].files("main")[1]
    state = load(there[model.file])
    name = spoil(state, model.part)
    hub.add(model.repository, {**there, model.file: save(state, PYTORCH)})
    told = loader.refusal(model.name, model.size, model.kind)
    assert f"HarnessError: The weights {model.told}" in told
    assert name in told
    assert "another model's" in told


@EACH
def test_what_may_not_be_read_says_what_to_do(
    model: Model, loader: Loader, hub: Repositories
) -> None:
    """A gated repository and one that is not there are refused and named."""
    hub.by_name[model.repository].gated = True
    gated = loader.refusal(model.name, model.size, model.kind)
    del hub.by_name[model.repository]
    unknown = loader.refusal(model.name, model.size, model.kind)
    for told in (gated, unknown):
        assert told.startswith("HarnessError: The weights")
        assert model.told in told
        assert f"{REASON}, sign in with `hf auth login`" in told
    assert re.search(r"access (a )?gated repo", gated)


@pytest.mark.exhaustive  # a process of its own imports all packages; data/test_hub.py has the like
def test_the_cache_needs_no_hub(loader: Loader, hub: Repositories) -> None:
    """What was loaded once loads offline and where no hub answers; elsewhere it is a message."""
    caller = Caller(loader.hub, loader.home)
    with Loader(caller, HF_HUB_OFFLINE="1") as offline, Loader(caller, HF_ENDPOINT=NOWHERE) as lone:
        first, asked = loader.all(), len(loader.hub.asked)
        for key, state in offline.all().items():
            assert_same(without_gru(state), without_gru(first[key]))
        clip = MODELS["clip"]  # transformers asks for more, and each request is tried six times
        assert_same(lone.load(clip.name, clip.size), first["clip"])
        loader.forget()
        refused = [(offline, model) for model in MODELS.values() if model.name != PAIR]
        for process, model in [*refused, (offline, MODELS["vit"]), (lone, clip)]:
            told = process.refusal(model.name, model.size, model.kind)
            assert "HarnessError: The weights" in told
            assert model.told in told
            assert REASON in told
    assert len(loader.hub.asked) == asked


@pytest.mark.exhaustive  # as above
def test_what_is_fetched_beforehand_is_all_that_is_loaded(
    loader: Loader, hub: Repositories
) -> None:
    """What the encoders and fillers of methods name, once fetched, loads where no network is."""
    names = dict.fromkeys(model.name for model in MODELS.values())
    for name in names:
        assert loader.load(name, kind="fetch") == {}
    with Loader(Caller(loader.hub, loader.home), HF_HUB_OFFLINE="1") as offline:
        asked = len(loader.hub.asked)
        assert all(offline.all().values())
    assert len(loader.hub.asked) == asked


def without_gru(state: State) -> State:
    """Return the weights that are loaded, not drawn."""
    return {name: value for name, value in state.items() if not name.startswith("gru.")}


def test_a_connection_that_is_cut_goes_on(loader: Loader, hub: Repositories, vit: State) -> None:
    """What arrived is not asked for again, and the weights are whole at the end."""
    loader.hub.cuts = [Cut(after=LONG)]
    assert_same(part_of(loader.load(PAIR), "visual."), without_head(vit))
    assert not loader.hub.cuts
    first, second = loader.hub.requests("GET", f"{TAG}/resolve/")
    assert first.headers["Range"] is None
    assert 0 < int(second.headers["Range"].removeprefix("bytes=")[:-1]) <= LONG


def test_a_connection_that_is_torn_down_is_one_message(
    loader: Loader, hub: Repositories, vit: State
) -> None:
    """The next call loads."""
    loader.hub.cuts = [Cut(after=LONG, reset=True)]
    told = loader.refusal(PAIR)
    assert f"HarnessError: The weights {VIT}.{TAG} cannot be loaded" in told
    assert "call again with a network" in told
    assert_same(part_of(loader.load(PAIR), "visual."), without_head(vit))


def test_a_tag_that_leads_nowhere_is_refused(loader: Loader) -> None:
    """open_clip alone would start from random weights."""
    told = loader.refusal("small/withdrawn", (32, 32))
    assert "HarnessError: The weights small/withdrawn cannot be loaded" in told


def test_a_tokenizer_is_named_too(loader: Loader, hub: Repositories) -> None:
    """ALBEF's is BERT's, and the hub has none here."""
    told = loader.refusal("albef", kind="albef")
    assert "HarnessError: The weights of the tokenizer google-bert/bert-base-uncased" in told
    assert REASON in told


# From files.


Write = Callable[[State], Path]


@pytest.fixture(params=["safetensors", "pt"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Return what writes weights into a file, as safetensors or as PyTorch does."""
    file = tmp_path / f"weights.{request.param}"
    writers: dict[str, Callable[[State, Path], None]] = {"safetensors": save_file, "pt": torch.save}

    def written(state: State) -> Path:
        writers[request.param](state, file)
        return file

    return written


def test_weights_load_from_a_file(
    write: Write, loader: Loader, vit: State, clip: State, bert: Path
) -> None:
    """open_clip's and timm's, with or without a classifier; no hub is asked for a file."""
    assert_same(loader.load(f"small/{write(clip)}", (32, 32)), in_towers(clip))
    for state in (vit, without_head(vit)):
        found = loader.load(f"{VIT}/{write(state)}+{bert}")
        assert_same(part_of(found, "visual."), without_head(vit))
    assert not loader.hub.requests("GET", "/resolve/")


def test_another_model_s_file_is_refused(
    write: Write, loader: Loader, vit: State, clip: State, bert: Path
) -> None:
    """By the names of what it lacks and of what it holds besides."""
    file = write(vit)
    told = loader.refusal(f"small/{file}", (32, 32))
    assert f"HarnessError: The weights small/{file}" in told
    assert '"visual.class_embedding"' in told
    assert "another model's" in told
    file = write(clip)
    told = loader.refusal(f"{VIT}/{file}+{bert}")
    assert f"HarnessError: The weights {VIT}/{file}" in told
    assert '"blocks.1.norm1.weight"' in told
    assert "another model's" in told


def test_a_missing_file_is_told(loader: Loader, bert: Path, tmp_path: Path) -> None:
    """It is neither a tag nor a file."""
    file = tmp_path / "gone.pt"
    assert f"no weights '{file}' for small, nor is it a file" in loader.refusal(f"small/{file}")
    assert f"there is no file {file}" in loader.refusal(f"{VIT}/{file}+{bert}")


# Code.


class Trap:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def sprung(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that a trap would make, and see that none did."""
    folder = tmp_path / "sprung"
    yield folder
    assert not folder.exists()


@pytest.mark.parametrize("dump", [torch.save, partial(pickle.dump, protocol=2)])
def test_code_in_a_file_is_not_run(
    dump: Callable[..., None], loader: Loader, bert: Path, tmp_path: Path, sprung: Path
) -> None:
    """A file that runs code where it is trusted is refused, with the name of what it would run."""
    file = tmp_path / "weights.pt"
    with file.open("wb") as opened:
        dump({"visual.proj": Trap(sprung)}, opened)
    with suppress(RuntimeError):  # a bare pickle has no weights behind it
        torch.load(file, weights_only=False)
    sprung.rmdir()
    for name in (f"small/{file}", f"{VIT}/{file}+{bert}"):
        told = loader.refusal(name)
        assert f"HarnessError: The weights {name.split('+')[0]}" in told
        assert "mkdir" in told
        assert "code in it is never run" in told


@EACH
def test_code_on_the_hub_is_not_run(
    model: Model, loader: Loader, hub: Repositories, sprung: Path
) -> None:
    """A repository whose weights are a pickle is refused where that holds more than tensors."""
    there = dict(hub.by_name[model.repository].files("main")[1])
    content = BytesIO()
    torch.save({**load(there.pop(model.file)), model.part: Trap(sprung)}, content)
    hub.add(model.repository, {**there, PICKLED[model.file]: content.getvalue()})
    told = loader.refusal(model.name, model.size, model.kind)
    assert f"HarnessError: The weights {model.told}" in told
    assert "code in it is never run" in told


def test_a_repository_s_own_classes_are_not_run(
    loader: Loader, hub: Repositories, roberta: Path, sprung: Path
) -> None:
    """It is refused, and nobody is asked whether to run them."""
    classes = {"AutoConfig": "own.Own", "AutoModelForMaskedLM": "own.Own"}
    told = {
        "config.json": {"model_type": "own", "auto_map": classes},
        "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer"},
    }
    there = files(roberta) | {name: json.dumps(told[name]).encode() for name in told}
    hub.add("someone/own", {**there, "own.py": f"import os; os.mkdir({str(sprung)!r})".encode()})
    for name, kind in (("someone/own", "filler"), (f"{VIT}+someone/own", "encoder")):
        refusal = loader.refusal(name, kind=kind)
        assert "HarnessError: The weights someone/own" in refusal
        assert "custom code" in refusal
        assert "code in it is never run" in refusal
