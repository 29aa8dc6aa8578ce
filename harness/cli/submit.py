"""`harness submit`: a bundle to a public board, by a pull request."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Plugins
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.submission.offer import Offer, Offered


class Place(StrEnum):
    """Where a board is."""

    GITHUB = "github"
    HUGGINGFACE = "huggingface"


def submit(
    bundle: Annotated[Path, typer.Argument(help="What `harness export` wrote.")],
    repository: Annotated[
        str,
        typer.Option(
            help="The board: OWNER/NAME; on github also an address or a path of a git repository, "
            "on huggingface a dataset."
        ),
    ],
    to: Annotated[Place, typer.Option(help="Where the board is.")] = Place.GITHUB,
    fork: Annotated[
        str | None,
        typer.Option(
            "--from", help="github: your fork, where you may not push to the board: OWNER/NAME."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Verify it and say what would be sent.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A dataset to compare with: a name or a folder; may be given again."),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Verify a bundle and ask a board to take it: a branch and a pull request.

    On GitHub the branch is pushed by git, as you have set it up, and the pull request opened with
    GH_TOKEN or with what git itself signs in with; without either, its page is told. On the
    Hugging Face hub it is a pull request to a dataset. Nothing is stored. Called again, it sends
    nothing twice.

    Example: **harness submit submission.zip --repository ORG/NAME**
    """
    from harness import registry
    from harness.cli.display import terminal
    from harness.cli.verify import locate_datasets
    from harness.submission import branches
    from harness.submission.offer import check_file, make_offer

    if fork and to is Place.HUGGINGFACE:
        raise HarnessError("--from is for github: on the hub everybody may ask.")
    check_file(bundle)
    if to is Place.GITHUB and not dry_run:
        branches.check(repository, fork)  # it is quick, and verifying is not
    with terminal.steps() as show:
        datasets = locate_datasets(dataset or [], show)
        offer = make_offer(bundle, registry.list_methods(plugins or []), datasets, show)
    if dry_run:
        print(f"{offer.path}: {offer.title}\n\n{offer.body}")
        terminal.note("Nothing was sent.")
        return
    offered = _send(offer, to, repository, fork)
    terminal.note(offered.told)
    if offered.advice:
        terminal.note(offered.advice)
    if offered.address:
        print(offered.address)


def _send(offer: Offer, to: Place, repository: str, fork: str | None) -> Offered:
    from harness.submission import branches, hub_requests

    if to is Place.HUGGINGFACE:
        return hub_requests.submit(offer, repository)
    return branches.submit(offer, repository, fork)
