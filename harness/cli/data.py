"""`harness data`: import a benchmark, audit a dataset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import AsJson
from harness.errors import HarnessError, unknown
from harness.printable import printable

SHOWN = 10  # broken images that are named, and converted ones

app = typer.Typer(no_args_is_help=True, help="Import a benchmark's folder, audit a dataset.")
companion = typer.Typer(
    no_args_is_help=True, help="Further texts or labels of a training split: add them, list them."
)
app.add_typer(companion, name="companion")

Dataset = Annotated[str, typer.Argument(help="A dataset's name, or a folder of Parquet files.")]


@app.command("import")
def import_data(
    name: Annotated[
        str,
        typer.Argument(
            help="cuhk-pedes, icfg-pedes, rstpreid, ufine6926, ufine3c, mals, synth-pedes, "
            "luperson-mllm or custom."
        ),
    ],
    raw: Annotated[
        Path,
        typer.Argument(
            help="The folder as its authors publish it, or the file of its annotation; of custom, "
            "a CSV or JSON file."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="The folder to write; data/NAME.")] = None,
    unofficial: Annotated[
        bool,
        typer.Option(
            "--unofficial", help="Take other counts and ids than the official ones, of a part."
        ),
    ] = False,
    restarting: Annotated[
        bool,
        typer.Option("--restarting-ids", help="Each split numbers its people from the start."),
    ] = False,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Take images behind links that lead elsewhere."),
    ] = False,
    splits: Annotated[
        Path | None,
        typer.Option(help="A table of people or images by split, for an annotation without them."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder of images, where it is not in RAW.")
    ] = None,
    score_on: Annotated[
        Path | None,
        typer.Option(
            help="The folder of an imported dataset whose val and test splits are taken, for one "
            "that is only trained on."
        ),
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push-to-hub", help="Upload it as ORG/NAME afterwards.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Upload it privately.")] = False,
) -> None:
    """Check a dataset and write it as Parquet files that the harness and the hub read.

    Images stay the bytes they are. A second call finds that all is done; one that was stopped goes
    on. Annotations split into train_reid.json and its like, or processed by others' code, are found
    too. The columns of a custom table are image (a path beside it), caption, person and split
    (train, val or test), a row a caption. A test split alone is enough for methods that are not
    trained, and for `harness evaluate --on`.
    """
    from harness.cli.display import terminal
    from harness.data.importing.benchmarks import read_layout
    from harness.data.importing.layouts import LAYOUTS
    from harness.data.importing.own_tables import read_table
    from harness.data.importing.scored import take_scored
    from harness.data.importing.write import ABOUT, Source, read_converted, write_dataset

    if name not in LAYOUTS and name != "custom":
        raise unknown("layout", name, [*LAYOUTS, "custom"])
    licensed = name in LAYOUTS
    if push and licensed and not private:
        raise HarnessError(
            f"{LAYOUTS[name].title} may not be handed on: with --push-to-hub, say --private too."
        )
    place = out or Path("data") / (raw.stem if name == "custom" else name)
    if licensed:
        records = read_layout(
            LAYOUTS[name], raw, unofficial, restarting, terminal.note, follow_links, splits, images
        )
        source = Source(name, LAYOUTS[name].title, licensed)
    else:
        if splits or images:
            raise HarnessError(
                "--splits and --images are for benchmarks: a table says both itself."
            )
        records = read_table(raw, terminal.note, follow_links)
        source = Source(name, raw.stem, licensed)
    scored = take_scored(score_on, records) if score_on else None
    with terminal.steps() as show:
        written = write_dataset(records, place, source, show, terminal.note, scored)
    terminal.note(f"{'Written' if written else 'Nothing to do: it is there'}: {place}")
    _tell_converted(read_converted(place), f"{place / ABOUT} names")
    if push:
        from harness.data.importing.push import push_folder

        terminal.note(push_folder(place, push, private))


@app.command("rehearse")
def rehearse(
    name: Annotated[str, typer.Argument(help="cuhk-pedes, icfg-pedes or rstpreid.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
) -> None:
    """Write a folder that is laid out as a benchmark's, with its counts and drawn people.

    To try what follows, disk space and all, before the licensed data is there.
    """
    from harness.cli.display import terminal
    from harness.data.importing.layouts import BENCHMARKS
    from harness.data.importing.rehearsal import write_rehearsal

    if name not in BENCHMARKS:
        raise unknown("layout", name, BENCHMARKS)
    if out.exists():
        raise HarnessError(f"{out} is there already: name a folder that is not.")
    with terminal.steps() as show:
        write_rehearsal(BENCHMARKS[name], out, show)
    terminal.note(f"Written: {out}. Every person in it is drawn.")


@app.command("audit")
def audit_data(
    dataset: Dataset,
    as_json: AsJson = False,
) -> None:
    """Count what a dataset holds, and say whether it is an official benchmark.

    Every image is decoded once. Exits with 1 where the dataset is refused or an image is broken.
    """
    from harness.cli.display import terminal
    from harness.data.auditing.examination import examine
    from harness.data.auditing.verdict import Status
    from harness.data.catalogue import find_declaration, locate

    with terminal.steps() as show:
        found = examine(locate(find_declaration(dataset), show, needed=()), show)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        show_examination(found)
    if found["broken_images"] or found["verdict"]["status"] == Status.REFUSED:
        raise typer.Exit(1)


@companion.command("add")
def add_companion(
    dataset: Dataset,
    file: Annotated[Path, typer.Argument(help="A .parquet or .jsonl file.")],
    name: Annotated[str, typer.Option(help="What methods call it.")],
    made_by: Annotated[str, typer.Option(help="Who, or which model, made it; pages tell it.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another one of that name.")
    ] = False,
) -> None:
    """Add back-translations, rewritten captions or attributes, for methods that train with them.

    A row has image_id, or image, the path that the annotation has; caption, a number from 0 among
    the captions of the image, where it is of one; and text, texts, label or labels. What is of val
    or test is refused. Methods name it in `Config.companions`.

    Example: **harness data companion add data/rstpreid rewritten.jsonl --name rewritten --made-by
    "Qwen2-VL 7B"**
    """
    from harness.cli.display import terminal
    from harness.data.catalogue import find_declaration, locate
    from harness.data.importing import companion_files

    with terminal.steps() as show:
        located = locate(find_declaration(dataset), show, needed=("train",))
        added, is_new = companion_files.add_companion(located, file, name, made_by, replace)
    told = "Added" if is_new else "Nothing to do: it is there"
    terminal.note(f"{told}: {added.name}, {_counts(added.counts)}. Methods name it in companions.")


@companion.command("list")
def list_companions(dataset: Dataset, as_json: AsJson = False) -> None:
    """List the companions of a dataset, with who made them."""
    from harness.cli.display import terminal
    from harness.data import companions
    from harness.data.catalogue import find_declaration, locate

    with terminal.steps() as show:
        located = locate(find_declaration(dataset), show, needed=("train",))
    found = companions.list_companions(located.fingerprint)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
        return
    rows = [(one.name, one.made_by, _counts(one.counts), one.fingerprint[:12]) for one in found]
    terminal.print_table(("companion", "made by", "holds", "fingerprint"), rows)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def show_examination(found: Mapping[str, Any]) -> None:
    """Show an audit as a table of splits, and what is odd below it."""
    from harness.cli.display.terminal import note, print_table

    splits = found["splits"]
    facts: dict[str, Callable[[Any], str]] = {
        "people": lambda of: f"{of['identities']:,}",
        "images": lambda of: f"{of['images']:,}",
        "captions": lambda of: f"{of['captions']:,}",
        "captions an image": lambda of: _range(of["captions_per_image"]),
        "images a person": lambda of: _range(of["images_per_identity"]),
        "people with one image": lambda of: f"{of['identities_with_one_image']:,}",
        "captions several people share": lambda of: _shared(of["duplicate_captions"]),
        "image files several people share": lambda of: _shared(of["duplicate_images"]),
        "highest R1 that captions allow": lambda of: f"{of['rank1_ceiling']:.2f} %",
        "captions with line breaks": lambda of: f"{of['odd_captions']['line_breaks']:,}",
        "captions with outer spaces": lambda of: f"{of['odd_captions']['outer_spaces']:,}",
        "empty captions": lambda of: f"{of['odd_captions']['empty']:,}",
    }
    rows = [(name, *(told(of) for of in splits.values())) for name, told in facts.items()]
    kinds = found["image_files"]
    rows.append(("image files", *(_kinds(kinds[name]) for name in splits)))
    print_table(("", *splits), rows)
    across = found["across"]
    files = across["image_files"]
    shared = "not all image files were read" if files is None else f"{files:,} image files"
    note(f"In several splits: {across['identities']:,} people, {shared}.")
    for one in found["broken_images"][:SHOWN]:
        note(f"Broken: {one['split']}, {one['image_id']}: {one['flaw']}")
    if (more := len(found["broken_images"]) - SHOWN) > 0:
        note(f"{more} more images are broken; --json names them all.")
    _tell_converted(found["converted_images"], "--json names")
    verdict = found["verdict"]
    print_table(("verdict", "because"), [(verdict["status"], verdict["reason"])])


def _tell_converted(converted: Sequence[Mapping[str, Any]], who_names: str) -> None:
    """Say how many images decoding changes, and how; ten are named."""
    from harness.cli.display.terminal import note

    if not converted:
        return
    counts = Counter(how for one in converted for how in one["by"])
    told = ", ".join(f"{count:,} {how}" for how, count in counts.most_common())
    note(f"Images that are converted as they are decoded: {len(converted):,} ({told}).")
    for one in converted[:SHOWN]:
        place = printable(f"{one['split']}, {one['image_id']}")
        note(f"Converted: {place}: {', '.join(one['by'])}")
    if (more := len(converted) - SHOWN) > 0:
        note(f"{more:,} more {'is' if more == 1 else 'are'} converted; {who_names} them all.")


def _range(values: Mapping[str, int]) -> str:
    return " to ".join(map(str, dict.fromkeys((values["min"], values["max"]))))


def _shared(values: Mapping[str, int] | None) -> str:
    return "not read" if values is None else f"{values['across_persons']:,}"


def _kinds(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
