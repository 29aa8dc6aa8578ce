"""The command line. Heavy packages are imported inside the commands that need them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from harness.cli import (
    check,
    compare,
    data,
    evaluate,
    export,
    export_embeddings,
    import_results,
    inspect,
    listing,
    new_method,
    pretrain,
    publish,
    report,
    run,
    search,
    verify,
)
from harness.errors import HarnessError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Benchmark text-to-image person retrieval: train and score methods under one protocol.

    Start with **harness run --all**: it trains every method on the drawn demo dataset and writes
    the leaderboard to ./site. Nothing that is complete is ever run again.
    """,
)
app.command("run")(run.run)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("plan-power")(compare.plan_power)
app.command("report")(report.report)
app.command("publish")(publish.publish)
app.command("verify")(verify.verify)
app.command("new-method")(new_method.new_method)
app.command("check")(check.check)
app.add_typer(listing.app, name="list")
app.add_typer(data.app, name="data")
app.add_typer(inspect.app, name="inspect")
app.command("search")(search.search)
app.command("export")(export.export)
app.command("import-results")(import_results.import_results)
app.command("export-embeddings")(export_embeddings.export_embeddings)
app.command("pretrain")(pretrain.pretrain)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, or what it is given in its place; does not return.

    An error that the user can mend is one message.
    """
    try:
        app(arguments, prog_name="harness")
    except HarnessError as error:
        from harness.cli.display.terminal import fail

        fail(str(error))
        sys.exit(2)
