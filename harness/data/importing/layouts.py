"""How the authors of each dataset lay out its folder, and what it officially holds.

- CUHK-PEDES: Li et al., "Person Search with Natural Language Description", CVPR 2017.
  https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description
- ICFG-PEDES: Ding et al., "Semantically Self-Aligned Network for Text-to-Image Part-aware Person
  Re-identification", 2021. https://github.com/zifyloo/SSAN
- RSTPReid: Zhu et al., "DSSL: Deep Surroundings-person Separation Learning for Text-based Person
  Retrieval", ACM MM 2021. https://github.com/NjtechCVLab/RSTPReid-Dataset
- UFine6926 and UFine3C: Zuo et al., "UFineBench: Towards Text-based Person Retrieval with
  Ultra-fine Granularity", CVPR 2024. https://github.com/Zplusdragon/UFineBench
- MALS: Yang et al., "Towards Unified Text-based Person Retrieval", ACM MM 2023.
  https://github.com/Shuyu-XJTU/APTM
- SYNTH-PEDES: Zuo et al., "PLIP: Language-Image Pre-training for Person Representation Learning",
  NeurIPS 2024. https://github.com/Zplusdragon/PLIP
- LUPerson-MLLM: Tan et al., "Harnessing the Power of MLLMs for Transferable Text-to-Image Person
  ReID", CVPR 2024. https://github.com/WentaoTan/MLLM4Text-ReID
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Amounts = tuple[int, int, int]  # identities, images, captions
Counts = Mapping[str, Amounts]  # by split

# Every caption of a rehearsal begins so: wherever it goes, it is told from the benchmark.
REHEARSAL = "Rehearsal: "

# People of what is only trained on are numbered from here, apart from those of any benchmark that
# it is scored on; so are images that name nobody, each for itself.
APART = 1_000_000_000


def names_nobody(people: Any) -> bool:
    """Tell whether these people, (images,) numbers, only stand for the images that they are on."""
    return len(people) > 0 and people.min() >= APART and len(set(people.tolist())) == len(people)


@dataclass(frozen=True)
class Layout:
    """A JSON list of records beside a folder of images."""

    name: str
    title: str
    annotations: tuple[str, ...]  # names that the file goes by, or patterns of several files'
    path_key: str  # of the image's path below `images`
    source: str  # the page of its authors, which says whom to ask
    official: Counts = field(default_factory=dict)
    whole: Amounts | None = None  # of all splits together, where those of each are not published
    first_person: int | None = None  # training people are numbered from here without a gap
    images: str = "imgs"  # empty where images lie in the folder itself
    camera: str = ""  # a pattern whose first group is the camera, in the image's file name
    validation_people: int = 0  # taken from the training people where there is no validation split
    withdrawn: Mapping[str, Counts] = field(default_factory=dict)  # reason -> counts
    # Split -> hash of its annotation (`harness.data.annotation`), where it is known.
    hashes: Mapping[str, str] = field(default_factory=dict)
    short: str = ""  # begins the names of files by split that APTM hands out: cuhk_train.json
    unsplit: tuple[str, ...] = ()  # names of an annotation that tells no split
    only: str = ""  # the split of all records, where the annotation names none
    nobody: bool = False  # whether records name no people: each image stands for itself
    captions_by_path: bool = False  # whether annotations map the path of an image to a caption

    @property
    def is_in_pairs(self) -> bool:
        """Whether it officially has one caption an image."""
        return self.whole is not None and self.whole[1] == self.whole[2]

    def why_withdrawn(self, counts: Mapping[str, tuple[int, ...]]) -> str | None:
        """Return why a release with these counts was withdrawn; None of any other."""
        for reason, withdrawn in self.withdrawn.items():
            if dict(withdrawn) == dict(counts):
                return f"{self.title}: {reason}"
        return None


BENCHMARKS = {
    layout.name: layout
    for layout in (
        Layout(
            name="cuhk-pedes",
            title="CUHK-PEDES",
            annotations=("reid_raw.json",),
            unsplit=("caption_all.json",),
            short="cuhk",
            source=(
                "https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description"
            ),
            path_key="file_path",
            official={
                "train": (11_003, 34_054, 68_126),
                "val": (1_000, 3_078, 6_158),
                "test": (1_000, 3_074, 6_156),
            },
            first_person=1,
            hashes={
                "val": "03a4f2faaaef0dff2741d9c921de139333f52de8651c5e381182dd6c9edbf9e3",
                "test": "e4e0d881427abd1f6bd93fc0d048599c533b29ecd90668908d47e44613bff0af",
            },
        ),
        Layout(
            name="icfg-pedes",
            title="ICFG-PEDES",
            annotations=("ICFG-PEDES.json", "ICFG_PEDES.json"),
            short="icfg",
            source="https://github.com/zifyloo/SSAN",
            path_key="file_path",
            official={
                "train": (3_102, 34_674, 34_674),
                "test": (1_000, 19_848, 19_848),
            },
            first_person=0,
            validation_people=200,
        ),
        Layout(
            name="rstpreid",
            title="RSTPReid",
            annotations=("data_captions.json",),
            short="rstp",
            source="https://github.com/NjtechCVLab/RSTPReid-Dataset",
            path_key="img_path",
            official={
                "train": (3_701, 18_505, 37_010),
                "val": (200, 1_000, 2_000),
                "test": (200, 1_000, 2_000),
            },
            first_person=0,
            camera=r"_(c\d+)_",
            withdrawn={
                "its authors withdrew the release with 3901 / 100 / 100 people": {
                    "train": (3_901, 19_505, 39_010),
                    "val": (100, 500, 1_000),
                    "test": (100, 500, 1_000),
                }
            },
        ),
    )
}

# What benchmarks do not publish of their splits, and what is only tested or only trained on.
FURTHER = {
    layout.name: layout
    for layout in (
        Layout(
            name="ufine6926",
            title="UFine6926",
            # Its authors tell the form of a record; the file's name and that people are numbered
            # from 1 are told by https://github.com/CLS-2001/DFLSG, which reads it.
            annotations=("UFine6926_Annotations.json",),
            path_key="file_path",
            first_person=1,
            source="https://github.com/Zplusdragon/UFineBench",
            images="",
            whole=(6_926, 26_206, 52_412),
            validation_people=200,
        ),
        Layout(
            name="ufine3c",
            title="UFine3C",
            # Read under this name by https://github.com/paper4tomm-review/SRKD.
            annotations=("UFine3C_Annotations.json",),
            path_key="file_path",
            source="https://github.com/Zplusdragon/UFineBench",
            images="",
            whole=(2_250, 7_446, 37_939),
            only="test",
        ),
        Layout(
            name="mals",
            title="MALS",
            annotations=("g_*_attrs.json",),
            path_key="image",
            source="https://github.com/Shuyu-XJTU/APTM",
            images="",
            whole=(1_510_330, 1_510_330, 1_510_330),
            only="train",
            nobody=True,
        ),
        Layout(
            name="synth-pedes",
            title="SYNTH-PEDES",
            annotations=("synthpedes_dataset.json",),
            path_key="file_path",
            source="https://github.com/Zplusdragon/PLIP",
            images="",
            only="train",
        ),
        Layout(
            name="luperson-mllm",
            title="LUPerson-MLLM",
            annotations=("Ts-*.json", "Td-*.json"),
            path_key="file_path",
            source="https://github.com/WentaoTan/MLLM4Text-ReID",
            images="LUPerson-MLLM",
            only="train",
            nobody=True,
            captions_by_path=True,
        ),
    )
}

LAYOUTS = {**BENCHMARKS, **FURTHER}
