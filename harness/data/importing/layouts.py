"""How the authors of each benchmark lay out its folder, and what it officially holds.

- CUHK-PEDES: Li et al., "Person Search with Natural Language Description", CVPR 2017.
  https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description
- ICFG-PEDES: Ding et al., "Semantically Self-Aligned Network for Text-to-Image Part-aware Person
  Re-identification", 2021. https://github.com/zifyloo/SSAN
- RSTPReid: Zhu et al., "DSSL: Deep Surroundings-person Separation Learning for Text-based Person
  Retrieval", ACM MM 2021. https://github.com/NjtechCVLab/RSTPReid-Dataset
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Counts = Mapping[str, tuple[int, int, int]]  # split -> identities, images, captions

# Every caption of a rehearsal begins so: wherever it goes, it is told from the benchmark.
REHEARSAL = "Rehearsal: "


@dataclass(frozen=True)
class Layout:
    """A JSON list of records beside a folder of images."""

    name: str
    title: str
    annotations: tuple[str, ...]  # names that the file goes by
    path_key: str  # of the image's path below `images`
    official: Counts
    first_person: int  # training people are numbered from here without a gap
    images: str = "imgs"
    camera: str = ""  # a pattern whose first group is the camera, in the image's file name
    validation_people: int = 0  # taken from the training people where there is no validation split
    withdrawn: Mapping[str, Counts] = field(default_factory=dict)  # reason -> counts
    # Split -> hash of its annotation (`harness.data.annotation`), where it is known.
    hashes: Mapping[str, str] = field(default_factory=dict)

    def why_withdrawn(self, counts: Mapping[str, tuple[int, ...]]) -> str | None:
        """Return why a release with these counts was withdrawn; None of any other."""
        for reason, withdrawn in self.withdrawn.items():
            if dict(withdrawn) == dict(counts):
                return f"{self.title}: {reason}"
        return None


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            name="cuhk-pedes",
            title="CUHK-PEDES",
            annotations=("reid_raw.json",),
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
