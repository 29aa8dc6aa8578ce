"""What a run may use and most do not, by name, with the modules that only then are called.

They are no part of the code of other runs, and can change without repeating them. The key of a run
that uses a feature holds its code, and what of it the run uses (`RunSpec.uses`).
"""

from __future__ import annotations

from collections.abc import Mapping

STAGE_DATA = "stage data"
COMPANIONS = "companions"  # as the field of a config that a stage may call unread
NOISE = "wrong pairs"  # no name that a field of a config could have: a stage cannot leave it unread

FEATURES: Mapping[str, tuple[str, ...]] = {
    STAGE_DATA: ("harness.run.stage_sets",),
    COMPANIONS: ("harness.data.companions",),
    NOISE: ("harness.data.breaking", "harness.data.noise"),
}
