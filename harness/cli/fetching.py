"""What runs need from elsewhere: found, told with its size, and fetched before anything trains."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.method import Download
    from harness.plan.spec import RunSpec
    from harness.registry import Plugin


def require_downloads(specs: Sequence[RunSpec]) -> None:
    """Fetch what runs need and is not here.

    Raises:
        HarnessError: something cannot be had; the message names it.
    """
    _bring(dict.fromkeys(one for of_run in missing_by_run(specs).values() for one in of_run))


def require_of_method(method: str, plugin: Plugin, config: Mapping[str, Any]) -> None:
    """Fetch what a method needs by a config and is not here. Raises HarnessError."""
    from harness.data.downloads import missing

    _bring(missing(_asked(method, plugin, config)))


def _bring(lacking: Collection[Download]) -> None:
    if lacking:
        tell_missing(lacking)
        fetch_all(lacking)


def missing_by_run(specs: Iterable[RunSpec]) -> dict[str, list[Download]]:
    """Return what is not here of what runs need, by `str` of those that lack something.

    A method that does not say is passed over: its run tells what is wrong with it.
    """
    from harness.data.downloads import missing
    from harness.registry.needs import may_need

    known: dict[str, list[Download]] = {}
    found = {}
    for spec in specs:
        if not may_need(spec.description, spec.scale, spec.variant, spec.config):
            continue
        content = json.dumps([spec.method, spec.plugin.module.name, dict(spec.config)])
        if content not in known:
            known[content] = missing(_asked(spec.method, spec.plugin, spec.config))
        if known[content]:
            found[str(spec)] = known[content]
    return found


def _asked(method: str, plugin: Plugin, config: Mapping[str, Any]) -> Sequence[Download]:
    from harness.registry.needs import find_downloads

    try:
        return find_downloads(method, plugin, config)
    except Exception:  # a plugin's own: its run ends with a record of it
        return ()


def tell_missing(lacking: Iterable[Download]) -> None:
    """Name what is to be fetched, with sizes as far as anybody tells."""
    from harness.cli.display.terminal import note, write_size

    told = []
    for one in lacking:
        size = one.size()
        told.append(f"{one.name} ({write_size(size) if size else 'size not known'})")
    note(f"To be fetched: {', '.join(told)}.")


def fetch_all(lacking: Iterable[Download]) -> None:
    """Fetch one after the other, each with a progress bar. Raises HarnessError."""
    from harness.cli.display import terminal

    with terminal.steps() as show:
        for one in lacking:
            one.fetch(show)
