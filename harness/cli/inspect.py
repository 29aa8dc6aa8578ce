"""`harness inspect`: what methods make of the data before they train."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, Plugins
from harness.cli.planning import plan_runs
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.method import NegativeCaption

app = typer.Typer(
    no_args_is_help=True, help="Look at what a method makes of the data before it trains."
)


@app.callback()
def inspect() -> None:
    """Look at what a method makes of the data before it trains."""


@app.command("negatives")
def inspect_negatives(
    method: Annotated[str, typer.Argument(help="A method that changes captions, as mefa.")],
    suite: Annotated[str, typer.Option(help="A suite's name, or a YAML file.")] = "demo",
    dataset: Annotated[
        str | None, typer.Option(help="A dataset of the suite; by default its first.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of the run.")] = 0,
    find: Annotated[
        str, typer.Option(help="Only captions or changes that contain this text.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many captions to show.")] = 8,
    as_json: AsJson = False,
    plugins: Plugins = None,
) -> None:
    """Show the changed captions that a method trains against, each beside its source.

    They are those of **harness run** with the same suite, dataset and seed. With --json all of
    them are printed, or all that contain the text of --find.
    """
    from harness import plan, registry
    from harness.cli.display import terminal
    from harness.run.negatives import mine_negatives

    listings = registry.list_methods(plugins or [])
    data = dataset or plan.read_suite(suite).datasets[0]
    [spec] = plan_runs([method], listings, suite, [data], str(seed))
    with terminal.messages.status("opening the data") as status:
        captions, negatives = mine_negatives(spec, status.update)
    if not negatives:
        raise HarnessError(f"{method} makes no negative captions.")
    found = [one for one in negatives if _mentions(one, captions[one.caption], find)]
    if as_json:
        rows = [{"source": captions[one.caption], **one._asdict()} for one in found]
        print(json.dumps(rows, indent=1))
        return
    _show(captions, found, limit)
    terminal.note(_counted(negatives, len(captions)))


def _mentions(negative: NegativeCaption, source: str, text: str) -> bool:
    return text.casefold() in f"{source}\n{negative.change}".casefold()


def _show(captions: Sequence[str], negatives: Sequence[NegativeCaption], limit: int) -> None:
    from harness.cli.display.terminal import console, escape

    width = max((len(one.tier) for one in negatives), default=0)
    groups = groupby(negatives, key=lambda one: one.caption)
    for (caption, group), _ in zip(groups, range(limit), strict=False):
        console.print(escape(captions[caption]), highlight=False)
        for one in group:
            line = f"  [dim]{escape(one.tier):{width}}[/dim]  {escape(one.change)}"
            console.print(line, highlight=False)


def _counted(negatives: Sequence[NegativeCaption], captions: int) -> str:
    made = Counter(one.tier for one in negatives)
    tiers = ", ".join(f"{count} with {tier}" for tier, count in made.items())
    return f"{captions} training captions: {tiers}."
