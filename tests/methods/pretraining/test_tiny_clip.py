"""tiny-clip and tiny-eva: how they are made, and what those that ship can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from harness.data.paperdolls.looks import VARIED
from harness.progress import Show
from methods.blocks.tiny import WEIGHTS, TinyClip, load_tokenizer, load_weights
from methods.pretraining import tiny_clip
from methods.pretraining.drawn import DrawnPeople, draw_people, judge
from methods.pretraining.tiny_clip import (
    PretrainingConfig,
    TinyClipPretraining,
    pretrain_tiny_clip,
    pretrain_tiny_eva,
)


@pytest.fixture(scope="module")
def varied() -> DrawnPeople:
    """A few people of the more varied look, whom no encoder has seen."""
    return draw_people(24, 99, lambda what, done, total: None, VARIED, held_out=300)


def test_what_has_seen_more_finds_more(varied: DrawnPeople) -> None:
    """Of people whom neither has seen, tiny-eva finds more than tiny-clip; both far from chance."""
    found = {}
    for name in ("tiny-clip", "tiny-eva"):
        tokenizer = load_tokenizer(WEIGHTS)
        method = TinyClipPretraining(PretrainingConfig(), varied.view.summary(), tokenizer)
        load_weights(method.encoder, WEIGHTS / f"{name}.safetensors")
        found[name] = judge(method.eval(), varied)["cosine"]
    assert found["tiny-eva"] > found["tiny-clip"] > 20


def make(
    pretrain: Callable[[Path | None, int, Show], list[Path]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Path]:
    """Make an encoder of a few people in one pass."""
    monkeypatch.setattr(tiny_clip, "PEOPLE", 48)
    monkeypatch.setattr(tiny_clip, "PEOPLE_OF_EVA", 64)
    monkeypatch.setattr("methods.pretraining.drawn.HELD_OUT", 20)
    for name in ("RECIPE", "RECIPE_OF_EVA"):
        recipe = getattr(tiny_clip, name)
        stages = tuple(replace(stage, epochs=1, batch_size=16) for stage in recipe.stages)
        monkeypatch.setattr(tiny_clip, name, replace(recipe, stages=stages))
    return pretrain(folder, 0, lambda what, done, total: None)


@pytest.mark.parametrize(
    ("pretrain", "names"),
    [
        pytest.param(
            pretrain_tiny_clip,
            ["tiny-bpe.json", "tiny-clip.safetensors"],
            marks=pytest.mark.exhaustive,
        ),
        (pretrain_tiny_eva, ["tiny-eva.safetensors"]),
    ],
)
def test_the_command_makes_what_ships(
    pretrain: Callable[[Path | None, int, Show], list[Path]],
    names: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The files by the names of those that ship, of the same shapes, saying what made them."""
    files = make(pretrain, tmp_path, monkeypatch)
    assert [file.name for file in files] == names
    made, ships = (load_file(folder / names[-1]) for folder in (tmp_path, WEIGHTS))
    encoder = TinyClip(load_tokenizer(tmp_path if len(names) > 1 else WEIGHTS))
    load_weights(encoder, files[-1])
    if len(names) == 1:  # else the vocabulary was learned anew, of less
        assert {name: t.shape for name, t in made.items()} == {n: t.shape for n, t in ships.items()}
    with safe_open(files[-1], "pt") as opened:
        said = opened.metadata()
    assert said["command"] == f"harness pretrain {files[-1].stem}"
    assert "held-out R1, cosine" in said
