"""Finding methods: the bundled package, entry points, and --plugins."""

from harness.registry.plugins import (
    ENTRY_POINTS,
    Listing,
    Plugin,
    Registration,
    describe_error,
    find_method,
    find_plugins,
    list_methods,
    load_method,
    load_pretraining,
    load_queries,
    queries_hash,
    register,
    register_pretraining,
    register_queries,
)

__all__ = [
    "ENTRY_POINTS",
    "Listing",
    "Plugin",
    "Registration",
    "describe_error",
    "find_method",
    "find_plugins",
    "list_methods",
    "load_method",
    "load_pretraining",
    "load_queries",
    "queries_hash",
    "register",
    "register_pretraining",
    "register_queries",
]
