"""`harness check`: does a method keep to the contract?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.fetching import require_of_method
from harness.cli.options import AsJson, Plugins
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.contract.checks import Outcome
    from harness.contract.subject import Subject

ANNOUNCED_SECONDS = 60.0  # what takes longer is said before it starts


def check(
    name: Annotated[str, typer.Argument(help="The method.", metavar="NAME")],
    scale: Annotated[
        str | None, typer.Option(help="The recipe to build it with; tiny, or its first.")
    ] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Try a method against the contract on drawn people, in under a minute at scale tiny.

    Whether it trains, encodes both modalities, repeats its bits, goes on where it was stopped,
    keeps to its supervision, survives a save and load, trains what each of its ablation rows
    names, and what it costs; with advice for what fails. What hangs on a check that fails is
    skipped. Where it will take longer than a minute, it says so after two steps.
    """
    from harness.cli.display import terminal

    subject = _subject(name, scale, plugins or [])
    from harness.contract.checks import CHECKS, Verdict, examine

    outcomes = []
    with terminal.steps() as show:
        show("checking", 0, len(CHECKS))
        for outcome in examine(subject):
            outcomes.append(outcome)
            show("checking", len(outcomes), len(CHECKS))
    if as_json:
        print(json.dumps([_row(outcome) for outcome in outcomes], indent=1))
    else:
        _show(outcomes)
    if any(outcome.verdict is Verdict.FAILS for outcome in outcomes):
        raise typer.Exit(1)


def _subject(name: str, scale: str | None, plugins: Any) -> Subject:
    from harness import registry
    from harness.errors import unknown

    listings = registry.list_methods(plugins)
    listing = registry.find_method(name, listings)
    if listing.error:
        raise HarnessError(
            f"Method {name!r} cannot be imported: {listing.error['kind']}: "
            f"{listing.error['message']} (in {listing.plugin.module.path})\n"
            f"{listing.error.get('traceback', '')}".rstrip()
        )
    assert listing.description is not None
    scales = listing.description["scales"]
    chosen = scale or ("tiny" if "tiny" in scales else next(iter(scales)))
    if chosen not in scales:
        raise unknown(f"recipe of {name}", chosen, scales)
    require_of_method(name, listing.plugin, scales[chosen]["config"])
    from harness.contract.case import small_dolls
    from harness.contract.subject import Subject
    from harness.execution.local import preload

    preload([listing.plugin])  # what encodes in another process, while this one does other things
    return Subject(listing, chosen, small_dolls(), _announce)


def _announce(seconds: float) -> None:
    from harness.cli.display import terminal

    if seconds > ANNOUNCED_SECONDS:
        terminal.note(f"This will take about {seconds / 60:.0f} minutes.")


def _row(outcome: Outcome) -> dict[str, Any]:
    """Return what a check found as a script reads it; `passed` is null where it was skipped."""
    from harness.contract.checks import Verdict

    row = {
        "check": outcome.check.title,
        "passed": {Verdict.OK: True, Verdict.FAILS: False}.get(outcome.verdict),
        "verdict": outcome.verdict,
        "told": outcome.told,
        "advice": outcome.advice,
    }
    return {**row, "traceback": outcome.traceback} if outcome.traceback else row


def _show(outcomes: Sequence[Outcome]) -> None:
    from harness.cli.display import terminal
    from harness.contract.checks import Verdict

    table = [[one.verdict, one.check.title, one.told] for one in outcomes]
    terminal.print_table(["", "check", "found"], table)
    for outcome in outcomes:
        if outcome.verdict is not Verdict.FAILS:
            continue
        terminal.note(f"\n{outcome.check.title}: {outcome.told}\n{outcome.advice}")
        if outcome.traceback:
            terminal.note(outcome.traceback.rstrip())
