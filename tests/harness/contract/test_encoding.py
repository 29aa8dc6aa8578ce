from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch

from harness.contract.encoding import takes


def test_a_step_takes_as_long_as_the_fastest_between_two() -> None:
    """The first step, which loads, and one beside a busy machine do not count."""
    method = SimpleNamespace(
        eval=lambda: None,
        encode_images=lambda images: images,
        encode_texts=lambda captions: captions,
    )
    case = SimpleNamespace(method=method, images=torch.ones(1), captions=["one"], features=list)
    steps = [SimpleNamespace(seconds=seconds) for seconds in (5.0, 5.4, 5.6, 9.0)]
    subject = SimpleNamespace(trained=SimpleNamespace(case=case, steps=steps))
    assert ", 200 ms a step of " in takes(cast(Any, subject))
