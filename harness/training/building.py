"""Building a method from what a plan, a record or a listing holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import registry
from harness.method import Method, TrainSummary
from harness.registry.settings import build
from harness.seeding import seed_everything


def build_method(
    name: str, plugin: registry.Plugin, config: Mapping[str, Any], seed: int, train: TrainSummary
) -> Method:
    """Import a method and build it from a config as plain data, with weights that a seed decides.

    Raises:
        ValueError: the config does not fit the method.
    """
    registration = registry.load_method(name, plugin)
    typed = build(registration.method.config_class, config)
    seed_everything(seed, "weights")
    return registration.method(typed, train)
