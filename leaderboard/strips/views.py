"""What the strips show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shot:
    """An image of a strip."""

    rank: str
    right: bool
    image: str  # its id
    file: str  # of its thumbnail within the site, empty where it may not be shown
    differs: tuple[str, ...] = ()  # in what it contradicts the query: "bag blue, not purple"


@dataclass(frozen=True)
class Strip:
    """A query and the images that a method found first."""

    title: str  # the caption or, where it may not be shown, the query's number
    about: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class StripFilter:
    """A choice of queries."""

    key: str
    label: str
    count: str


@dataclass(frozen=True)
class StripSection:
    """Examples of what a method found, and where a script finds the rest."""

    anchor: str  # of the ground
    entry: str  # file name of the method's data
    about: str
    examples: tuple[Strip, ...]
    filters: tuple[StripFilter, ...]
    search: str  # label of the field, which says what can be searched
