from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.progress import Progress
from harness.training.pace import Pace

from .test_loop import COUNT, run


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_told_before_a_step() -> None:
    """A pace that is not known yet is no number."""
    pace = Pace(Clock())
    pace.begin()
    assert pace.images_per_second is pace.waiting_share is pace.seconds_left(10, 1) is None


def test_what_is_left_is_rows_and_what_is_between_epochs() -> None:
    """Ten rows a step of 2 s, half of it for data; 30 s from an epoch to the next."""
    clock = Clock()
    pace = Pace(clock)

    def slow_batches() -> Iterator[int]:
        for number in range(3):
            clock.now += 1.0
            yield number

    for epoch in range(2):
        pace.begin()
        for _ in pace.waiting(slow_batches()):
            clock.now += 1.0
            pace.step(10)
        pace.end()
        assert pace.take_waited() == pytest.approx(3.0)
        assert pace.images_per_second == pytest.approx(5.0)
        assert pace.waiting_share == pytest.approx(0.5)
        # Nothing is known of what is between before a second epoch begins.
        assert pace.seconds_left(100, 2) == pytest.approx(20.0 + 60.0 * epoch)
        clock.now += 30.0
    assert pace.take_waited() == 0


def test_a_first_slow_step_is_soon_forgotten() -> None:
    """What warms up says little of the hours that follow."""
    clock = Clock()
    pace = Pace(clock)
    pace.begin()
    clock.now += 100.0
    pace.step(10)
    for _ in range(80):
        clock.now += 1.0
        pace.step(10)
    assert pace.images_per_second == pytest.approx(10.0, rel=0.03)


def test_a_training_tells_its_pace(tmp_path: Path) -> None:
    """Each step tells images a second and what is left, which ends at nothing; so does the end."""
    told: list[Progress] = []
    trained = run(tmp_path, report=told.append)
    assert len(told) == 8
    left = [one.seconds_left for one in told]
    assert all(one.images_per_second and one.waiting_share for one in told)
    assert left[-1] == 0
    assert left[0]
    assert trained.images_per_second == pytest.approx(
        2 * COUNT / sum(row["seconds"] for row in trained.history)
    )
    assert 0 < trained.waiting_share < 1
