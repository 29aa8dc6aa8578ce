"""What planning 10,000 runs costs, beside writing and hashing as many of their configs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.plan.spec import RunSpec

from .bounds import Bound
from .paired import paired_ratio

RUNS = 10_000
ROUNDS = 3
LARGEST_RATIO = 10  # a run is a key, a command, and a look at the results


@pytest.mark.benchmark
def test_ten_thousand_runs_are_planned(
    benchmark: Any, bound: Bound, small_dolls: Path, tmp_path: Path
) -> None:
    """Every row of every method with many seeds, and which of them is complete."""
    located = [locate(find_declaration(str(small_dolls)))]
    choices = plan.choose([], registry.list_methods(), "tiny", ablations=True)
    seeds = range(-(-RUNS // sum(len(choice.variants) for choice in choices)))
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())

    def planned() -> list[RunSpec]:
        specs = plan.plan(suite, located, choices, seeds, {})
        return [spec for spec in specs if not spec.is_complete(tmp_path)]

    specs = planned()
    assert len(specs) >= RUNS
    contents = [{"config": spec.config, "recipe": spec.recipe} for spec in specs]

    def hashed() -> None:
        for content in contents:
            hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    paired = paired_ratio(benchmark, planned, hashed, ROUNDS)
    benchmark.extra_info["runs"] = len(specs)
    bound(paired.ratio, LARGEST_RATIO, of="times writing and hashing the configs")
