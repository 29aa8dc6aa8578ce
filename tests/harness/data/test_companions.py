"""Companions of a training split: which files are taken, which refused, and what methods see."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch

from harness.data.catalogue import find_declaration, locate
from harness.data.companions import Companion, find_companions, list_companions
from harness.data.declaration import Located
from harness.data.importing.companion_files import add_companion
from harness.data.loading import load_split
from harness.data.schema import Split, TrainView
from harness.errors import HarnessError
from harness.method import Supervision

from ...command_line import CommandLine

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Companions belong to the content of a dataset, and tests share one."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dolls(small_dolls: Path) -> Located:
    """12 people to train on, 48 images with two captions each."""
    return locate(find_declaration(str(small_dolls)))


@pytest.fixture
def train(dolls: Located) -> Split:
    """Their training split."""
    return load_split(dolls, "train")


def jsonl(folder: Path, rows: Sequence[Row]) -> Path:
    """Write rows as JSON lines."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def of_captions(split: Split) -> list[Row]:
    """Return a row for each caption, which says which one it is of."""
    first: dict[int, int] = {}
    rows = []
    for caption, image in enumerate(split.image_of_caption.tolist()):
        number = caption - first.setdefault(image, caption)
        text = f"rewritten: {split.captions[caption]}"
        rows.append({"image_id": split.image_ids[image], "caption": number, "text": text})
    return rows


def add(dolls: Located, file: Path, name: str = "rewritten", **options: bool) -> Companion:
    """Add a file as it is added on the command line."""
    return add_companion(dolls, file, name, "a model, 2026", **options)[0]


def view(split: Split, *companions: Companion, seed: int = 0) -> TrainView:
    """Return the split as a method sees it that names these."""
    return TrainView(split, lambda rows: torch.empty(0), Supervision.PAIRS, seed, companions)


def test_each_caption_finds_its_own_texts(dolls: Located, train: Split, tmp_path: Path) -> None:
    """Whatever the order of the rows, and however the view numbers captions."""
    added = add(dolls, jsonl(tmp_path, of_captions(train)[::-1]))
    assert added.counts == {"captions": 96, "texts": 96}
    for seed in (0, 1):
        seen = view(train, added, seed=seed)
        found = seen.companion("rewritten")
        assert [*found] == [[f"rewritten: {caption}"] for caption in seen.captions]


def test_it_is_added_and_listed_on_the_command_line(
    harness: CommandLine, small_dolls: Path, train: Split, tmp_path: Path
) -> None:
    """The first call adds it, the second finds it there; the list tells who made it."""
    file = jsonl(tmp_path, of_captions(train))
    add = ("data", "companion", "add", small_dolls, file, "--name", "rewritten")
    first, second = (harness(*add, "--made-by", "a model") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "Added: rewritten, 96 captions, 96 texts." in " ".join(first.stderr.split())
    assert "Nothing to do: it is there: rewritten" in " ".join(second.stderr.split())
    assert "a model" in harness("data", "companion", "list", small_dolls).stdout
    (listed,) = json.loads(harness("data", "companion", "list", small_dolls, "--json").stdout)
    assert (listed["name"], listed["made_by"], listed["by"]) == ("rewritten", "a model", "caption")
    wrong = harness(
        "data", "companion", "add", small_dolls, file, "--name", "../x", "--made-by", "x"
    )
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_images_have_what_their_captions_have(dolls: Located, train: Split, tmp_path: Path) -> None:
    """What was made by caption can be asked for by image."""
    seen = view(train, add(dolls, jsonl(tmp_path, of_captions(train))))
    found = seen.companion("rewritten", by="image")
    assert len(found) == len(train.image_ids)
    for own, texts in zip(seen.captions_of_image, found, strict=True):
        assert texts == [f"rewritten: {seen.captions[caption]}" for caption in own]


def test_labels_of_images_reach_their_captions(
    dolls: Located, train: Split, tmp_path: Path
) -> None:
    """What was made by image can be asked for by caption; an image without any has none."""
    rows = [
        {"image_id": name, "labels": [number, 7]}
        for number, name in enumerate(train.image_ids)
        if number != 5
    ]
    file = tmp_path / "labels.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    added = add(dolls, file, "attributes")
    assert (added.by, added.kind, added.counts) == ("image", "labels", {"images": 47, "labels": 94})
    seen = view(train, added)
    images, captions = seen.companion("attributes", by="image"), seen.companion("attributes")
    row_of_image, _ = seen.rows(torch.arange(48), torch.arange(96))
    assert [*images] == [[] if row == 5 else [row, 7] for row in row_of_image.tolist()]
    assert [*captions] == [images[image] for image in seen.image_of_caption.tolist()]


def test_rows_of_one_caption_are_put_together(dolls: Located, train: Split, tmp_path: Path) -> None:
    """Several texts may stand in several rows, or in one."""
    name = train.image_ids[3]
    one = {"image_id": name, "caption": 1}
    rows = [{**one, "texts": ["a  b"]}, {**one, "texts": []}, {**one, "texts": ["c", "d\n"]}]
    seen = view(train, add(dolls, jsonl(tmp_path, rows)))
    assert sorted(seen.companion("rewritten"))[-1] == ["a b", "c", "d"]


def test_images_can_be_named_as_the_annotation_does(tmp_path: Path, small_dolls: Path) -> None:
    """By their paths, where the dataset has kept them."""
    folder = tmp_path / "imported"
    folder.mkdir()
    for split in ("train", "test"):
        table = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet")
        paths = [f"{split}/{number}.png" for number in range(len(table))]
        if "source_path" in table.column_names:
            table = table.drop_columns("source_path")
        table = table.append_column("source_path", pyarrow.array(paths))
        pyarrow.parquet.write_table(table, folder / f"{split}.parquet")
    located = locate(find_declaration(str(folder)))
    file = jsonl(tmp_path, [{"image": "train/4.png", "label": "tall"}])
    seen = view(load_split(located, "train"), add(located, file))
    rows, _ = seen.rows(torch.arange(48), torch.arange(96))
    assert seen.companion("rewritten", by="image")[rows.tolist().index(4)] == ["tall"]
    with pytest.raises(HarnessError, match=r"1 of 1 rows are of test images .* 'test/4.png'"):
        add(located, jsonl(tmp_path, [{"image": "test/4.png", "label": "tall"}]))


def test_a_path_of_two_images_names_none(tmp_path: Path, small_dolls: Path) -> None:
    """The last of them would have what was meant for the first; other paths name theirs."""
    folder = tmp_path / "twice"
    folder.mkdir()
    table = pyarrow.parquet.read_table(small_dolls / "train.parquet")
    paths = [f"{max(number, 1)}.png" for number in range(len(table))]
    place = table.column_names.index("source_path")
    table = table.set_column(place, "source_path", pyarrow.array(paths))
    pyarrow.parquet.write_table(table, folder / "train.parquet")
    located = locate(find_declaration(str(folder)), needed=("train",))
    add(located, jsonl(tmp_path, [{"image": "2.png", "label": "tall"}]))
    with pytest.raises(HarnessError, match=r"1 of 2 rows .* several training images .* '1.png'"):
        add(located, jsonl(tmp_path, [{"image": f"{n}.png", "label": "tall"} for n in (1, 2)]))


@pytest.mark.parametrize("split", ["val", "test"])
def test_what_is_held_out_is_refused(
    dolls: Located, train: Split, tmp_path: Path, split: str
) -> None:
    """Rows of its images, and texts that are its captions, with how many and an example."""
    held = load_split(dolls, split)
    known = {*train.captions}
    captions = [text for text in held.captions if text not in known]
    unseen = next(name for name in held.image_ids if name not in train.image_ids)
    row = {"image_id": train.image_ids[0], "caption": 0}
    with pytest.raises(HarnessError, match=rf"1 of 2 rows are of {split} images .*{unseen}"):
        add(
            dolls, jsonl(tmp_path, [{**row, "text": "x"}, {**row, "image_id": unseen, "text": "x"}])
        )
    rows = [{**row, "texts": ["x", f" {captions[0]} "]}, {**row, "texts": [captions[1]]}]
    with pytest.raises(HarnessError, match=rf"2 of 3 texts are {split} captions") as refused:
        add(dolls, jsonl(tmp_path, rows))
    assert captions[0][:100] in str(refused.value)
    assert not list_companions(dolls.fingerprint)


@pytest.mark.parametrize(
    "spelt",
    [
        str.upper,
        lambda text: text.rstrip("."),
        lambda text: f"'{text}' !",
        lambda text: text.replace(" ", " - ").replace(",", ""),
        lambda text: text.translate({ord("a"): "\uff41"}),  # the wide letter
    ],
    ids=["capitals", "no full stop", "quoted", "other signs", "wide letters"],
)
def test_what_is_held_out_is_refused_however_it_is_spelt(
    dolls: Located, train: Split, tmp_path: Path, spelt: Callable[[str], str]
) -> None:
    """By its letters; what train says as well is no one's secret."""
    known = {*train.captions}
    caption = next(text for text in load_split(dolls, "test").captions if text not in known)
    row = {"image_id": train.image_ids[0], "texts": ["...", spelt(train.captions[0])]}
    add(dolls, jsonl(tmp_path, [row]))
    with pytest.raises(HarnessError, match=r"1 of 1 texts are test captions, case and signs left"):
        add(dolls, jsonl(tmp_path, [{**row, "texts": [spelt(caption)]}]))


def labelled(split: Split, label: Callable[[int, int], Any], column: str = "label") -> list[Row]:
    """Return a row for each image, with what its number and its person give."""
    people = enumerate(zip(split.image_ids, split.person_of_image.tolist(), strict=True))
    return [{"image_id": name, column: label(row, person)} for row, (name, person) in people]


@pytest.mark.parametrize(
    ("column", "label", "told"),
    [
        ("label", lambda row, person: f"p{person}", "labels are the people: value 1 .* 100%"),
        ("labels", lambda row, person: [person] if row else [], "value 1 .* 100%"),
        ("labels", lambda row, person: [person, 0], "value 1 .* 100%"),
        ("labels", lambda row, person: ["x", f"image {row}", f"p{person}"], "value 3 .* 100%"),
        ("text", lambda row, person: f"p{person}", "texts are the people"),
        ("text", lambda row, person: ("p{}", "P{}.")[row % 2].format(person), "texts .* 100%"),
        ("label", lambda row, person: min(person, 10), "value 1 .* 100%"),  # two have one
        ("label", lambda row, person: person // 2, "value 1 .* 100%"),
        ("label", lambda row, person: f"{person} {row % 2}", "value 1 .* 100%"),
        ("label", lambda row, person: person if row % 8 else 99, "value 1 .* 88%"),
    ],
    ids=[
        "labels", "one image left out", "a constant behind", "others before", "texts",
        "texts of two spellings", "two people merged", "all people merged by two",
        "two labels a person", "some images mixed",
    ],
)  # fmt: skip
def test_what_are_the_people_is_refused(
    dolls: Located,
    train: Split,
    tmp_path: Path,
    column: str,
    label: Callable[[int, int], Any],
    told: str,
) -> None:
    """It would reach methods that may not know them, by whatever small detour."""
    assert len({*train.person_of_image.tolist()}) == 12
    with pytest.raises(HarnessError, match=told):
        add(dolls, jsonl(tmp_path, labelled(train, label, column)))
    assert not list_companions(dolls.fingerprint)


def test_captions_that_are_labelled_by_their_people_are_refused(
    dolls: Located, train: Split, tmp_path: Path
) -> None:
    """As images are; by their images they may be, which everyone knows."""
    people = train.person_of_caption.tolist()
    rows = [{**row, "text": f"p{own}"} for row, own in zip(of_captions(train), people, strict=True)]
    with pytest.raises(HarnessError, match="texts are the people"):
        add(dolls, jsonl(tmp_path, rows))
    add(dolls, jsonl(tmp_path, [{**row, "text": row["image_id"]} for row in rows]))


@pytest.mark.parametrize(
    "label",
    [
        lambda row, person: row,
        lambda row, person: ["tall", "small", "middling"][person % 3],
        lambda row, person: person if person < 8 else row + 100,
        lambda row, person: "tall" if person == 0 else f"image {row}",
    ],
    ids=["of each image its own", "an attribute", "some people alone", "of one person"],
)
def test_other_labels_are_taken(
    dolls: Located, train: Split, tmp_path: Path, label: Callable[[int, int], Any]
) -> None:
    """What groups people, or tells images apart, does not say who is whom."""
    add(dolls, jsonl(tmp_path, labelled(train, label)))


ROW = {"image_id": "IMAGE", "caption": 0, "text": "a b"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "has no row"),
        ([{**ROW, "caption": 2}], "row 1: caption 2 of an image with 2"),
        ([{**ROW, "caption": -1}], "caption -1"),
        ([{**ROW, "caption": True}], "caption True"),
        ([{**ROW, "caption": None}], "caption None"),
        ([ROW, {**ROW, "image_id": "<script>"}], "1 of 2 rows have an image_id .*'<script>'"),
        ([{**ROW, "text": " \n"}], "holds ' .n'"),
        ([{**ROW, "text": None}], "holds None"),
        ([{**ROW, "text": 3}], "is to hold texts"),
        ([ROW, {"image_id": "IMAGE", "caption": 0}], "row 2 has no text"),
        ([ROW, {"caption": 0, "text": "a"}], "row 2 has no image_id"),
        ([ROW, {**ROW, "text": "a \ud800"}], r"row 2 holds 'a .*ud800': a control character, or "),
        ([ROW, {**ROW, "text": "a\0b"}], r"row 2 holds 'a.*x00b'"),
        ([{"image_id": "IMAGE", "labels": ["a", "\x1b[31mred"]}], r"row 1 holds '.*x1b\[31mred'"),
        ([{**ROW, "text": {"a": 1}}], "holds {'a': 1}"),
        ([{"image_id": "IMAGE", "label": float("nan")}], "holds nan"),
        ([{"image_id": "IMAGE", "label": float("inf")}], "holds inf"),
        ([{"image_id": "IMAGE", "label": 2**63}], "holds 9223372036854775808"),
        ([{"image_id": "IMAGE", "label": True}], "holds True"),
        ([{"image_id": "IMAGE", "labels": [1, "a"]}], "texts and numbers"),
        ([{"image_id": "IMAGE", "labels": []}], "nothing but empty lists"),
        ([{**ROW, "score": 1}], "has the columns image_id, caption, text, score"),
        ([{**ROW, "label": 1}], "one of text, texts, label and labels"),
        ([{"text": "a"}], "A row has image_id, or image"),
    ],
)
def test_a_row_that_is_wrong_is_named(
    dolls: Located, train: Split, tmp_path: Path, rows: list[Row], told: str
) -> None:
    """With the file, the row and what it is to hold; nothing is kept of it."""
    there = [
        {**row, **({"image_id": train.image_ids[0]} if row.get("image_id") == "IMAGE" else {})}
        for row in rows
    ]
    with pytest.raises(HarnessError, match=told):
        add(dolls, jsonl(tmp_path, there))
    assert not list_companions(dolls.fingerprint)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"image_id,text\n", "are a .parquet or a .jsonl file"),
        ("a.jsonl", b'{"image_id": "x"', "line 1 is no JSON"),
        ("a.jsonl", b"\xff\xfe\n", "line 1 is no JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON"),
        ("a.jsonl", b"\n3\n", "line 2 is no object"),
        ("a.jsonl", b'{"image_id": "x", "text": "a", "text": "b"}', "line 1 .* is there twice"),
        ("a.parquet", b"PAR1", "is no Parquet file that can be read"),
        ("absent.jsonl", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    dolls: Located, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    """Whatever is in it."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HarnessError, match=told):
        add(dolls, file)


def test_two_columns_of_a_name_are_refused(dolls: Located, train: Split, tmp_path: Path) -> None:
    """Parquet can have them, and one would be lost."""
    columns = [pyarrow.array([one]) for one in (train.image_ids[0], "a coat", "a hat")]
    file = tmp_path / "twice.parquet"
    table = pyarrow.Table.from_arrays(columns, names=["image_id", "text", "text"])
    pyarrow.parquet.write_table(table, file)
    with pytest.raises(HarnessError, match=r"columns image_id, text, text\. A row has"):
        add(dolls, file)


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", "a/b"])
def test_a_name_that_is_no_folder_is_refused(dolls: Located, tmp_path: Path, name: str) -> None:
    """And so is a maker of whom nothing is said, or that would garble tables."""
    file = jsonl(tmp_path, [])
    with pytest.raises(HarnessError, match="name a companion"):
        add_companion(dolls, file, name, "somebody")
    for made_by in (" ", "a\x1b[31m"):
        with pytest.raises(HarnessError, match="--made-by"):
            add_companion(dolls, file, "good", made_by)


def test_another_of_a_name_takes_its_place_where_that_is_asked(
    dolls: Located, train: Split, tmp_path: Path
) -> None:
    """The same again is nothing to do, whatever file it comes from."""
    rows = of_captions(train)
    first = add(dolls, jsonl(tmp_path, rows))
    assert add_companion(dolls, jsonl(tmp_path, rows[::-1]), "rewritten", first.made_by) == (
        first,
        False,
    )
    other = jsonl(tmp_path, rows[:5])
    with pytest.raises(HarnessError, match=r"another companion 'rewritten', by a model, 2026.*--r"):
        add(dolls, other)
    second = add(dolls, other, may_replace=True)
    assert second.fingerprint != first.fingerprint
    assert list_companions(dolls.fingerprint) == [second]


def test_one_that_is_not_there_is_missed_with_those_that_are(
    dolls: Located, train: Split, tmp_path: Path
) -> None:
    """In a plan, and by a method that asks for one that its config does not name."""
    added = add(dolls, jsonl(tmp_path, of_captions(train)))
    assert find_companions(["rewritten"], [dolls]) == [added]
    told = r"Did you mean 'rewritten'.*harness data companion add .* --name rewriten --made-by"
    with pytest.raises(HarnessError, match=told):
        find_companions(["rewriten"], [dolls])
    with pytest.raises(HarnessError, match=r"the config names 'attributes'.*There are: rewritten"):
        view(train, added).companion("attributes")
    with pytest.raises(HarnessError, match="by caption or by image"):
        view(train, added).companion("rewritten", by="person")  # type: ignore[arg-type]  # wrong


def test_one_that_was_changed_or_is_gone_is_not_trained_with(
    dolls: Located, train: Split, tmp_path: Path
) -> None:
    """Its fingerprint is in the key of the run."""
    added = add(dolls, jsonl(tmp_path, of_captions(train)))
    seen = view(train, added)
    table = pyarrow.parquet.read_table(added.file)
    pyarrow.parquet.write_table(table.slice(1), added.file)
    with pytest.raises(HarnessError, match="holds something else than when the run was planned"):
        seen.companion("rewritten")
    added.file.write_bytes(b"broken")
    with pytest.raises(HarnessError, match=r"cannot be read.*add it again"):
        seen.companion("rewritten")
    (added.file.parent / "about.json").write_text('{"name": 3}', encoding="utf-8")
    assert not list_companions(dolls.fingerprint)
