"""Importing what a plugin registers."""

from __future__ import annotations

import importlib

from harness import sources
from harness.errors import unknown
from harness.registry import plugin_folders
from harness.registry.finding import Plugin, followed_roots, list_entry_points
from harness.registry.registration import (
    METHODS,
    PRETRAININGS,
    QUERIES,
    QUERY_GROUPS,
    WEIGHTS,
    Pretraining,
    QueryTransform,
    Registration,
    WeightsLayout,
)
from harness.sources import WHOLE, Scope, find_definitions, find_spec, hash_definitions


def load_method(name: str, plugin: Plugin) -> Registration:
    """Import the plugin of a method and return its registration."""
    registrations = import_plugin(plugin)
    if name not in registrations:
        raise unknown("method", name, registrations)
    return registrations[name]


def load_pretraining(name: str) -> Pretraining:
    """Import the bundled pre-trainings and return one."""
    _import_parts("pretraining")
    if name not in PRETRAININGS:
        raise unknown("encoder", name, PRETRAININGS)
    return PRETRAININGS[name]


def load_queries(name: str) -> QueryTransform:
    """Import the bundled query transforms and return one."""
    _import_parts("queries")
    if name not in QUERIES:
        raise unknown("query transform", name, [*QUERIES, *QUERY_GROUPS])
    return QUERIES[name]


def queries_among(group: str) -> list[str]:
    """Import the bundled query transforms and return the names of a group; none of no group."""
    _import_parts("queries")
    return list(QUERY_GROUPS.get(group, ()))


def load_weights_layouts(method: str) -> list[type[WeightsLayout]]:
    """Import the bundled layouts of published weights and return those of a method."""
    _import_parts("published")
    return list(WEIGHTS.get(method, ()))


def queries_hash() -> str:
    """Hash the code and the weights that the bundled query transforms stand on."""
    roots = followed_roots()
    start = find_definitions([(part, WHOLE) for part in _parts("queries")], roots)
    modules = sources.Imports(roots).closure(one.module for one in start)
    weights = sources.bytes_hash(sources.weight_files(modules))
    return f"{hash_definitions(start, Scope(roots))} {weights}"


def _parts(name: str) -> list[str]:
    """Return the modules of that name in the packages of methods."""
    packages = (entry.value.partition(":")[0] for entry in list_entry_points())
    return [f"{package}.{name}" for package in packages if find_spec(f"{package}.{name}")]


def _import_parts(name: str) -> None:
    from harness.compatibility import mend_torchvision

    mend_torchvision()
    for module in _parts(name):
        importlib.import_module(module)


def import_plugin(plugin: Plugin) -> dict[str, Registration]:
    """Import a plugin's module and return what it registered."""
    from harness.compatibility import mend_torchvision

    mend_torchvision()
    name = plugin.module.name
    if plugin.module.folder:
        plugin_folders.load(plugin.module, plugin.module.folder)
    else:
        importlib.import_module(name)
    found = dict(METHODS.get(name, {}))
    for module, registrations in METHODS.items():
        if plugin.whole and module.startswith(f"{name}."):
            found |= registrations
    return found
