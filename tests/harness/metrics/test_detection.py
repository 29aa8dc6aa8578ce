import numpy as np
import pytest

from harness.metrics.detection import score_division


def test_precision_and_recall_of_both_kinds_are_those_of_a_loop() -> None:
    """Of 200 drawn pairs each is counted by itself."""
    draw = np.random.default_rng(0)
    found, clean = draw.random(200) < 0.6, draw.random(200) < 0.8
    counts = {"both": 0, "found": 0, "clean": 0, "neither": 0}
    for taken, is_clean in zip(found, clean, strict=True):
        counts["found"] += bool(taken)
        counts["clean"] += bool(is_clean)
        counts["both"] += bool(taken and is_clean)
        counts["neither"] += bool(not taken and not is_clean)
    assert score_division(found, clean) == {
        "clean/precision": pytest.approx(counts["both"] / counts["found"]),
        "clean/recall": pytest.approx(counts["both"] / counts["clean"]),
        "noisy/precision": pytest.approx(counts["neither"] / (200 - counts["found"])),
        "noisy/recall": pytest.approx(counts["neither"] / (200 - counts["clean"])),
    }


def test_a_figure_of_nothing_is_left_out() -> None:
    """Where no pair is called noisy, there is no precision of finding noisy ones."""
    found = score_division(np.array([True, True]), np.array([True, False]))
    assert found == {"clean/precision": 0.5, "clean/recall": 1.0, "noisy/recall": 0.0}
