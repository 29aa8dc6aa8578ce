"""LaTeX that compiles whatever the texts hold: everything special is escaped or spelt out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from leaderboard.typography import printable

CHECK = r"\checkmark"
PREAMBLE = r"% \usepackage{booktabs,amssymb}"
INTERVALS = r"""% 95 % intervals of the means are left out; to print them, say before this table
% \newcommand{\interval}[2]{ {\scriptsize[#1, #2]}}
% Each is of its mean alone: whether two overlap says nothing about their difference.
\providecommand{\interval}[2]{}"""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # not \{: BibTeX counts braces, escaped or not
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    **{sign: f"\\{sign}" for sign in "#$%&_"},
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{RIGHT SINGLE QUOTATION MARK}": r"\textquoteright{}",
    "\N{LEFT SINGLE QUOTATION MARK}": r"\textquoteleft{}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": r"\textquotedblright{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": r"\textquotedblleft{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{SUPERSCRIPT TWO}": "$^2$",
    "\N{SUPERSCRIPT THREE}": "$^3$",
    "\u00df": r"\ss{}", "\u00e6": r"\ae{}", "\u00c6": r"\AE{}", "\u00f8": r"\o{}",
    "\u00d8": r"\O{}", "\u0142": r"\l{}", "\u0141": r"\L{}", "\u0153": r"\oe{}",
    "\u0152": r"\OE{}", "\u0131": r"\i{}",
}  # fmt: skip
# Combining accent -> the command that puts it on a letter.
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
_SMALL = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau"
    "|upsilon|phi|chi|psi|omega"
)
_CAPITAL = re.compile("gamma|delta|theta|lambda|xi|pi|sigma|upsilon|phi|psi|omega")


@dataclass(frozen=True)
class TexTable:
    """A table whose cells are LaTeX already; `columns` aligns them, as in "lrr"."""

    columns: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    label: str
    breaks: Mapping[int, str] = field(default_factory=dict)  # row -> the heading above it, or ""


def escape_tex(text: str) -> str:
    """Return a text as LaTeX in ASCII, in one line; what fonts lack is named, as U+4E2D.

    Two hyphens in a row, which would become a dash, are kept apart.
    """
    line = " ".join(str(printable(text)).split())
    return re.sub("-(?=-)", "-{}", "".join(_escape(sign) for sign in line))


def bold(tex: str) -> str:
    """Return LaTeX in bold."""
    return rf"\textbf{{{tex}}}"


def tex_table(table: TexTable) -> str:
    """Write a floating table with booktabs' rules."""
    lines = [
        PREAMBLE,
        INTERVALS,
        r"\begin{table*}[t]",  # across both columns of a paper that has two
        r"\centering\small",
        rf"\caption{{{table.caption}}}",
        rf"\label{{{table.label}}}",
        rf"\begin{{tabular}}{{{table.columns}}}",
        r"\toprule",
        _row(table.header),
        r"\midrule",
        *_body(table),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _body(table: TexTable) -> Iterator[str]:
    """Yield the rows, with a rule and a heading where a group begins."""
    for number, row in enumerate(table.rows):
        if number in table.breaks:
            yield from [r"\midrule"] if number else []
            if heading := table.breaks[number]:
                yield rf"\multicolumn{{{len(row)}}}{{l}}{{\textit{{{heading}}}}} \\"
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    """Write a row; a bracket at its start must not be taken for an argument of the row before."""
    first, *others = cells
    guarded = f"{{}}{first}" if first[:1] in ("[", "*") else first
    return f"{' & '.join([guarded, *others])} \\\\"


def _escape(sign: str) -> str:
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    if sign.isascii():
        return sign
    return _accented(sign) or _greek(sign) or f"U+{ord(sign):04X}"


def _accented(sign: str) -> str:
    """Return a Latin letter with its accent as a command."""
    letter, *accents = list(unicodedata.normalize("NFD", sign))
    if not letter.isascii() or len(accents) != 1 or accents[0] not in _ACCENTS:
        return ""
    return rf"\{_ACCENTS[accents[0]]}{{{letter}}}"


def _greek(sign: str) -> str:
    """Return a Greek letter in mathematics, if it has a command of its own."""
    found = _GREEK.fullmatch(unicodedata.name(sign, ""))
    if found is None:
        return ""
    case, name = found[1], {"LAMDA": "LAMBDA"}.get(found[2], found[2]).lower()
    known = _SMALL if case == "SMALL" else _CAPITAL
    command = name if case == "SMALL" else name.capitalize()
    return rf"$\{command}$" if known.fullmatch(name) else ""
