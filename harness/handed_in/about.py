"""What whoever hands in a file says of the method behind it: one YAML file, or options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError, unknown
from harness.files import slug
from harness.printable import printable, refuse_unprintable
from harness.registry import ExtraData, Paper
from harness.results.paper import UNDISCLOSED

Supervision = Literal["none", "pairs", "identity", "undisclosed"]

LONGEST_NAME = 120  # characters
LONGEST_TEXT = 2000
NOTHING = "none"  # of extra data: there is none


@dataclass(frozen=True)
class About:
    """A method that is not here."""

    name: str = ""
    title: str = ""
    summary: str = ""
    authors: tuple[str, ...] = ()
    paper: str = ""  # its title
    venue: str = ""
    year: int | None = None
    link: str = ""
    supervision: Supervision = "undisclosed"
    backbone: str = ""
    extra_data: ExtraData | None = None  # None where nothing is said

    @property
    def citation(self) -> Paper | str:
        """What pages cite; empty where nothing is said of a paper."""
        if not self.paper and not self.authors:
            return ""
        title = self.paper or self.title or self.name
        kind: Any = "inproceedings" if self.venue else "misc"
        return Paper(title, self.authors, self.year, self.venue, self.link, kind)


def read_about(file: Path | None, given: Mapping[str, Any]) -> About:
    """Return what a file says of a method, and in its place what options say.

    Raises:
        HarnessError: something in it is not known, of another type, or cannot be shown.
    """
    values = {**(_read(file) if file else {}), **{k: v for k, v in given.items() if v}}
    about = _convert(values, f"{file}" if file else "the options")
    _refuse(about)
    return replace(about, title=about.title or about.name)


def parse_extra_data(told: Sequence[str]) -> dict[str, list[str]] | None:
    """Read what ``--extra-data KIND=WHAT`` says, or ``--extra-data none``; None: nothing was said.

    Raises:
        HarnessError: there is no such kind.
    """
    if not told or UNDISCLOSED in told:
        return None
    kinds = [one.name for one in fields(ExtraData)]
    found: dict[str, list[str]] = {}
    for one in told:
        kind, _, what = ("people", "", NOTHING) if one == NOTHING else one.partition("=")
        if kind not in kinds or not what.strip():
            raise HarnessError(
                f"--extra-data {printable(one)}: write KIND=WHAT with one of {', '.join(kinds)}, "
                f"as in people=MALS; people={NOTHING}, where it saw no people before; {NOTHING}, "
                "where there is no extra data."
            )
        found.setdefault(kind, []).extend([what.strip()] if what != NOTHING else [])
    return found


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise HarnessError(f"{printable(str(file))} cannot be read: {printable(told)}.") from error
    if not isinstance(values, dict):
        raise HarnessError(f"{printable(str(file))} has to hold name, authors, paper and so on.")
    _refuse_unknown(values, About, file)
    extra = values.get("extra_data")
    _refuse_unknown(extra if isinstance(extra, dict) else {}, ExtraData, file)
    return values


def _refuse_unknown(values: Mapping[str, Any], kind: type[About | ExtraData], file: Path) -> None:
    """Refuse a field that is none, as a misspelt one."""
    known = [one.name for one in fields(kind)]
    for name in values:
        if name not in known:
            raise HarnessError(f"{printable(str(file))}: {unknown('field', str(name), known)}")


def _convert(values: Mapping[str, Any], source: str) -> About:
    import msgspec

    if values.get("extra_data") == NOTHING:
        values = {**values, "extra_data": {"people": []}}
    elif values.get("extra_data") == UNDISCLOSED:
        values = {**values, "extra_data": None}
    try:
        return msgspec.convert(values, About)
    except msgspec.ValidationError as error:
        raise HarnessError(f"{printable(source)}: {printable(str(error))}.") from error


def _refuse(about: About) -> None:
    """Refuse what tables and pages cannot show, and names that no command could name."""
    if not about.name:
        raise HarnessError("Say what the row is called: --name NAME, or name in --about.")
    if ":" in about.name or slug(about.name) != about.name:
        raise HarnessError(
            f"--name {printable(about.name)!r}: take letters, digits, - and _, as in "
            f"{slug(about.name)!r}; --title says how tables print it."
        )
    plain = asdict(about)
    texts = {name: one for name, one in plain.items() if isinstance(one, str)}
    listed = [*about.authors, *([str(about.extra_data)] if about.extra_data else [])]
    try:
        for name, text in texts.items():
            longest = LONGEST_NAME if name in ("name", "title", "backbone") else LONGEST_TEXT
            refuse_unprintable(name, text, longest)
        for text in listed:
            refuse_unprintable("a name", text, LONGEST_TEXT)
    except ValueError as error:
        raise HarnessError(f"{printable(str(error), 300)}.") from error
    if about.link and not about.link.startswith(("https://", "http://")):
        raise HarnessError(f"link {printable(about.link)!r} is no address of a page.")
