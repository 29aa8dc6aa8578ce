"""`harness check` on methods that break one promise each: the right check fails and says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

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
    "a row that fails": (
        "        self.images = nn.Linear(3, config.width)",
        "        assert config.width == 8, 'only eight'\n"
        "        self.images = nn.Linear(3, config.width)",
        "ablation rows build and train",
        "only eight",
    ),
}  # fmt: skip


def check(harness: Call, toy: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and what each check found."""
    done = harness("check", "toy", "--plugins", toy, "--json")
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout)}


def test_a_sound_method_passes(harness: Call, toy: Path) -> None:
    """Every check of the toy is passed, and tells what it measured."""
    status, found = check(harness, toy)
    assert status == 0, found
    assert all(row["passed"] and row["told"] for row in found.values())
    assert "8 dimensions" in found["encodes images and captions"]["told"]
    assert "ms a step" in found["what it costs"]["told"]
    assert "undisclosed" in found["tells its extra training data"]["told"]


@pytest.mark.parametrize(("old", "new", "title", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_promise_is_found(
    harness: Call, toy: Path, toy_source: str, old: str, new: str, title: str, told: str
) -> None:
    """The check that covers it fails, with what was found and what to do."""
    assert old in toy_source
    toy.write_text(toy_source.replace(old, new), encoding="utf-8")
    status, found = check(harness, toy)
    assert status == 1
    row = found[title]
    assert not row["passed"]
    assert told in row["told"]
    assert row["advice"]


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
