"""The forms in which annotations are met: each gives the records of the authors' own file."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.data.importing.benchmarks import read_layout
from harness.data.importing.forms import find_annotation, find_images
from harness.data.importing.layouts import APART, BENCHMARKS, FURTHER, LAYOUTS, Layout
from harness.data.importing.records import Record, count_records
from harness.errors import HarnessError

Rows = list[dict[str, Any]]

COUNTS = {"train": (2, 3, 6), "val": (1, 1, 2), "test": (2, 2, 4)}
CUHK = replace(BENCHMARKS["cuhk-pedes"], official=COUNTS, hashes={})
ICFG = replace(
    BENCHMARKS["icfg-pedes"],
    official={"train": (4, 4, 4), "test": (2, 2, 2)},
    validation_people=0,
)
RSTP = replace(BENCHMARKS["rstpreid"], official=COUNTS, withdrawn={}, first_person=1)


def rows() -> Rows:
    """Return records as reid_raw.json holds them."""
    people = (("train", 1), ("train", 1), ("train", 2), ("val", 3), ("test", 4), ("test", 5))
    return [
        {
            "split": split,
            "id": person,
            "file_path": f"cam_a/{person}_{number}.png",
            "captions": [f"A man {number}.", f" Someone\n {number}."],
        }
        for number, (split, person) in enumerate(people)
    ]


def lay(folder: Path, values: Rows, images: str = "imgs") -> Path:
    """Write the images of records."""
    for value in values:
        file = folder / images / value["file_path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 4)).save(file)
    return folder


def write(file: Path, values: Any) -> None:
    """Write JSON, in folders that need not be there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values), encoding="utf-8")


def of_split(values: Rows, split: str) -> Rows:
    """Return the records of a split, which do not name it."""
    found = [dict(value) for value in values if value["split"] == split]
    for value in found:
        del value["split"]
    return found


def told(records: list[Record]) -> list[tuple[str, int, str, tuple[str, ...]]]:
    """Return what records hold."""
    return [(one.split, one.person, one.source, one.captions) for one in records]


EXPECTED = [
    (value["split"], value["id"], value["file_path"], tuple(value["captions"])) for value in rows()
]

# How others keep CUHK-PEDES.


def as_nafs(folder: Path) -> None:
    """Write a file a split beside the images, as NAFS and TBPS-CLIP read them."""
    for split in COUNTS:
        write(folder / f"{split}_reid.json", of_split(rows(), split))


def as_rasa(folder: Path) -> None:
    """Write a file a split in a folder, as RaSa's code does; records name their split."""
    for split in COUNTS:
        mine = [value for value in rows() if value["split"] == split]
        write(folder / "processed_data" / f"{split}.json", mine)


def as_aptm(folder: Path) -> None:
    """Write what APTM hands out: a row a caption to train on, a row an image to test on."""
    for split in COUNTS:
        mine = [
            {
                "image": f"imgs/{value['file_path']}",
                "image_id": value["id"],
                "caption": caption,
            }
            for value in rows()
            if value["split"] == split
            for caption in (value["captions"] if split == "train" else [value["captions"]])
        ]
        write(folder / "finetune" / f"cuhk_{split}.json", mine)


def as_renamed(folder: Path) -> None:
    """Write the authors' file into a folder for annotations, with its images in `images`."""
    write(folder / "annotations" / "reid_raw.json", rows())
    (folder / "imgs").rename(folder / "images")


def as_loose(folder: Path) -> None:
    """Write the authors' file beside the folders of images."""
    write(folder / "reid_raw.json", rows())
    (folder / "imgs" / "cam_a").rename(folder / "cam_a")
    (folder / "imgs").rmdir()


@pytest.mark.parametrize("form", [as_nafs, as_rasa, as_aptm, as_renamed, as_loose])
def test_every_form_gives_the_records_of_the_authors_file(
    form: Callable[[Path], None], tmp_path: Path
) -> None:
    """Splits, people, paths and captions are the same, to the last space."""
    raw = lay(tmp_path, rows())
    form(raw)
    assert told(read_layout(CUHK, raw)) == EXPECTED


def test_a_file_of_any_name_is_taken_where_it_is_named(tmp_path: Path) -> None:
    """Also away from its images, which are named then."""
    lay(tmp_path / "pictures", rows())
    write(tmp_path / "mine" / "my copy.json", rows())
    file = tmp_path / "mine" / "my copy.json"
    with pytest.raises(HarnessError, match=r"there is no folder .*imgs"):
        read_layout(CUHK, file)
    assert told(read_layout(CUHK, file, images=tmp_path / "pictures")) == EXPECTED
    assert told(read_layout(CUHK, file, images=tmp_path / "pictures" / "imgs")) == EXPECTED


def test_paths_of_rstpreid_have_either_name(tmp_path: Path) -> None:
    """RaSa's code renames img_path to file_path; the camera is told by the image's name."""
    values = [{**value, "file_path": f"{n:04d}_c{n}_0.png"} for n, value in enumerate(rows())]
    lay(tmp_path, values)
    write(tmp_path / "processed_data" / "train.json", values[:3])
    write(tmp_path / "processed_data" / "val.json", values[3:4])
    write(tmp_path / "processed_data" / "test.json", values[4:])
    processed = read_layout(RSTP, tmp_path)
    for value in values:
        value["img_path"] = value.pop("file_path")
    write(tmp_path / "data_captions.json", values)
    assert [one.camera for one in processed] == [f"c{number}" for number in range(6)]
    assert told(processed) == told(read_layout(RSTP, tmp_path))


def test_a_split_that_the_dataset_lacks_may_be_empty(tmp_path: Path) -> None:
    """RaSa's code writes an empty val.json for ICFG-PEDES."""
    values = [{**value, "captions": value["captions"][:1]} for value in rows()]
    for number, value in enumerate(values):
        value["id"] = number
    lay(tmp_path, values)
    write(tmp_path / "processed_data" / "train.json", [{**v, "split": "train"} for v in values[:4]])
    write(tmp_path / "processed_data" / "val.json", [])
    write(tmp_path / "processed_data" / "test.json", values[4:])
    assert count_records(read_layout(ICFG, tmp_path)) == ICFG.official


def test_what_lies_beside_the_annotation_is_named(tmp_path: Path) -> None:
    """The authors' own file is read where it is there; the others are not mixed in."""
    raw = lay(tmp_path, rows())
    as_nafs(raw)
    write(raw / "caption_all.json", [])
    write(raw / "reid_raw.json", rows())
    said: list[str] = []
    assert told(read_layout(CUHK, raw, tell=said.append)) == EXPECTED
    assert said[0] == "Read: reid_raw.json. Not looked at: caption_all.json, test_reid.json."


# What is wrong in them.


def break_split(split: str, change: Callable[[Rows], Any]) -> Callable[[Path], None]:
    """Change the file of a split."""

    def apply(folder: Path) -> None:
        as_nafs(folder)
        file = folder / f"{split}_reid.json"
        values = json.loads(file.read_text("utf-8"))
        changed = change(values)
        write(file, values if changed is None else changed)

    return apply


def several_names(values: Rows) -> None:
    """Give a record two paths of its image."""
    values[1]["img_path"] = values[0]["file_path"]


def lose_val(folder: Path) -> None:
    """Leave the file of a split out."""
    as_nafs(folder)
    (folder / "val_reid.json").unlink()


BROKEN: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "an empty split": (
        break_split("val", lambda values: []), "val_reid.json holds no record, and CUHK-PEDES has"
    ),
    "a lost split": (
        lose_val,
        "is not official: val has nothing where 1 people, 1 images, 2 captions belong",
    ),
    "an object for a list": (
        break_split("train", lambda values: {"annotations": values, "categories": []}),
        "train_reid.json has to be a list of records, it is an object of 'annotations', 'categor",
    ),
    "a list for a record": (
        break_split("test", lambda values: [[one] for one in values]),
        "test_reid.json, record 0 has to be an object, it is a list",
    ),
    "another split within": (
        break_split("test", lambda values: values[1].update(split="train")),
        "test_reid.json, record 1: split 'train', in the annotation of test",
    ),
    "an unknown split": (
        break_split("test", lambda values: values[1].update(split="gallery")),
        "record 1: split 'gallery' is none of train, val, test",
    ),
    "unknown keys": (
        break_split("train", lambda values: values[2].update(captions_=values[2].pop("captions"))),
        "train_reid.json, record 2: no 'captions'; it has id, file_path, captions_",
    ),
    "two paths": (
        break_split("train", several_names), "record 1 has file_path and img_path: which of them"
    ),
    "a person in two files": (
        break_split("test", lambda values: values[1].update(id=1)),
        "test_reid.json, record 1: person 1 is in test, and in train",
    ),
    "a record twice": (
        break_split("train", lambda values: values.append(values[0])),
        "train_reid.json, record 3 repeats train_reid.json, record 0",
    ),
    "an image in two files": (
        break_split("test", lambda values: values[1].update(file_path="cam_a/1_0.png")),
        "test_reid.json, record 1: 'cam_a/1_0.png' is in test, and in train .train_reid.json, rec",
    ),
    "an image that is missing": (
        break_split("train", lambda values: values[2].update(file_path="cam_a/9.png")),
        "train_reid.json, record 2: there is no image 'cam_a/9.png'",
    ),
    "pickles alone": (
        lambda folder: (folder / "train_save.pkl").touch(),
        r"there is no reid_raw.json or caption_all.json in .*train_save.pkl was made from the .* "
        "by code; it is not opened. .* Whom to ask for it: https://github.com/ShuangLI59",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_is_refused(name: str, tmp_path: Path) -> None:
    """With one line that names the file and the record."""
    apply, message = BROKEN[name]
    raw = lay(tmp_path, rows())
    apply(raw)
    with pytest.raises(HarnessError, match=message) as refused:
        read_layout(CUHK, raw)
    assert "\n" not in str(refused.value)


def test_rows_of_an_image_belong_to_one_person(tmp_path: Path) -> None:
    """Where an image has a row for each caption."""
    raw = lay(tmp_path, rows())
    as_aptm(raw)
    file = raw / "finetune" / "cuhk_train.json"
    values = json.loads(file.read_text("utf-8"))
    values[1]["image_id"] = 2
    write(file, values)
    with pytest.raises(HarnessError, match=r"record 1: 'cam_a/1_0.png' shows another person than"):
        read_layout(CUHK, raw)


SPELLINGS = ("./cam_a/1_0.png", "cam_a//1_0.png", "cam_b/../cam_a/1_0.png", "cam_a/./1_0.png")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_image_is_one_however_it_is_spelt(spelling: str, tmp_path: Path) -> None:
    """It has its ordinary path, so that its second record, in any split, is seen."""
    raw = lay(tmp_path, rows())
    (raw / "imgs" / "cam_b").mkdir()
    values = rows()
    values[0]["file_path"] = spelling
    write(raw / "reid_raw.json", values)
    records = read_layout(CUHK, raw)
    assert told(records) == EXPECTED
    assert records[0].image_id == EXPECTED[0][2]
    values = rows()
    write(raw / "reid_raw.json", [*values, {**values[0], "file_path": spelling}])
    with pytest.raises(
        HarnessError, match=r"record 6 repeats reid_raw\.json, record 0: 'cam_a/1_0"
    ):
        read_layout(CUHK, raw)
    values[-1]["file_path"] = spelling
    write(raw / "reid_raw.json", values)
    with pytest.raises(HarnessError, match=r"record 5: 'cam_a/1_0.png' is in test, and in train"):
        read_layout(CUHK, raw, unofficial=True)


def test_behind_a_link_a_path_stays_as_it_is(tmp_path: Path) -> None:
    """There ".." leads to where the link points: what only looks like one image is two."""
    raw = lay(tmp_path, rows())
    (raw / "imgs" / "link").symlink_to(raw / "imgs" / "deep" / "er", target_is_directory=True)
    lay(raw, [{"file_path": "deep/er/0.png"}, {"file_path": "deep/0.png"}, {"file_path": "0.png"}])
    values = rows()
    values[0]["file_path"], values[1]["file_path"] = "link/../0.png", "0.png"
    write(raw / "reid_raw.json", values)
    assert [one.source for one in read_layout(CUHK, raw)][:2] == ["link/../0.png", "0.png"]


def test_equal_captions_of_an_image_are_counted(tmp_path: Path) -> None:
    """Two people may write the same: the number of captions tells whether a row was repeated."""
    raw = lay(tmp_path, rows())
    as_aptm(raw)
    file = raw / "finetune" / "cuhk_train.json"
    values = json.loads(file.read_text("utf-8"))
    values[1]["caption"] = values[0]["caption"]
    write(file, values)
    assert read_layout(CUHK, raw)[0].captions == ("A man 0.", "A man 0.")
    write(file, [*values, values[0]])
    with pytest.raises(HarnessError, match=r"train has .* 7 captions where .* 6 captions belong"):
        read_layout(CUHK, raw)


# Datasets whose splits are not published, and those that are only tested or only trained on.


def small(name: str, whole: tuple[int, int, int] | None) -> Layout:
    """Return a layout with the counts of a small one."""
    carved = min(FURTHER[name].validation_people, 1)
    return replace(FURTHER[name], whole=whole, validation_people=carved)


def test_ufine6926_is_told_by_its_counts(tmp_path: Path) -> None:
    """Those of all splits together; paths lead from its folder, and val is carved."""
    values = [{**one, "file_path": f"images/{n}.png"} for n, one in enumerate(rows())]
    values[3]["split"] = "train"
    raw = lay(tmp_path, values, images="")
    write(raw / "UFine6926_Annotations.json", values)
    records = read_layout(small("ufine6926", (5, 6, 12)), raw)
    assert [one.source for one in records] == [one["file_path"] for one in values]
    assert {split: of[0] for split, of in count_records(records).items()} == {
        "train": 2, "val": 1, "test": 2,
    }  # fmt: skip
    with pytest.raises(HarnessError, match="UFine6926 is not whole: it has 5 people, 6 images, 12"):
        read_layout(small("ufine6926", (6, 6, 12)), raw)


def test_ufine3c_is_tested_on_alone(tmp_path: Path) -> None:
    """Its records name no split."""
    values = [{**one, "source": "market"} for one in rows()]
    raw = lay(tmp_path, values, images="images")
    write(raw / "UFine3C_Annotations.json", [{**one, "split": "test"} for one in values])
    expected = read_layout(small("ufine3c", (5, 6, 12)), raw)
    for value in values:
        del value["split"]
    write(raw / "UFine3C_Annotations.json", values)
    said: list[str] = []
    found = read_layout(small("ufine3c", (5, 6, 12)), raw, tell=said.append)
    assert found == expected
    assert count_records(found) == {"test": (5, 6, 12)}
    assert said[-1].endswith("has no train and no val split: nothing can be trained on it.")


def test_mals_is_many_files_of_pairs(tmp_path: Path) -> None:
    """Each image stands for itself, under a number that no benchmark gives to a person."""
    for part in range(2):
        pairs = [
            {"image": f"gene_crop/{part}/{n}.png", "caption": f"A man {part} {n}.",
             "image_id": f"{part}_{n}", "label": [1, 0]}
            for n in range(3)
        ]  # fmt: skip
        lay(tmp_path, [{"file_path": pair["image"]} for pair in pairs], images="")
        write(tmp_path / "gene_attrs" / f"g_{part}_attrs.json", pairs)
    said: list[str] = []
    found = read_layout(small("mals", (6, 6, 6)), tmp_path, tell=said.append)
    assert count_records(found) == {"train": (6, 6, 6)}
    assert [one.person for one in found] == list(range(APART, APART + 6))
    assert said[-1] == "g_0_attrs.json has a train split alone: nothing can be scored on it."
    with pytest.raises(HarnessError, match="MALS is not whole: it has 6 people"):
        read_layout(LAYOUTS["mals"], tmp_path)


def test_repeated_images_of_mals_are_told(tmp_path: Path) -> None:
    """With the first, however it is spelt and wherever its rows are; official they are not."""
    pairs = [
        {"image": f"gene_crop/{n}.png", "caption": f"A man {n}.", "image_id": f"c_{n}"}
        for n in range(3)
    ]
    lay(tmp_path, [{"file_path": pair["image"]} for pair in pairs], images="")
    write(tmp_path / "g_a_attrs.json", pairs)
    write(tmp_path / "g_b_attrs.json", [pairs[1], {**pairs[2], "image": "./gene_crop/2.png"}])
    layout, said = small("mals", (5, 5, 5)), list[str]()
    expected = (
        "MALS has one row an image, and here 2 repeat one: their captions are taken as further "
        "ones of it, first of 'gene_crop/1.png' (g_a_attrs.json, record 1)."
    )
    assert len(read_layout(layout, tmp_path, unofficial=True, tell=said.append)) == 3
    assert said.count(expected) == 1
    said.clear()
    with pytest.raises(HarnessError, match="MALS is not whole: it has 3 people, 3 images, 5 capt"):
        read_layout(layout, tmp_path, tell=said.append)
    assert said.count(expected) == 1


def test_captions_of_luperson_mllm_are_told_by_path(tmp_path: Path) -> None:
    """By the last part of the path, in a file for each model and kind of template."""
    names = ["a.png", "b.png"]
    lay(tmp_path, [{"file_path": name} for name in names], images="LUPerson-MLLM")
    for model in ("Ts-qwen", "Td-shikra"):
        captions = {f"/data/part1/{name}": f"A {model} {name}." for name in names}
        write(tmp_path / "caption" / f"{model}.json", captions)
    found = read_layout(LAYOUTS["luperson-mllm"], tmp_path)
    assert [(one.source, one.captions, one.person) for one in found] == [
        ("a.png", ("A Ts-qwen a.png.", "A Td-shikra a.png."), APART),
        ("b.png", ("A Ts-qwen b.png.", "A Td-shikra b.png."), APART + 1),
    ]
    write(tmp_path / "caption" / "Ts-qwen.json", [])
    with pytest.raises(HarnessError, match="has to be an object of captions by the path of their"):
        read_layout(LAYOUTS["luperson-mllm"], tmp_path)


def test_synth_pedes_keeps_its_people(tmp_path: Path) -> None:
    """They are numbered in its file, as its captioner took them from videos."""
    values = of_split([{**one, "split": "train"} for one in rows()], "train")
    lay(tmp_path, values, images="")
    write(tmp_path / "synthpedes_dataset.json", [{**v, "attributes": ["man"]} for v in values])
    found = read_layout(LAYOUTS["synth-pedes"], tmp_path)
    assert [one.person - APART for one in found] == [1, 1, 2, 3, 4, 5]


def test_a_folder_without_records_is_told(tmp_path: Path) -> None:
    """An empty list, no folder, and a folder of other things."""
    write(tmp_path / "reid_raw.json", [])
    with pytest.raises(HarnessError, match=r"reid_raw\.json holds no record"):
        find_annotation(CUHK, tmp_path)
    with pytest.raises(HarnessError, match="there is no folder"):
        find_annotation(CUHK, tmp_path / "none")
    with pytest.raises(HarnessError, match=r"there is reid_raw\.json"):
        find_annotation(ICFG, tmp_path)


def test_images_are_looked_for_where_records_have_them(tmp_path: Path) -> None:
    """A folder of the right name without them does not hide the one that has them."""
    lay(tmp_path, rows(), images="")
    (tmp_path / "imgs").mkdir()
    write(tmp_path / "reid_raw.json", rows())
    records = find_annotation(CUHK, tmp_path).records
    assert find_images(CUHK, [tmp_path], records).folder == tmp_path
