"""What variants of methods need from elsewhere, asked of the methods themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.method import Download
from harness.registry.finding import Plugin
from harness.registry.importing import load_method
from harness.registry.scales import at_scale, parse_scale
from harness.registry.settings import build


def may_need(
    description: Mapping[str, Any], scale: str, label: str, config: Mapping[str, Any]
) -> bool:
    """Tell whether a config may need something from elsewhere, without an import of its method.

    Of variants as declared the description tells; what other settings name, the method alone.
    """
    declared = {variant["label"]: variant["changes"] for variant in description["variants"]}
    if label not in declared:
        return True
    as_declared = {**at_scale(description, scale)["config"], **declared[label]}
    return label in description["fetching"][parse_scale(scale)[0]] or dict(config) != as_declared


def find_downloads(name: str, plugin: Plugin, config: Mapping[str, Any]) -> Sequence[Download]:
    """Import a method and return what it needs for a config, whether it is here or not."""
    method = load_method(name, plugin).method
    return method.downloads(build(method.config_class, config))
