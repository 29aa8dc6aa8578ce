"""What a page says of the dataset that a table stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leaderboard.records.load import Ground, Run
from leaderboard.typography import listed, plain, shorten, web_address
from leaderboard.views import DatasetCard

SHORT_KEY = 12  # characters of a fingerprint or content key that tell it from others


def dataset_title(ground: Ground) -> str:
    """Return what pages call the dataset of a ground, as its latest run does."""
    latest = max(ground.runs, key=lambda run: run.record.started)
    return plain(latest.record.data.get("title") or ground.dataset)


def dataset_card(ground: Ground, anchor: str, runs: Sequence[Run]) -> DatasetCard:
    """Describe a ground by its latest run, with a warning where its runs do not belong together.

    What was trained here tells more of the data and the protocol than what was handed in.
    """
    trained = [run for run in runs if run.record.handed_in is None]
    latest = max(trained or runs, key=lambda run: run.record.started).record
    data = latest.data
    facts = {
        "Suite": f"{ground.suite}, scale {latest.scale}",
        "About": plain(data.get("note", "")),
        "Data": _counts(data.get("counts")),
        "Fingerprint": shorten(plain(data.get("fingerprint", "")), SHORT_KEY + 1),
        "Licence": plain(data.get("licence", "")),
        "Protocol": _sentence(latest.protocol),
    }
    return DatasetCard(
        anchor=anchor,
        title=plain(data.get("title") or ground.dataset),
        suite=ground.suite,
        url=web_address(plain(data.get("url", ""))),
        drawn=ground.is_drawn,
        facts=tuple((name, text) for name, text in facts.items() if text),
        warnings=tuple(_warnings(runs)),
    )


def _warnings(runs: Sequence[Run]) -> list[str]:
    """Say what forbids to compare the runs with one another."""
    finished = [run.record for run in runs if run.finished]
    contents = sorted({plain(record.data.get("fingerprint", "")) for record in finished})
    scales = sorted({record.scale for record in finished})
    warnings = []
    if len(contents) > 1:
        short = listed([shorten(content, SHORT_KEY + 1) or "none" for content in contents])
        warnings.append(
            f"These runs saw {len(contents)} different contents of the dataset"
            f" (fingerprints {short}): their figures cannot be compared."
        )
    if len(scales) > 1:
        warnings.append(
            f"These runs were made at different scales ({listed(scales)}):"
            " their figures cannot be compared."
        )
    return warnings


def _counts(counts: Any) -> str:
    """Write counts by split: "test 200 people, 1,600 images; train ..."."""
    if not isinstance(counts, Mapping):
        return plain(counts) if counts else ""
    if not any(isinstance(value, Mapping) for value in counts.values()):
        return _amounts(counts)
    return "; ".join(f"{split}: {_amounts(of_split)}" for split, of_split in counts.items())


def _amounts(counts: Any) -> str:
    if not isinstance(counts, Mapping):
        return _amount(counts)
    return ", ".join(f"{_amount(number)} {name}" for name, number in counts.items())


def _amount(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int | float) else plain(number)


def _sentence(protocol: Mapping[str, Any]) -> str:
    """Write the protocol's values in a line, each after its name."""
    said = (f"{name.replace('_', ' ')}: {plain(value)}" for name, value in protocol.items())
    return "; ".join(said)
