"""What a run's two keys stand for: the code that makes its weights, and the code of its figures.

The key of the weights holds what trains. The key of the figures holds the weights, and what
encodes, scores and judges them: where it alone has changed, stored weights are evaluated anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness import sources
from harness.registry import Plugin
from harness.sources import (
    WHOLE,
    Definition,
    Roots,
    Scope,
    find_definitions,
    hash_definitions,
)

Name = tuple[str, str]  # a module and what it defines
HARNESS = Roots()

# Where a run begins to make its weights, and to make its figures of them.
TRAINS: tuple[Name, ...] = (("harness.run.job", "open_job"), ("harness.run.execute", "train_job"))
SCORES: tuple[Name, ...] = (("harness.run.job", "open_job"), ("harness.run.execute", "score_job"))
SCORES_FURTHER: tuple[Name, ...] = (("harness.run.further", "add_evaluations"),)

# What a run calls that changes no figure, with the reason.
LEFT_OUT = {
    "harness.compatibility": "makes libraries import",
    "harness.data.digest": "what pages tell of a dataset",
    "harness.errors": "words for the user",
    "harness.execution": "where a run is executed, and how long it may take",
    "harness.paths": "where caches lie",
    "harness.progress": "what is shown while a run goes on",
    "harness.registry": "finds the code of a method, which the key holds itself",
    "harness.run.tracking": "what is shown elsewhere while a run goes on",
}
# Of what trains, what only judges: epochs are scored on val, but no step depends on it.
JUDGES = {
    "harness.evaluation": "encodes and scores the val split",
    "harness.metrics": "the figures of the val split",
}


@dataclass(frozen=True)
class Code:
    """Hashes of the code, and of the starting weights, that a method's runs stand on."""

    weights: str
    figures: str


def code_of(plugin: Plugin, roots: Roots = HARNESS) -> Code:
    """Return what the runs of a plugin's methods stand on, as it is now."""
    own = _own_hash(plugin)
    trains, scores = hash_harness(TRAINS, JUDGES, roots), hash_harness(SCORES, roots=roots)
    return Code(weights=f"{trains} {own}", figures=f"{scores} {own}")


def hash_harness(names: Sequence[Name], beside: Iterable[str] = (), roots: Roots = HARNESS) -> str:
    """Hash what the harness does from some of its functions on, but for what is left out."""
    return hash_definitions(find_definitions(names, roots), Scope(roots, _left_out(beside)))


def _own_hash(plugin: Plugin) -> str:
    """Hash what a plugin does, with all that it reads, and the files its weights come from."""
    start = [Definition(plugin.module, WHOLE)]
    code = hash_definitions(start, Scope(plugin.roots, _left_out()))
    return f"{code} {sources.bytes_hash(sources.weight_files(plugin.sources()))}"


def _left_out(beside: Iterable[str] = ()) -> frozenset[str]:
    return frozenset([*LEFT_OUT, *beside])
