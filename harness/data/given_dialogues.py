"""Dialogues about images that come with a dataset, in the layout of ChatPedes.

Bai et al., "Chat-based Person Retrieval via Dialogue-Refined Cross-Modal Alignment", CVPR 2025; the
layout as its authors' code reads it, https://github.com/Flame-Chasers/DiaNA: a JSON list with, for
each image, `file_path` and `chats`. A chat is a list of turns, each a question `{"from": "gpt",
"value": ...}` and its answer `{"from": "user", "value": ...}`; an image with one chat may have it
without a list around. The file lies beside the test split, as `dialogues.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet

from harness.data.declaration import Located
from harness.data.schema import Split
from harness.errors import HarnessError

FILE = "dialogues.json"
Chat = tuple[str, ...]  # the answers, in order


def read_given_dialogues(located: Located, split: Split) -> list[tuple[Chat, ...]]:
    """Return the chats about each of the M images of a split; none of an image without any.

    Raises:
        HarnessError: there is no such file, it is not of the layout, or it knows no image here.
    """
    files = located.files[split.name]
    file = files[0].parent / FILE
    try:
        records = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{file} cannot be read: {error}. Dialogues lie there.") from error
    by_path = dict(_chats_by_path(records, file))
    paths = _paths(files)
    found = [_find(by_path, paths.get(image_id, "")) for image_id in split.image_ids]
    if not any(found):
        raise HarnessError(f"{file} tells of no image of the {split.name} split.")
    return found


def texts_after(
    split: Split, chats: Sequence[tuple[Chat, ...]], answers: int
) -> tuple[list[str], int]:
    """Return the first answers of a chat in the place of each caption (N), and how many stay.

    The captions of an image stand for its chats in turn; one whose image has none stays.
    """
    asked = [0] * len(chats)
    texts, kept = [], 0
    for caption, image in zip(split.captions, split.image_of_caption.tolist(), strict=True):
        of_image = chats[image]
        if of_image:
            chat = of_image[asked[image] % len(of_image)]
            asked[image] += 1
            texts.append(" ".join(chat[:answers]))
        else:
            texts.append(caption)
            kept += 1
    return texts, kept


def _chats_by_path(records: Any, file: Path) -> Iterator[tuple[str, tuple[Chat, ...]]]:
    if not isinstance(records, list):
        raise HarnessError(f"{file} holds no list of images.")
    for number, record in enumerate(records):
        try:
            chats = record["chats"]
            single = isinstance(chats[0][0], Mapping)
            yield str(record["file_path"]), tuple(map(_answers, [chats] if single else chats))
        except (TypeError, KeyError, IndexError, ValueError) as error:
            told = f"{file}: record {number} is not as ChatPedes has it"
            raise HarnessError(f"{told} ({type(error).__name__}: {error}).") from error


def _answers(chat: Any) -> Chat:
    """Return what the witness says, turn by turn; sentences may stand in turns or one by one."""
    turns = [turn if isinstance(turn, list) else [turn] for turn in chat]
    said = [one["value"] for turn in turns for one in turn if one["from"] == "user"]
    if not said or not all(isinstance(one, str) and one.strip() for one in said):
        raise ValueError("a chat without an answer")
    return tuple(one.strip() for one in said)


def _paths(files: Sequence[Path]) -> dict[str, str]:
    """Return where the annotation has each image, by its id."""
    tables = [pyarrow.parquet.read_table(one, columns=["image_id", "source_path"]) for one in files]
    rows = (row for table in tables for row in table.to_pylist())
    return {str(row["image_id"]): str(row["source_path"]) for row in rows}


def _find(by_path: Mapping[str, tuple[Chat, ...]], path: str) -> tuple[Chat, ...]:
    """Return the chats of a path, which either annotation may begin at another folder."""
    parts = path.split("/")
    for start in range(len(parts)):
        if path and (found := by_path.get("/".join(parts[start:]))):
            return found
    return ()
