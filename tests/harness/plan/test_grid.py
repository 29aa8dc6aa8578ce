"""Grids of settings: how they are written, what is refused, and which trials they are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import plan, registry
from harness.cli.planning import plan_runs
from harness.cli.tune import plan_points
from harness.errors import HarnessError


def points(toy: Path, dolls: Path, *grid: str, method: str = "toy") -> Sequence[plan.Point]:
    """Plan a grid of the toy on two seeds."""
    return plan_points(method, list(grid), "demo", [str(dolls)], "0,1", [toy])


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ((), "Say which settings to try, for example --grid learning_rate=1e-3,3e-4"),
        (("width",), "--grid width: write name=value,value"),
        (("=4",), "--grid =4: write name=value,value"),
        (("width=",), "--grid width=: '' is no list of values: a value is missing"),
        (("width=4,",), "a value is missing"),
        (("width=4,,8",), "is no list of values"),
        (("width=4,8,4",), "the value 4 stands twice"),
        (("learning_rate=1e-3,0.001",), "the value 0.001 stands twice"),
        (("width=4", "width=8"), "--grid width is given twice"),
    ],
)
def test_a_grid_that_means_nothing_is_refused(grid: tuple[str, ...], told: str) -> None:
    """With what it is, and how one is written."""
    with pytest.raises(HarnessError) as refused:
        plan.read_grid(grid)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (("widht=4,8",), r"no setting of toy 'widht'\. Did you mean 'width'\? There are: .*epochs"),
        (("width=4,many",), "'many' cannot take the place of 8"),
        (("epochs=2,0",), "0 is less than 1"),
        (("candidates=0,8",), "Val does not read candidates, so it cannot be chosen there"),
    ],
)
def test_a_grid_of_other_settings_is_refused_before_anything_runs(
    toy: Path, small_dolls: Path, grid: tuple[str, ...], told: str
) -> None:
    """One value that does not fit is enough."""
    with pytest.raises(HarnessError, match=told):
        points(toy, small_dolls, *grid)


def test_every_combination_is_tried_with_every_seed(toy: Path, small_dolls: Path) -> None:
    """Each under a key and in a folder of its own, beside those of runs."""
    planned = points(toy, small_dolls, "width=4,6", "learning_rate=1e-2,1e-3,1e-4")
    settings = [dict(point.settings) for point in planned]
    rates = (1e-2, 1e-3, 1e-4)
    assert settings == [{"width": w, "learning_rate": rate} for w in (4, 6) for rate in rates]
    trials = [trial for point in planned for trial in point.trials]
    assert [trial.seed for trial in trials] == [0, 1] * 6
    assert len({trial.key for trial in trials}) == 12
    paths = {trial.path(Path("results")) for trial in trials}
    assert len(paths) == 12
    assert all(path.is_relative_to("results/.tuning") for path in paths)


def test_points_that_come_to_the_same_are_one(toy: Path, small_dolls: Path) -> None:
    """Whatever they are called, in whatever order, as whole numbers or not."""
    (one,) = points(toy, small_dolls, "losses={itc: 1.0}", "losses.itc=1")
    (other,) = points(toy, small_dolls, "losses.itc=1", "epochs=2")
    (published,) = points(toy, small_dolls, "width=8")
    keys = {tuple(trial.key for trial in point.trials) for point in (one, other, published)}
    folders = {point.trials[0].path(Path()) for point in (one, other, published)}
    assert len(keys) == len(folders) == 1


def test_the_command_of_a_point_runs_its_settings(toy: Path, small_dolls: Path) -> None:
    """To the key of the weights; what the method has anyway is not set."""
    for point in points(toy, small_dolls, "width=8,5", "schedule=cosine,'constant'"):
        words = shlex.split(point.command)
        assert words[:3] == ["harness", "run", "toy"]
        given = list(zip(words[3::2], words[4::2], strict=True))
        settings = [value for option, value in given if option == "--set"]
        own = {"width": 8, "schedule": "cosine"}
        changed = {n: v for n, v in point.settings.items() if v != own[n]}
        assert settings == [f"{name}={value}" for name, value in changed.items()]
        options = dict(given)
        assert options["--seeds"] == "0,1"
        runs = plan_runs(
            [words[2]], registry.list_methods([toy]), options["--suite"], [options["--dataset"]],
            options["--seeds"], settings=settings, plugins=[Path(options["--plugins"])],
        )  # fmt: skip
        assert [run.weights_key for run in runs] == [trial.weights_key for trial in point.trials]


def test_the_command_of_a_trial_repeats_it(toy: Path, small_dolls: Path) -> None:
    """Its record tells what made it, of a variant too."""
    (point,) = points(toy, small_dolls, "image_size=[32, 16]", method="toy:narrow")
    words = shlex.split(point.trials[1].command)
    assert words[:3] == ["harness", "tune", "toy:narrow"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert given["--seeds"] == "1"
    (again,) = points(Path(given["--plugins"]), small_dolls, given["--grid"], method=words[2])
    assert again.trials[1].key == point.trials[1].key
