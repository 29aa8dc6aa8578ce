"""`harness agree`: whether the results agree with what papers report."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.results.agreement import Agreement

AGREEMENTS = "harness.agreements"
Find = Callable[[Path, str, str | None, Collection[str]], "list[Agreement]"]


def agree(
    results: Annotated[Path, typer.Argument(help="The folder of the results.")] = Path("results"),
    on: Annotated[
        str,
        typer.Option(
            help="Which dataset's printed figures stand in for one that no paper measured."
        ),
    ] = "cuhk-pedes",
    suite: Annotated[str | None, typer.Option(help="Only the runs of this suite.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; may be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether differences are what papers report: between methods, and between ablation rows.

    Each is by R1. Methods are compared in pairs; in a paper's ablation tables each row with its
    base, and the full method with each row. A difference stands if its sign is the printed one.
    What is printed less than 1.0 points apart is a tie and claims no order; a misprint claims
    nothing. Which differences are told apart is judged as on the leaderboard.

    Kendall's tau is the share of the pairs of methods that stand less the share of those that do
    not: 1 is the order of the papers, -1 its reverse. Its 95 % interval is for other people and
    other seeds. Tau may itself be an end of it: where every pair that chance could turn stands,
    others can only lower it; where none of them does, only raise it.

    Datasets that papers measured are compared with what is printed for them, any other with what
    is printed for --on: methods need not compare alike on two datasets, least of all on photographs
    and on drawn people.

    Example: **harness agree results --on rstpreid**
    """
    from harness.cli.display.agreement import show_agreements

    found = _find(results, on, suite, dataset or [])
    _refuse_nothing(found, results)
    show_agreements(found, as_json)


def _find(results: Path, on: str, suite: str | None, datasets: Collection[str]) -> list[Agreement]:
    """Call what knows the papers."""
    entries = importlib.metadata.entry_points(group=AGREEMENTS)
    if not entries:
        raise HarnessError(
            "Nothing that knows papers is installed: reinstall the package (pip install -e .)."
        )
    finders: list[Find] = [entry.load() for entry in entries]
    try:
        return [one for find in finders for one in find(results, on, suite, datasets)]
    except ValueError as error:
        raise HarnessError(str(error)) from error


def _refuse_nothing(found: Sequence[Agreement], results: Path) -> None:
    """Refuse results of which papers claim nothing, and say why."""
    if any(one.pairs or one.rows for one in found):
        return
    told = "\n".join(f"  {one.suite}/{one.dataset}: {_why_nothing(one)}" for one in found)
    raise HarnessError(
        f"Of what ran in {results} papers claim no difference: that takes two methods that they "
        f"print, or two rows of an ablation table, with finished runs.\n{told}"
    )


def _why_nothing(agreement: Agreement) -> str:
    whys = [f"{method}: {why}" for method, why in agreement.left_out]
    alone = [f"{one.method} is alone" for one in agreement.figures]
    return "; ".join([*alone, *whys]) + "."
