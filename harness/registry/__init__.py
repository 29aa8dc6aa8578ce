"""Finding methods: the bundled package, entry points, and --plugins."""

from harness.registry.finding import ENTRY_POINTS, Plugin, find_plugins
from harness.registry.importing import (
    load_method,
    load_pretraining,
    load_queries,
    load_weights_layouts,
    queries_among,
    queries_hash,
)
from harness.registry.listing import (
    Listing,
    find_method,
    list_methods,
)
from harness.registry.registration import (
    Registration,
    WeightsLayout,
    register,
    register_pretraining,
    register_queries,
    register_weights,
)
from harness.results.paper import ExtraData, Paper

__all__ = [
    "ENTRY_POINTS",
    "ExtraData",
    "Listing",
    "Paper",
    "Plugin",
    "Registration",
    "WeightsLayout",
    "find_method",
    "find_plugins",
    "list_methods",
    "load_method",
    "load_pretraining",
    "load_queries",
    "load_weights_layouts",
    "queries_among",
    "queries_hash",
    "register",
    "register_pretraining",
    "register_queries",
    "register_weights",
]
