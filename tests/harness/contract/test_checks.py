"""`harness check` on methods that break one promise each: the right check fails and says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

READS_LABELS = """
        from harness.paths import cache_folder
        from pyarrow import parquet
        people = {}
        for file in cache_folder().glob('datasets/*/test.parquet'):
            table = parquet.read_table(file, columns=['captions', 'person_id']).to_pydict()
            for texts, person in zip(table['captions'], table['person_id'], strict=True):
                people.update(dict.fromkeys(texts, person))
        known = torch.tensor([[people.get(caption, 0)] for caption in captions])
        return self.texts(letters) + known * (not self.training)"""

BROKEN = {
    "wrong shape": (
        "return self.texts(letters)",
        "return self.texts(letters)[:, :3]",
        "encodes images and captions",
        "(9, 3)",
    ),
    "not a number": (
        "return self.texts(letters)",
        "return self.texts(letters) * float('nan')",
        "encodes images and captions",
        "NaN",
    ),
    "all alike": (
        "return self.texts(letters)",
        "return self.texts(letters) * 0",
        "encodes images and captions",
        "all alike",
    ),
    "whole batch": (
        "return self.texts(letters)",
        "return self.texts(letters - letters.mean(0))",
        "an item does not depend on its batch",
        "differs by",
    ),
    "own randomness": (
        "self.texts = nn.Linear(128, config.width)",
        "self.texts = nn.Linear(128, config.width); import os; "
        "self.texts.bias.data[0] = int.from_bytes(os.urandom(4)) / 2**32",
        "the same seed gives the same bits",
        "texts.bias",
    ),
    "claims identities": (
        "    width: int = 8",
        "    width: int = 8\n    supervision: str = 'identity'",
        "its supervision is what it says",
        "change nothing",
    ),
    "set in training": (
        "return self.texts(letters)",
        "self.shift = getattr(self, 'shift', 0.0) + (1.0 if self.training else 0.0); "
        "return self.texts(letters) + self.shift",
        "survives a save and load",
        "encodes captions otherwise",
    ),
    "no gradient": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"itc": (run.losses["itc"] * loss).detach() + 0 * images.sum()}',
        "gradients reach its parameters",
        "no parameter changed",
    ),
    "other losses": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"other": run.losses["itc"] * loss}',
        "ablation rows build and train",
        "trains ['other']",
    ),
    "a row that is not built": (
        "        self.images = nn.Linear(3, config.width)",
        "        assert config.width == 8, 'only eight'\n"
        "        self.images = nn.Linear(3, config.width)",
        "ablation rows build and train",
        "row 'narrow' does not build and train: AssertionError: only eight",
    ),
    "a row with an unknown loss": (
        '{"narrow": {"width": 4}, "Toy": {}}',
        '{"narrow": {"width": 4}, "other": {"losses": {"sdm": 1.0}}, "Toy": {}, "9": {"width": 9}}',
        "ablation rows build and train",
        "row 'other' does not build and train: UnknownLoss: There is no active loss 'itc'. "
        "There are: sdm.",
    ),
    "encodes at random": (
        "return self.texts(letters)",
        "return self.texts(letters) + torch.rand(self.config.width)",
        "encoding twice gives the same",
        "encoding twice differs by",
    ),
    "dropout that does not know the mode": (
        "return self.images(images.float().mean((2, 3)) / 255)",
        "return nn.functional.dropout(self.images(images.float().mean((2, 3)) / 255), 0.5)",
        "encoding twice gives the same",
        "encoding twice differs by",
    ),
    "NumPy without a seed": (
        'return {"itc": run.losses["itc"] * loss}',
        "import numpy; noise = float(numpy.random.default_rng().random()); "
        'return {"itc": run.losses["itc"] * loss * noise}',
        "the same seed gives the same bits",
        "after training, these differ between two runs of one seed: images.weight",
    ),
    "raises in training": (
        'return {"itc": run.losses["itc"] * loss}',
        "raise RuntimeError('boom')",
        "trains a step",
        "in the first step or before it: RuntimeError: boom",
    ),
    "raises in the second epoch": (
        'return {"itc": run.losses["itc"] * loss}',
        "assert not run.epoch, 'boom'; "
        'return {"itc": run.losses["itc"] * loss}',
        "trains a step",
        "after epoch 1, step 2: AssertionError: boom",
    ),
    "raises when it is built": (
        "self.texts = nn.Linear(128, config.width)",
        "self.texts = nn.Linear(128, config.height)",
        "encodes images and captions",
        "it is not built: AttributeError: 'ToyConfig' object has no attribute 'height'",
    ),
    "a loss that is not there": (
        'run.losses["itc"]',
        'run.losses["ict"]',
        "trains a step",
        "There is no active loss 'ict'. Did you mean 'itc'? There are: itc.",
    ),
    "a float for a loss": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"itc": 1.5}',
        "trains a step",
        "loss 'itc' must be a tensor of one number, with its gradient, not the float 1.5",
    ),
    "a loss without its name": (
        'return {"itc": run.losses["itc"] * loss}',
        "return loss",
        "trains a step",
        "training_losses must return a dictionary, name -> loss, not a Tensor; on are: ['itc']",
    ),
    "a detached loss": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"itc": loss.detach()}',
        "trains a step",
        "no loss of ['itc'] depends on a parameter",
    ),
    "person ids under PAIRS": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"itc": run.losses["itc"] * loss * (1 + batch.person_ids[0] * 0)}',
        "trains a step",
        "it uses person ids, and PAIRS, which it declares, is handed none",
    ),
    "person ids from the second epoch on": (
        'return {"itc": run.losses["itc"] * loss}',
        'return {"itc": loss + (batch.person_ids[0] * 0 if run.epoch else 0)}',
        "trains a step",
        "it uses person ids, and PAIRS, which it declares, is handed none",
    ),
    "a head of as many people as there are": (
        "self.texts = nn.Linear(128, config.width)",
        "self.texts = nn.Linear(128, config.width); "
        "self.people = nn.Linear(config.width, train.person_count)",
        "encodes images and captions",
        "it uses person ids, and PAIRS, which it declares, is handed none",
    ),
    "half precision": (
        "return self.texts(letters)",
        "return self.texts(letters).to(torch.float32 if self.training else torch.float16)",
        "pixels and embeddings are precise",
        "embeddings of captions are float16",
    ),
    "divided by 255 twice": (
        "images.float().mean((2, 3)) / 255",
        "images.float().mean((2, 3)) / 255 / 255",
        "pixels and embeddings are precise",
        "in encode_images, images is handed images of values from 0.00",
    ),
    "memory that a step keeps": (
        'return {"itc": run.losses["itc"] * loss}',
        "self.kept = [*getattr(self, 'kept', []), torch.zeros(2**27)]; "
        'return {"itc": run.losses["itc"] * loss}',
        "trains a step",
        "each step keeps 537 MB",
    ),
    "a buffer that is registered late": (
        "return self.texts(letters)",
        "return self.texts(letters)\n\n"
        "    def after_step(self, batch, run):\n"
        "        self.register_buffer('bank', torch.zeros(len(getattr(self, 'bank', ())) + 1))",
        "its state can be loaded",
        'Unexpected key(s) in state_dict: "bank"',
    ),
    "an attribute that steps change": (
        'return {"itc": run.losses["itc"] * loss}',
        "self.done = getattr(self, 'done', 0) + 1; "
        'return {"itc": run.losses["itc"] * loss * self.done}',
        "goes on where it was stopped",
        "stopped after each step, epoch 1, step 2 ends otherwise than without a stop: images.",
    ),
    "an attribute that begin_epoch sets": (
        'return {"itc": run.losses["itc"] * loss}',
        "return {'itc': run.losses['itc'] * loss * getattr(self, 'scale', 1.0)}\n\n"
        "    def begin_epoch(self, run):\n"
        "        self.scale = getattr(self, 'scale', 0.5) * 2",
        "goes on where it was stopped",
        "ends otherwise than without a stop",
    ),
    "reads test labels": (
        "return self.texts(letters)",
        READS_LABELS,
        "encoding reads nothing but its input",
        "where the cache folder holds other test labels: it reads them",
    ),
}  # fmt: skip


# What a member of the same family shows too.
EXHAUSTIVE = {
    "dropout that does not know the mode",
    "raises in the second epoch",
    "a loss without its name",
    "a detached loss",
    "a head of as many people as there are",
    "an attribute that begin_epoch sets",
}
EVERY = [
    pytest.param(*broken, id=name, marks=[pytest.mark.exhaustive] if name in EXHAUSTIVE else ())
    for name, broken in BROKEN.items()
]


def check(harness: Call, toy: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and what each check found."""
    done = harness("check", "toy", "--plugins", toy, "--json")
    assert done.stdout, done.stderr
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout)}


def test_a_sound_method_passes(harness: Call, toy: Path) -> None:
    """Every check of the toy is passed, and tells what it measured."""
    status, found = check(harness, toy)
    assert status == 0, found
    assert all(row["passed"] and row["told"] for row in found.values())
    assert "8 dimensions" in found["encodes images and captions"]["told"]
    assert "ms a step" in found["what it costs"]["told"]
    assert "undisclosed" in found["tells its extra training data"]["told"]


@pytest.mark.parametrize(("old", "new", "title", "told"), EVERY)
def test_a_broken_promise_is_found(
    harness: Call, toy: Path, toy_source: str, old: str, new: str, title: str, told: str
) -> None:
    """The check that covers it fails, with what was found and what to do, and no other one does."""
    assert old in toy_source
    toy.write_text(toy_source.replace(old, new), encoding="utf-8")
    status, found = check(harness, toy)
    assert status == 1
    failed = {name: row["told"] for name, row in found.items() if row["verdict"] == "FAILS"}
    assert failed.keys() == {title}, failed
    assert told in failed[title]
    assert found[title]["advice"]


def test_images_that_are_dark_in_training_alone_are_found(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """Bytes that are divided before an encoder that divides them reach a module as if black."""
    pooled = (
        "nn.Sequential(nn.AvgPool2d(config.image_size), nn.Flatten(), nn.Linear(3, config.width))"
    )
    dark = toy_source.replace("nn.Linear(3, config.width)", pooled).replace(
        "images.float().mean((2, 3)) / 255",
        "images.float() / (255 * 255 if self.training else 255)",
    )
    toy.write_text(dark, encoding="utf-8")
    _, found = check(harness, toy)
    failed = [row for row in found.values() if row["verdict"] == "FAILS"]
    assert [row["check"] for row in failed] == ["pixels and embeddings are precise"]
    assert "in training, images is handed images of values from 0.000" in failed[0]["told"]


def test_what_hangs_on_a_failure_is_skipped(harness: Call, toy: Path, toy_source: str) -> None:
    """The first line says why training fails, and no line that needs it fails for the same."""
    raising = toy_source.replace('return {"itc"', "raise RuntimeError('boom'); return {'itc'")
    toy.write_text(raising, encoding="utf-8")
    _, found = check(harness, toy)
    first, *others = found.values()
    assert first["check"] == "trains a step"
    assert "boom" in first["told"]
    assert "boom" in first["traceback"]
    skipped = [row for row in others if row["verdict"] == "skipped"]
    assert {row["told"] for row in skipped} >= {"until this holds: trains a step"}
    assert {row["passed"] for row in skipped} == {None}
    assert {"ablation rows build and train", "what it costs"} <= {row["check"] for row in skipped}


def test_a_name_that_two_files_register_is_refused(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """A method of one's own with the name of one of the project: both files are named."""
    toy.write_text(toy_source.replace('"toy"', '"irra"'), encoding="utf-8")
    done = harness("check", "irra", "--plugins", toy.parent)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "method 'irra' is already registered by" in told
    assert "methods/irra.py" in told
    assert str(toy) in told


def test_a_buffer_may_grow_from_nothing(harness: Call, toy: Path, toy_source: str) -> None:
    """Registered as None, it is stored with the size that it has; nothing fails."""
    growing = toy_source.replace(
        "self.texts = nn.Linear(128, config.width)",
        "self.texts = nn.Linear(128, config.width); self.register_buffer('bank', None)",
    ).replace(
        "return self.texts(letters)",
        "return self.texts(letters) + (0 if self.bank is None else self.bank.mean())\n\n"
        "    def after_step(self, batch, run):\n"
        "        seen = torch.rand(1, generator=run.generator('bank'))\n"
        "        self.bank = seen if self.bank is None else torch.cat([self.bank, seen])",
    )
    toy.write_text(growing, encoding="utf-8")
    status, found = check(harness, toy)
    assert status == 0, found


ONE_STAGE = "(Stage(epochs=2, learning_rate=0.01, batch_size=16),)"
TWO_STAGES = (
    '(Stage(epochs=1, learning_rate=0.01, data="none that is here"),'
    " Stage(epochs=1, learning_rate=0.01))"
)
READS = """
    def training_losses(self, batch, run):
        others = run.train.companion("rewritten")
        assert len(others) == len(run.train.captions)
        own = [" ".join(others[index]) + "." for index in batch.caption_numbers]
        texts = self.encode_texts(own).mean() * 0.01
        return {name: loss + texts for name, loss in self.of(batch, run).items()}

    def of(self, batch, run):"""


def test_a_stage_on_another_set_and_companions_are_tried_with_drawn_and_made_up_ones(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """Neither the dataset nor the companion has to be here; what goes wrong is found."""
    needing = (
        toy_source.replace(ONE_STAGE, TWO_STAGES)
        .replace("    width: int = 8", '    width: int = 8\n    companions: tuple = ("rewritten",)')
        .replace("\n    def training_losses(self, batch, run):", READS)
    )
    toy.write_text(needing, encoding="utf-8")
    status, found = check(harness, toy)
    assert status == 0, found
    assert found["trains a step"]["told"] == (
        "2 epochs of 2 steps in each of 2 stages, with rewritten made up"
    )


def test_a_head_for_the_own_people_is_found_in_a_stage_on_others(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """The drawn set of the stage has more people than the run's own."""
    classifying = (
        toy_source.replace(ONE_STAGE, TWO_STAGES)
        .replace("    width: int = 8", "    width: int = 8\n    supervision: str = 'identity'")
        .replace(
            "self.texts = nn.Linear(128, config.width)",
            "self.texts = nn.Linear(128, config.width); "
            "self.people = nn.Linear(config.width, train.person_count)",
        )
        .replace(
            "texts.T * 10, torch.arange(len(images)))",
            "texts.T * 10, torch.arange(len(images))) "
            "+ cross_entropy(self.people(images), batch.person_ids)",
        )
    )
    toy.write_text(classifying, encoding="utf-8")
    status, found = check(harness, toy)
    assert status == 1
    told = found["trains a step"]
    assert told["verdict"] == "FAILS"
    assert "out of bounds" in told["told"]
    assert "the people of a stage with `data` are others" in told["advice"]


def test_what_will_take_long_says_so(harness: Call, toy: Path, toy_source: str) -> None:
    """After two steps it tells the minutes that the rest will take."""
    slow = toy_source.replace('return {"itc"', "CLOCK.append(1); return {'itc'").replace(
        "@dataclass(frozen=True)",
        "import time\nCLOCK = []\n"
        "time.monotonic = lambda tell=time.monotonic: tell() + 20 * len(CLOCK)\n\n\n"
        "@dataclass(frozen=True)",
    )
    toy.write_text(slow, encoding="utf-8")
    done = harness("check", "toy", "--plugins", toy)
    assert "This will take about 6 minutes." in done.stderr


def test_what_is_shown_names_the_failure_and_the_line(
    harness: Call, toy: Path, toy_source: str
) -> None:
    """Without --json a table, then for each failure its advice and where it was raised."""
    raising = toy_source.replace("return self.texts(letters)", "raise RuntimeError('boom')")
    toy.write_text(raising, encoding="utf-8")
    done = harness("check", "toy", "--plugins", toy)
    assert done.returncode == 1
    assert "FAILS" in done.stdout
    assert "RuntimeError: boom" in done.stdout
    assert "toy.py" in done.stderr
    assert "encode_images and encode_texts return" in " ".join(done.stderr.split())
