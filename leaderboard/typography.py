"""How numbers, dates and labels are written on the pages."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from harness.files import slug
from harness.significance import cut_probability, round_end

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
ROUNDING = 9  # decimals; what comes after them is left of arithmetic, and decides no last digit
LONGEST_NAME = 80  # bytes; file systems stop at 255

# Control characters, lone surrogates, and the marks that turn the reading direction around.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: Any) -> Any:
    """Replace what a page cannot show by U+FFFD; markup and what is not text pass unchanged."""
    if not isinstance(text, str) or isinstance(text, Markup) or text.isprintable():
        return text  # the most, at once
    return _UNPRINTABLE.sub("\ufffd", text)


def shorten(text: str, limit: int) -> str:
    """Cut a text to `limit` characters, the last of them an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def fixed(value: float, decimals: int) -> str:
    """Write a number with thousands separated by commas and a true minus sign; zero has none."""
    value = round(value, ROUNDING)
    text = f"{value:,.{decimals}f}" if abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", MINUS) if text.strip("-0.,") else text.removeprefix("-")


def signed(value: float, decimals: int) -> str:
    """Write a difference with its sign; one that is printed as zero has none."""
    text = fixed(value, decimals)
    if not text.strip("0."):
        return text
    return text if value < 0 else f"+{text}"


def interval_end(value: float, decimals: int) -> str:
    """Write the end of an interval of a difference; only one that is zero is printed as zero."""
    return signed(round_end(value, decimals), decimals)


def scale_end(value: float) -> str:
    """Write the end of a scale of differences, a round number, with its sign."""
    return f"{value:+g}".replace("-", MINUS) if value else "0"


def probability(p_value: float) -> str:
    """Write a p-value with what stands before it: "p 0.034" or "p < 0.001".

    One that would round to 0.05 shows on which side of it it is.
    """
    if p_value < 0.001:
        return "p < 0.001"
    if 0.0495 <= p_value < 0.0505:
        return f"p {cut_probability(p_value):.4f}"
    return f"p {p_value:.2f}" if p_value >= 0.1 else f"p {p_value:.3f}"


def magnitude_decimals(values: Iterable[float]) -> int:
    """Return the decimals a column of quantities needs to tell its smallest from zero."""
    smallest = min((abs(value) for value in values if value), default=10.0)
    return 0 if smallest >= 10 else 1 if smallest >= 0.1 else 2


def spread_decimals(spreads: Sequence[float]) -> int:
    """Return one decimal more than the typical spread supports, between 1 and 2."""
    positive = sorted(spread for spread in spreads if spread > 0)
    if not positive:
        return 1
    supported = max(0, -math.floor(math.log10(positive[len(positive) // 2])))
    return min(2, 1 + supported)


def day(moment: str) -> str:
    """Return the date of an ISO 8601 moment; what is not one stays as it is."""
    try:
        return datetime.fromisoformat(moment).date().isoformat()
    except ValueError:
        return moment


def plain(value: Any, depth: int = 8) -> str:
    """Write a setting in a line; what is nested deeper than `depth` is left out."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, Mapping | list | tuple):
        return str(value)
    if not value or not depth:
        return "…" if value else "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item, depth - 1)}" for name, item in value.items())
    return ", ".join(plain(item, depth - 1) for item in value)


def command_parts(command: str) -> list[str]:
    """Part a command before each of its options, so that lines end there."""
    return re.split(r" (?=--)", command)


def counted(number: int, noun: str) -> str:
    """Return "1 seed" or "3 seeds"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(items: Sequence[str]) -> str:
    """Join words as a sentence does: "0, 1 and 2"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def web_address(url: str) -> str:
    """Return the address if it is an http or https one, else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def page_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a file name for each label; those a file system would confuse carry a digest."""
    names = {label: slug(label) for label in labels}
    seen = Counter(_folded(name) for name in names.values())
    return {
        label: name
        if seen[_folded(name)] == 1 and len(name.encode()) <= LONGEST_NAME
        else f"{name[: LONGEST_NAME // 4]}-{_digest(label)}"
        for label, name in names.items()
    }


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _digest(label: str) -> str:
    return hashlib.sha256(label.encode(errors="surrogatepass")).hexdigest()[:12]
