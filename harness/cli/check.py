"""`harness check`: does a method keep to the contract?"""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import AsJson, Plugins
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.contract.case import Subject
    from harness.contract.checks import Check


def check(
    name: Annotated[str, typer.Argument(help="The method.", metavar="NAME")],
    scale: Annotated[
        str | None, typer.Option(help="The recipe to build it with; tiny, or its first.")
    ] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Try a method against the contract on drawn people, in under a minute at scale tiny.

    Whether it encodes both modalities, repeats its bits, keeps to its supervision, survives a save
    and load, trains what its ablation rows name, and what it costs; with advice for what fails.
    """
    from harness.cli.display import terminal

    subject = _subject(name, scale, plugins or [])
    from harness.contract.checks import CHECKS

    rows = []
    with terminal.steps() as show:
        for number, one in enumerate(CHECKS):
            show("checking", number, len(CHECKS))
            rows.append(_outcome(one, subject))
        show("checking", len(CHECKS), len(CHECKS))
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _show(rows)
    if not all(row["passed"] for row in rows):
        raise typer.Exit(1)


def _subject(name: str, scale: str | None, plugins: Any) -> Subject:
    from harness import registry
    from harness.errors import unknown

    listing = registry.find_method(name, registry.list_methods(plugins))
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
    from harness.contract.case import Subject, small_dolls

    return Subject(listing, chosen, small_dolls())


def _outcome(one: Check, subject: Subject) -> dict[str, Any]:
    """Run a check; whatever the method raises is a failure of it."""
    from harness.contract.checks import Broken

    row: dict[str, Any] = {"check": one.title, "passed": False, "advice": one.advice}
    try:
        return {**row, "passed": True, "told": one.run(subject), "advice": ""}
    except Broken as broken:
        return {**row, "told": str(broken)}
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return {**row, "told": told, "traceback": traceback.format_exc()}


def _show(rows: list[dict[str, Any]]) -> None:
    from harness.cli.display import terminal

    table = [["ok" if row["passed"] else "FAILS", row["check"], row["told"]] for row in rows]
    terminal.print_table(["", "check", "found"], table)
    for row in rows:
        if row["passed"]:
            continue
        terminal.note(f"\n{row['check']}: {row['advice']}")
        if "traceback" in row:
            terminal.note(row["traceback"].rstrip())
