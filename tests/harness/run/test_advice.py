from pathlib import Path
from typing import Any

import pytest
import torch

from harness.run.advice import describe_failure
from harness.training import NonFiniteLoss

from .test_execute import run

RECIPE: dict[str, Any] = {
    "chunks": 1, "precision": "no", "stages": [{"batch_size": 64}, {"batch_size": 48}],
}  # fmt: skip
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. ")


def message(error: BaseException, spreads: bool = True, **recipe: Any) -> str:
    """Return what is said of an error on a graphics card."""
    return describe_failure(error, {**RECIPE, **recipe}, spreads, "cuda")["message"]


@pytest.mark.parametrize(
    ("recipe", "spreads", "there", "absent"),
    [
        ({}, True, ["--chunks 2,", "--precision bf16", "--set batch_size=24"], []),
        ({"chunks": 4, "precision": "fp16"}, True, ["--chunks 8,", "batch_size"], ["bf16"]),
        ({"chunks": "auto"}, True, ["twice that which auto took"], []),
        ({}, False, ["--precision bf16", "batch_size=24"], ["--chunks"]),
        ({"stages": []}, True, ["another program"], ["--chunks", "batch_size"]),
    ],
)
def test_a_full_card_says_what_to_set(
    recipe: dict[str, Any], spreads: bool, there: list[str], absent: list[str]
) -> None:
    """What trains the same comes first, a variant last, and nothing that does not help."""
    told = message(FULL, spreads, **recipe)
    assert told.startswith("CUDA out of memory. Tried to allocate 2.00 GiB. ")
    assert [part for part in there if part not in told] == []
    assert sorted(there, key=told.index) == there
    assert [part for part in absent if part in told] == []


def test_a_loss_that_overflows_says_which_precision_reaches_further() -> None:
    """Of fp16 it is bf16, of that the full one; in full precision there is nothing to try."""
    error = NonFiniteLoss("loss 'itc' is nan at stage 1, epoch 1, step 3 of 9")
    assert "--precision bf16" in message(error, precision="fp16")
    assert "try --precision no" in message(error, precision="bf16")
    assert message(error) == str(error)
    on_cpu = describe_failure(error, {**RECIPE, "precision": "fp16"}, True, "cpu")
    assert on_cpu["message"] == str(error)  # there it was not used


def test_a_run_that_fills_the_card_is_a_record_with_advice(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """The message of its record ends with what to set."""
    raising = "        raise torch.OutOfMemoryError('CUDA out of memory.')\n        images = norm"
    toy.write_text(toy_source.replace("        images = norm", raising, 1), encoding="utf-8")
    record, _ = run(small_dolls, toy, tmp_path / "results")
    assert record.error is not None
    assert record.error["kind"] == "OutOfMemoryError"
    assert record.error["message"].startswith("CUDA out of memory. The graphics card is too small")
    assert "--precision bf16" in record.error["message"]  # toy does not spread: no chunks
    assert "--chunks" not in record.error["message"]


def test_a_record_tells_the_pace(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Images a second and the share of waiting stand in the record, beside what decides figures."""
    record, _ = run(small_dolls, toy, tmp_path / "results")
    assert record.images_per_second > 0
    assert 0 < record.waiting_share < 1
    assert record.device_memory == 0  # there is no card
