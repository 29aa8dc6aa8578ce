"""The command line. Heavy packages are imported inside the commands that need them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from harness.cli import (
    agree,
    check,
    compare,
    data,
    drop,
    evaluate,
    export,
    export_embeddings,
    fetch,
    import_results,
    inspect,
    listing,
    new_board,
    new_method,
    pretrain,
    publish,
    report,
    run,
    score,
    search,
    submit,
    tune,
    verify,
)
from harness.errors import HarnessError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
ON_WINDOWS = "the harness runs on Linux and macOS; on Windows, start it within WSL."
# What people do with it, in the order in which they come to it: the headings of the help.
RUN, READ, SHARE, WRITE = "Run", "Read and compare", "Share", "Write a method"
app.command("run", rich_help_panel=RUN)(run.run)
app.command("fetch", rich_help_panel=RUN)(fetch.fetch)
app.command("tune", rich_help_panel=RUN)(tune.tune)
app.command("evaluate", rich_help_panel=RUN)(evaluate.evaluate)
app.command("score", rich_help_panel=RUN)(score.score)
app.add_typer(data.app, name="data", rich_help_panel=RUN)
app.add_typer(listing.app, name="list", rich_help_panel=READ)
app.command("report", rich_help_panel=READ)(report.report)
app.command("drop", rich_help_panel=READ)(drop.drop)
app.command("compare", rich_help_panel=READ)(compare.compare)
app.command("plan-power", rich_help_panel=READ)(compare.plan_power)
app.command("agree", rich_help_panel=READ)(agree.agree)
app.command("search", rich_help_panel=READ)(search.search)
app.command("verify", rich_help_panel=READ)(verify.verify)
app.command("publish", rich_help_panel=SHARE)(publish.publish)
app.command("export", rich_help_panel=SHARE)(export.export)
app.command("export-embeddings", rich_help_panel=SHARE)(export_embeddings.export_embeddings)
app.command("submit", rich_help_panel=SHARE)(submit.submit)
app.command("import-results", rich_help_panel=SHARE)(import_results.import_results)
app.command("new-board", rich_help_panel=SHARE)(new_board.new_board)
app.command("new-method", rich_help_panel=WRITE)(new_method.new_method)
app.command("check", rich_help_panel=WRITE)(check.check)
app.add_typer(inspect.app, name="inspect", rich_help_panel=WRITE)
app.command("pretrain", rich_help_panel=WRITE)(pretrain.pretrain)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"tbpr-bench {version('tbpr-bench')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Which one it is."),
    ] = False,
) -> None:
    """Benchmark text-to-image person retrieval: train and score methods under one protocol.

    Start with **harness run --all**: it trains every method on the drawn demo dataset and writes
    the leaderboard to ./site. Nothing that is complete is ever run again.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, or what it is given in its place; does not return.

    An error that the user can mend is one message.
    """
    if sys.platform == "win32":
        sys.exit(f"Error: {ON_WINDOWS}")
    try:
        app(arguments, prog_name="harness")
    except HarnessError as error:
        from harness.cli.display.terminal import fail

        fail(str(error))
        sys.exit(2)
    except OSError as error:
        from harness.cli.display.terminal import fail
        from harness.paths import explain

        told = explain(error)
        if told is None:
            raise
        fail(told)
        sys.exit(2)
