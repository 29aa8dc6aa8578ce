"""What `--queries` takes: names of transforms of captions, of groups of them, and of protocols."""

from __future__ import annotations

from collections.abc import Sequence

from harness import registry
from harness.results.protocols import PROTOCOLS, every_protocol, write_protocol


def expand_queries(names: Sequence[str]) -> tuple[str, ...]:
    """Return, each once, what names ask for: transforms, and protocols with all their settings.

    Raises:
        HarnessError: one is not known, or a setting of it does not fit.
    """
    return tuple(dict.fromkeys(one for name in names for one in _expand(name)))


def _expand(name: str) -> list[str]:
    if name.partition(":")[0] in PROTOCOLS:
        return [write_protocol(one) for one in every_protocol(name)]
    if members := registry.queries_among(name):
        return members
    registry.load_queries(name)
    return [name]
