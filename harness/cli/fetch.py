"""`harness fetch`: what runs need from elsewhere, before they are where no network is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import WHAT, Ablations, Datasets, Plugins

if TYPE_CHECKING:
    from harness.data.declaration import Declaration
    from harness.method import Download
    from harness.plan import Choice, Suite

Methods = Annotated[
    list[str] | None,
    typer.Argument(
        help="Methods (irra) or variants (irra:+SDM); all that the suite has by default."
    ),
]
SuiteName = Annotated[
    str, typer.Option("--suite", help="A suite's name, or a YAML file.", rich_help_panel=WHAT)
]


def fetch(
    methods: Methods = None,
    suite: SuiteName = "paper",
    dataset: Datasets = None,
    ablations: Ablations = False,
    plugins: Plugins = None,
) -> None:
    """Fetch the weights, tokenizers and datasets that runs of a suite need, with their sizes.

    Then they start without a network. What is here is not fetched again, and a file whose
    connection was cut goes on where it was: call again.

    Example: **harness fetch --suite day**, then **HF_HUB_OFFLINE=1 harness run --all --suite day**
    """
    from harness import plan, registry
    from harness.cli.display.terminal import note
    from harness.cli.fetching import fetch_all, tell_missing
    from harness.data.downloads import missing, names_of

    chosen = plan.read_suite(suite)
    listings = registry.list_methods(plugins or [])
    choices = plan.choose(methods or [], listings, chosen.scale, ablations)
    declarations = [chosen.find_declaration(name) for name in dataset or chosen.datasets]
    needed = [*_of_datasets(declarations), *_of_methods(chosen, choices)]
    if lacking := missing(needed):
        tell_missing(lacking)
        fetch_all(lacking)
    _draw(declarations)
    note(f"All that is to be fetched is here: {names_of([*dict.fromkeys(needed)]) or 'nothing'}.")
    absent = [one.name for one in declarations if one.folder and not Path(one.folder).is_dir()]
    if absent:
        note(
            f"Not here, and nowhere to be fetched: {', '.join(absent)}. Their authors give them on "
            "request; `harness data import` takes them as they come."
        )


def _of_datasets(declarations: Sequence[Declaration]) -> Iterator[Download]:
    from harness.data.downloads import of_dataset

    return (of_dataset(one) for one in declarations if one.hub)


def _of_methods(suite: Suite, choices: Sequence[Choice]) -> Iterator[Download]:
    """Yield what the variants of methods need."""
    from harness.plan.variants import resolve_variant
    from harness.registry.needs import find_downloads, may_need

    for choice in choices:
        description, plugin = choice.listing.description, choice.listing.plugin
        assert description is not None, "what does not import is not chosen"
        for label in choice.variants:
            config = resolve_variant(choice.listing, suite.scale, label, {}).config
            if may_need(description, suite.scale, label, config):
                yield from find_downloads(choice.listing.name, plugin, config)


def _draw(declarations: Sequence[Declaration]) -> None:
    """Draw the datasets that are drawn, as far as they are not."""
    from harness.cli.display import terminal
    from harness.data.catalogue import locate

    with terminal.steps() as show:
        for one in declarations:
            if one.drawn:
                locate(one, show)
