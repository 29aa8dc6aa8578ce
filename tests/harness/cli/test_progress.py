import pytest

from harness.cli.display.running import tell_progress
from harness.cli.display.terminal import write_duration
from harness.progress import Progress


def test_the_progress_line_tells_pace_waiting_and_what_is_left() -> None:
    """Of a pace that is not known yet nothing is said."""
    known = Progress(3, 60, 7, 10, 1.25, 50.12, 312.4, 7_980.0, 0.031)
    told = (
        "epoch 3/60, loss 1.250, val R1 50.1, 312 images/s, 3 % waiting for data, 2 h 13 min left"
    )
    assert tell_progress(known) == told
    assert tell_progress(Progress(1, 2, 1, 4, 0.5, None)) == "epoch 1/2, loss 0.500"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3599, "1 h 00 min"), (90_000, "25 h 00 min")],
)
def test_durations_are_written_as_people_say_them(seconds: float, told: str) -> None:
    """Nothing is rounded to sixty of its unit."""
    assert write_duration(seconds) == told
