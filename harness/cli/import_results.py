"""`harness import-results`: runs that others made, verified and taken in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Plugins, Results

if TYPE_CHECKING:
    from harness.submission.intake import Taken


def import_results(
    bundles: Annotated[
        list[Path], typer.Argument(help="What `harness export` wrote, as a zip or unpacked.")
    ],
    results: Results = Path("results"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Put runs in the place of others that are here.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A dataset to compare with: a name or a folder; may be given again."),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Take in runs of others, each bundle as a whole or not at all.

    Before anything is ranked, every figure is recomputed from its ranks and every ranking compared
    with the dataset's people. The methods need not be here, nor torch. A run that is here already
    with the same rankings is passed over; one with others is refused. Ends with status 1 where a
    bundle was refused.

    Example: **harness import-results submissions/\\*.zip && harness report**
    """
    from harness import registry
    from harness.cli.display import terminal
    from harness.cli.verify import locate_datasets
    from harness.errors import HarnessError
    from harness.printable import printable
    from harness.submission.intake import import_bundle
    from harness.submission.judging import Here

    refused = 0
    with terminal.steps() as show:
        here = Here(
            results, registry.list_methods(plugins or []), locate_datasets(dataset or [], show)
        )
    for bundle in bundles:
        name = printable(str(bundle))
        try:
            with terminal.steps() as show:
                taken = import_bundle(bundle, here, replace, show)
        except HarnessError as error:
            terminal.fail(f"{name}: {error}. Nothing of it was imported.")
            refused += 1
        except OSError as error:
            terminal.fail(f"{name}: {error.strerror or error}. What is in place is whole.")
            refused += 1
        else:
            print(f"{name}: {_summary(taken)}")
            for note in _notes(taken):
                terminal.note(note)
    if refused:
        raise typer.Exit(1)


def _summary(taken: Taken) -> str:
    from harness.printable import printable

    who = f"by {printable(taken.by)}: " if taken.by else ""
    known = f", {len(taken.known)} here already with the same rankings" if taken.known else ""
    return f"{who}{len(taken.imported)} runs imported{known}."


def _notes(taken: Taken) -> list[str]:
    """Return what is worth knowing of runs that were taken in."""
    notes = []
    if taken.stale:
        notes.append(
            f"{taken.stale} of its runs were made by other code, settings or data than those here."
        )
    if taken.unchecked:
        notes.append(
            f"Who is on the images is as the bundle tells, and nothing here vouches for it: "
            f"{', '.join(taken.unchecked)}. With the dataset here, `harness verify` compares it."
        )
    return notes
