from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.digest import Digest
from leaderboard.method.slices import MOST_CAMERAS, find_slices, slice_queries, slice_table
from leaderboard.records.contest import Contest
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

ENTRY = ("one", "full")


@pytest.fixture
def contest(
    results: Path, add_answers: Callable[..., Path], add_digest: Callable[..., Path]
) -> Contest:
    """Return a contest of two methods with three seeds, with the dataset's digest."""
    add_digest()
    for seed in range(3):
        add_answers("one", 1.5, seed=seed)
        add_answers("two", 0.5, seed=seed)
    return next(iter(load_site(results, FOLDER).contests.values()))


def digest_of(contest: Contest, **changes: object) -> Digest:
    """Return the contest's digest with other columns."""
    assert contest.digest is not None
    return replace(contest.digest, **changes)  # type: ignore[arg-type]  # any of its fields


def test_slices_are_by_attributes_and_camera_where_they_differ(contest: Contest) -> None:
    """Each property parts the queries; what all queries share makes no slice."""
    assert contest.digest is not None
    found = find_slices(contest.digest)
    groups = {one.group: [o.label for o in found if o.group == one.group] for one in found}
    assert groups == {
        "Attributes it names": ["0", "1", "2", "3"],
        "Camera of the described image": ["camera 0", "camera 1"],
    }


def test_every_query_is_in_one_slice_of_a_property(contest: Contest) -> None:
    """The slices of a property cover all queries and no query twice."""
    words = np.random.default_rng(1).integers(5, 60, size=96)
    found = find_slices(digest_of(contest, words=words))
    for group in {one.group for one in found}:
        assert (sum(one.chosen.astype(int) for one in found if one.group == group) == 1).all()
    by_words = [one for one in found if one.group == "Words in the description"]
    assert len(by_words) == 4
    assert all(20 <= one.chosen.sum() <= 28 for one in by_words)
    for one in by_words:
        low, high = (int(end) for end in one.label.split("\N{EN DASH}"))
        inside = words[one.chosen]
        assert (inside.min(), inside.max()) == (low, high)


def test_cameras_are_those_of_the_described_images(contest: Contest) -> None:
    """A query's camera is its image's; images of unknown cameras are in no slice."""
    digest = digest_of(contest, cameras=[None, *[f"c{row % 11}" for row in range(1, 72)]])
    found = [one for one in find_slices(digest) if one.group.startswith("Camera")]
    assert [one.label for one in found] == [f"c{number}" for number in range(11)]
    for one in found:
        rows = digest.image_of_caption[one.chosen]
        assert {digest.cameras[row] for row in rows} == {one.label}
    assert sum(one.chosen.sum() for one in found) == 96 - (digest.image_of_caption == 0).sum()


def test_of_many_cameras_those_with_most_queries_are_shown(contest: Contest) -> None:
    """A dataset with a camera for every image does not make a table of them all."""
    digest = digest_of(contest, cameras=[f"{'1' * 5000}{row}" for row in range(72)])
    found = [one for one in find_slices(digest) if one.group.startswith("Camera")]
    assert len(found) == MOST_CAMERAS


def test_a_slice_has_the_mean_of_its_queries_with_an_interval(contest: Contest) -> None:
    """Figures are means over the queries chosen; those of all are the method's own."""
    sliced = slice_queries(contest)
    for one, figures in zip(sliced.slices, sliced.figures, strict=True):
        for entry in contest.published:
            for metric in ("r1", "map"):
                figure = figures[entry, metric]
                values = contest.answers[entry].values[metric]
                assert figure.mean == pytest.approx(values[:, one.chosen].mean())
                assert figure.interval is not None
                assert figure.interval[0] <= figure.mean <= figure.interval[1]
    family = contest.family("r1")
    assert family is not None
    assert sliced.figures[0][ENTRY, "r1"].interval == pytest.approx(family.intervals["one/full"])


def test_intervals_are_of_people_not_of_queries(
    contest: Contest,
) -> None:
    """Asking every person's queries thrice tells nothing new, and so narrows no interval."""
    sliced = slice_queries(contest)
    thrice = {
        entry: replace(
            known,
            people=np.tile(known.people, 3),
            queries=np.arange(288),
            values={name: np.tile(v, 3) for name, v in known.values.items()},
        )
        for entry, known in contest.answers.items()
    }
    contest.__dict__ |= {"answers": thrice, "digest": None}
    again = slice_queries(contest)
    first, second = (found.figures[0][ENTRY, "r1"].interval for found in (sliced, again))
    assert first == pytest.approx(second)


def test_the_table_shows_all_queries_first(contest: Contest) -> None:
    """The mean of all stands above the slices and is the line through all of them."""
    table = slice_table(slice_queries(contest), ENTRY, "slices")
    assert table is not None
    assert table.groups[0].name == ""
    everything = table.groups[0].rows[0]
    assert (everything.label, everything.queries) == ("All queries", "96")
    assert [cell.whisker.mean for cell in everything.cells] == list(table.middles)
    assert "nothing is corrected" in table.caption
    for group in table.groups[1:]:
        assert sum(int(row.queries) for row in group.rows) == 96


def test_queries_of_one_person_have_no_interval(contest: Contest) -> None:
    """A slice that holds one person shows its mean and claims nothing more."""
    cameras = ["alone" if row < 3 else "others" for row in range(72)]
    contest.__dict__["digest"] = digest_of(contest, cameras=cameras)
    sliced = slice_queries(contest)
    table = slice_table(sliced, ENTRY, "slices")
    assert table is not None
    alone = next(row for group in table.groups for row in group.rows if row.label == "alone")
    assert alone.queries == "4"
    assert [(cell.low, cell.high) for cell in alone.cells] == [("", "")] * 2


def test_without_a_digest_there_are_no_slices(
    results: Path, add_answers: Callable[..., Path]
) -> None:
    """Where nothing is known of the queries, no table is shown."""
    add_answers("one", 1.0)
    contest = next(iter(load_site(results, FOLDER).contests.values()))
    assert slice_table(slice_queries(contest), ENTRY, "slices") is None
