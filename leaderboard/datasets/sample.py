"""A few test images with their captions, chosen by a rule and not by hand."""

from __future__ import annotations

import numpy as np

from harness.data.digest import Digest
from leaderboard.datasets.views import Exhibit
from leaderboard.strips.exhibits import JPEG, LARGEST_THUMBNAIL
from leaderboard.typography import counted, shorten

SIZE = 12
LONGEST_CAPTION = 600  # characters


def choose_rows(digest: Digest) -> list[int]:
    """Return an image of each of a dozen people, at equal steps through all of them.

    Of the first person the first image, of the next the second and so on, since the images of a
    person often follow the cameras in one order.
    """
    people = np.unique(digest.person_of_image)
    size = min(SIZE, len(people))
    rows = []
    for number in range(size):
        own = np.flatnonzero(digest.person_of_image == people[number * len(people) // size])
        rows.append(int(own[number % len(own)]))
    return rows


def read_pictures(digest: Digest, anchor: str) -> dict[str, bytes]:
    """Return the sampled images that may be shown, by their files within the site.

    Results may come from anyone: what does not look like a small JPEG is left out.
    """
    thumbnails = {row: digest.thumbnails[row] for row in choose_rows(digest) if shown(digest)}
    return {
        _file(anchor, row): image
        for row, image in thumbnails.items()
        if image and image.startswith(JPEG) and len(image) <= LARGEST_THUMBNAIL
    }


def show_sample(digest: Digest, anchor: str) -> tuple[Exhibit, ...]:
    """Return the sampled images; without what their dataset does not let a page show."""
    pictures = read_pictures(digest, anchor)
    return tuple(_exhibit(digest, anchor, row, pictures) for row in choose_rows(digest))


def explain_sample(digest: Digest) -> str:
    """Say how the sample was chosen, and why it has no pictures where it has none."""
    people = len(np.unique(digest.person_of_image))
    size = min(SIZE, people)
    chosen = (
        f"An image each of {size} of the {people:,} people in the test split, at equal steps"
        " through it; nobody chose them."
    )
    if digest.bare:
        return f"{chosen} The images are not shown: {digest.bare}."
    if shown(digest):
        return chosen
    return (
        f"{chosen} The licence that is declared does not let a page show images and captions,"
        " so ids and counts stand in their place."
    )


def shown(digest: Digest) -> bool:
    """Say whether a page may show images and captions."""
    return digest.about.get("shown") is True


def _exhibit(digest: Digest, anchor: str, row: int, pictures: dict[str, bytes]) -> Exhibit:
    file = _file(anchor, row)
    captions = np.flatnonzero(digest.image_of_caption == row).tolist()
    camera = digest.cameras[row]
    known = [
        f"person {int(digest.person_of_image[row])}",
        f"camera {camera}" if camera is not None else "",
        ""
        if file in pictures or not shown(digest) or digest.bare
        else "no picture: it could not be decoded",
    ]
    return Exhibit(
        source=file if file in pictures else "",
        image_id=digest.image_ids[row],
        about=", ".join(text for text in known if text),
        captions=tuple(_caption(digest, caption) for caption in captions),
    )


def _caption(digest: Digest, caption: int) -> str:
    """Return a caption, or what may be said of one that may not be shown."""
    text = digest.captions[caption] if shown(digest) else None
    if text is not None:
        return shorten(text, LONGEST_CAPTION)
    words, attributes = int(digest.words[caption]), int(digest.attributes[caption])
    return f"{counted(words, 'word')}, {counted(attributes, 'attribute')} named"


def _file(anchor: str, row: int) -> str:
    return f"samples/{anchor}/{row}.jpg"
