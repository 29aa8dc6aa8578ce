"""`harness publish`: the leaderboard where people read it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Results
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.publishing.changes import Published
    from harness.publishing.page import Page

GITHUB, HUGGINGFACE, FOLDER, PREVIEW = "github", "huggingface", "a folder", "--preview"
BRANCH = "gh-pages"
NAMED = 3  # problems that a refusal names
# The options that only some places take.
TAKEN_BY = {
    "--repository": (GITHUB, HUGGINGFACE),
    "--branch": (GITHUB,),
    "--private": (HUGGINGFACE,),
    "--message": (GITHUB, HUGGINGFACE),
    "--port": (PREVIEW,),
    "--dry-run": (GITHUB, HUGGINGFACE, FOLDER),
    "--unverified": (GITHUB, HUGGINGFACE, FOLDER),
}


def publish(
    to: Annotated[
        str | None,
        typer.Option(help="github, huggingface, or a folder (write ./github for one called so)."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show it on this machine.")] = False,
    results: Results = Path("results"),
    repository: Annotated[
        str | None,
        typer.Option(
            help="github: its address or path, else the remote origin of this checkout. "
            "huggingface: ORG/NAME of a Space."
        ),
    ] = None,
    branch: Annotated[str | None, typer.Option(help="github: the branch; gh-pages.")] = None,
    private: Annotated[
        bool, typer.Option("--private", help="huggingface: others cannot see it.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="What the commit says.")] = None,
    port: Annotated[int | None, typer.Option(help="--preview: the port, else a free one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Publish what `harness verify` objects to.")
    ] = False,
) -> None:
    """Build the leaderboard and put it where people read it; only what changed is sent.

    A folder, a branch that GitHub Pages shows, or a static Space on the Hugging Face hub. Files of
    others that are there stay. Results are verified before. Whatever interrupts it, readers see
    the page from before or the new one, and the same command goes on.

    Example: **harness publish --to github**
    """
    place = _place(to, preview)
    given = {
        "--repository": repository, "--branch": branch, "--private": private, "--message": message,
        "--port": port, "--dry-run": dry_run, "--unverified": unverified,
    }  # fmt: skip
    _refuse_others_options(place, given)
    with tempfile.TemporaryDirectory(prefix="harness-publish-") as folder:
        if preview:
            _preview(results, Path(folder), port or 0)
            return
        if not unverified:
            _verify(results)
        says = message or _describe(results)
        target = _target(place, to or "", repository, branch, private, says, dry_run)
        _tell(_publish(_build(results, Path(folder)), target), dry_run)


def _place(to: str | None, preview: bool) -> str:
    """Return the kind of place that is meant."""
    if bool(to) == preview:
        raise HarnessError(
            "Say where to: --to github, --to huggingface or --to FOLDER; or --preview alone."
        )
    if preview:
        return PREVIEW
    return to if to in (GITHUB, HUGGINGFACE) else FOLDER


def _refuse_others_options(place: str, given: Mapping[str, object]) -> None:
    """Refuse an option that would be left aside: --private above all."""
    for option, places in TAKEN_BY.items():
        if given[option] not in (None, False) and place not in places:
            raise HarnessError(f"{option} is for {' and '.join(places)}, not for {place}.")
    repository = str(given["--repository"] or "")
    if place == HUGGINGFACE and repository.count("/") != 1:
        raise HarnessError("Name the Space: --to huggingface --repository ORG/NAME.")


def _build(results: Path, folder: Path) -> Page:
    """Build every report into a folder."""
    from harness.cli.report import build_reports
    from harness.publishing.page import prepare_page

    build_reports(results, folder)
    return prepare_page(folder)


def _verify(results: Path) -> None:
    """Refuse results that `harness verify` objects to, one's own and those that join them."""
    from harness.results.shipped import FOLDER, is_shipped, load_layered

    ships = any(map(is_shipped, load_layered(results)))
    if not ships or any(results.glob("*/*/*/*/seed-*")):
        _refuse_problems(results, str(results))
    if ships:
        _refuse_problems(FOLDER, "--shipped")


def _refuse_problems(results: Path, argument: str) -> None:
    from harness.cli.display import terminal
    from harness.cli.verify import locate_datasets
    from harness.printable import printable
    from harness.verification import verify

    with terminal.steps() as show:
        # Without the methods: that a run is stale is no reason not to show it.
        problems = verify(results, [], locate_datasets([], show, results), show).problems
    if not problems:
        return
    named = "; ".join(printable(f"{one.path}: {one}") for one in problems[:NAMED])
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    raise HarnessError(
        f"Not published: {_count(len(problems), 'problem')} in {results}: {named}{more}. "
        f"`harness verify {argument}` tells what to do; --unverified publishes all the same."
    )


def _describe(results: Path) -> str:
    """Return what a commit says by itself."""
    from harness.results.shipped import is_shipped, load_layered

    runs = load_layered(results)
    methods = {stored.record.method for stored in runs}
    shipped = sum(map(is_shipped, runs))
    known = f" ({shipped:,} shipped with the project)" if shipped else ""
    return f"Leaderboard of {_count(len(methods), 'method')}, {_count(len(runs), 'run')}{known}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _target(
    place: str,
    to: str,
    repository: str | None,
    branch: str | None,
    private: bool,
    message: str,
    dry_run: bool,
) -> Callable[[Page], Published]:
    """Return what puts a page into its place."""
    from harness.publishing import folder, github, huggingface

    if place == GITHUB:
        return partial(
            github.publish, repository=repository, branch=branch or BRANCH, message=message,
            dry_run=dry_run,
        )  # fmt: skip
    if place == HUGGINGFACE:
        return partial(
            huggingface.publish, repository=repository or "", private=private, message=message,
            dry_run=dry_run,
        )  # fmt: skip
    return partial(folder.publish, out=Path(to), dry_run=dry_run)


def _publish(page: Page, target: Callable[[Page], Published]) -> Published:
    try:
        return target(page)
    except OSError as error:  # of a file that is in the way, or of the disk
        raise HarnessError(str(error)) from error


def _tell(published: Published, dry_run: bool) -> None:
    """Say what changed; the address goes to standard output."""
    from harness.cli.display.terminal import note
    from harness.printable import printable

    if not published.changes:
        note(f"Nothing to publish: {published.where} has these very pages.")
    elif dry_run:
        note(f"Would publish to {published.where}: {published.changes}.")
        return
    else:
        note(f"Published to {published.where}: {published.changes}.")
    if published.address:
        print(printable(published.address))
    if published.advice:
        note(published.advice)


def _preview(results: Path, folder: Path, port: int) -> None:
    from harness.cli.display.terminal import note
    from harness.publishing.preview import serve

    _build(results, folder)

    def tell(address: str) -> None:
        print(address, flush=True)
        note("Ctrl-C ends it.")

    serve(folder, port, tell)
