"""The methods there are, with their descriptions: cached by the sources they were taken from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import paths, sources
from harness.errors import HarnessError, describe_error, unknown
from harness.files import write_json
from harness.registry.finding import Plugin, find_plugins
from harness.registry.importing import import_plugin

CACHE_VERSION = 1
DUPLICATE = "DuplicateName"  # a kind of error


@dataclass(frozen=True)
class Listing:
    """One line of `harness list methods`: a description, or the error that took its place."""

    name: str
    plugin: Plugin
    description: dict[str, Any] | None
    error: dict[str, str] | None = None  # kind, message, traceback


def list_methods(paths_given: Sequence[Path] = ()) -> list[Listing]:
    """Return every registered method, and every plugin that fails, in the order of names.

    Where two plugins register one name the first keeps it; the second is listed with an error.
    """
    listings: list[Listing] = []
    taken: dict[str, Path] = {}
    imports: dict[sources.Roots, sources.Imports] = {}
    for plugin in find_plugins(paths_given):
        known = imports.setdefault(plugin.roots, sources.Imports(plugin.roots))
        for listing in _describe(plugin, known):
            if listing.name in taken and not listing.error:
                listing = _duplicate(listing, taken[listing.name])
            taken.setdefault(listing.name, plugin.module.path)
            listings.append(listing)
    return sorted(listings, key=lambda listing: (listing.name, listing.error is not None))


def find_method(name: str, listings: Sequence[Listing]) -> Listing:
    """Return the listing of a name.

    Raises:
        HarnessError: there is none, and what was probably meant; or two plugins register it.
    """
    found = [listing for listing in listings if listing.name == name]
    if not found:
        raise unknown("method", name, {listing.name for listing in listings})
    for listing in found:
        if listing.error and listing.error["kind"] == DUPLICATE:
            raise HarnessError(f"{listing.error['message']}.")
    return found[0]


def _describe(plugin: Plugin, imports: sources.Imports) -> list[Listing]:
    """Return the cached descriptions of a plugin's methods, importing it where there are none."""
    cached = _cache_file(plugin, imports)
    descriptions = _read(cached)
    if descriptions is None:
        try:
            descriptions = _describe_by_import(plugin)
        except BaseException as error:  # a plugin may raise anything, SystemExit too
            if isinstance(error, KeyboardInterrupt):
                raise
            name = plugin.module.name.rpartition(".")[2]
            return [Listing(name, plugin, None, describe_error(error))]
        with contextlib.suppress(OSError):  # without a cache it is only slower
            write_json(cached, descriptions)
    return [Listing(description["name"], plugin, description) for description in descriptions]


def _read(cached: Path) -> list[dict[str, Any]] | None:
    try:
        return list(json.loads(cached.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _describe_by_import(plugin: Plugin) -> list[dict[str, Any]]:
    from harness.registry.description import describe

    found = [describe(registration) for registration in import_plugin(plugin).values()]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # what the cache will give


def _cache_file(plugin: Plugin, imports: sources.Imports) -> Path:
    modules = imports.closure([plugin.module])
    files = [*(module.path for module in modules), *imports.data_files(modules)]
    folder = sources.HARNESS_FOLDER
    names = ("method.py", "limits.py", "results/paper.py", "rerank.py")
    contract = [*sorted(folder.glob("registry/*.py")), *(folder / name for name in names)]
    text = f"{CACHE_VERSION} {sys.version_info[:2]} {imports.hash([*files, *contract])}"
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    return paths.cache_folder() / "registry" / f"{key}.json"


def _duplicate(listing: Listing, first: Path) -> Listing:
    message = (
        f"method {listing.name!r} is already registered by {first}; "
        f"rename the one in {listing.plugin.module.path}"
    )
    return Listing(listing.name, listing.plugin, None, {"kind": DUPLICATE, "message": message})
