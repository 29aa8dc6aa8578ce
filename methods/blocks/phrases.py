"""The words of captions with their parts of speech, and the noun phrases that they form.

By Bird, Klein and Loper, "Natural Language Processing with Python", O'Reilly 2009, chapters 5 and
7. https://www.nltk.org/book
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, Protocol

from joblib import cpu_count

from harness.errors import HarnessError
from harness.method import Download
from harness.paths import cache_folder
from harness.progress import Show
from methods.blocks.lexicon import LexiconTagger

DATA = "averaged_perceptron_tagger_eng"  # NLTK's name for it
MANY = 8192  # captions that are tagged on all cores, in parts
PART = 1024
SIZE = 1_500_000  # bytes of the data, about
PATIENCE = 20.0  # seconds for a download of 1.5 MB

# Where a sentence ends; in captions often without a space before the next: "a bag.He".
_SENTENCE_END = re.compile(r"[.!?][\"'\u201d)]*(?=\s)|(?<=[a-z)])[.](?=[A-Z])")

_KINDS = {"JJ": "a", "NN": "n"}  # adjectives and nouns, one letter a word
_PHRASE = re.compile("a*n+")

_log = logging.getLogger(__name__)


class Word(NamedTuple):
    """A word or a punctuation mark of a caption: `caption[start:end] == text`."""

    text: str
    tag: str  # of the Penn treebank, such as NN, JJ or VBG
    start: int
    end: int


class Tagger(Protocol):
    """Gives each token of a caption a part of speech."""

    def tag(self, tokens: list[str]) -> list[tuple[str, str]]:
        """L tokens -> L pairs of token and tag."""


def tag(captions: Sequence[str], tagger: str | None = None) -> list[list[Word]]:
    """Split captions into words with parts of speech, by the tagger of that name or the best.

    Raises:
        KeyError: no tagger has the name.
        LookupError: the perceptron is asked for, and there is no data for it.
    """
    name = best_tagger() if tagger is None else tagger
    if name not in TAGGERS:
        raise KeyError(f"no tagger {name!r}; there are: {', '.join(TAGGERS)}")
    if len(captions) >= MANY:
        return _tag_in_processes(captions, name)
    model = TAGGERS[name]()
    return [_tagged(caption, model) for caption in captions]


def _tag_in_processes(captions: Sequence[str], name: str) -> list[list[Word]]:
    """Tag on all cores: the perceptron takes two minutes for CUHK-PEDES on one."""
    parts = [captions[start : start + PART] for start in range(0, len(captions), PART)]
    with ProcessPoolExecutor(
        cpu_count(),
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=_end_with_parent,
    ) as pool:
        found = pool.map(partial(tag, tagger=name), parts)
        return [words for part in found for words in part]


def _end_with_parent() -> None:
    """Leave no process behind where the parent is killed: it could not tell its pool to end."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def noun_phrases(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Return where nouns stand with the adjectives before them: (first, end) words.

    The phrases of NLTK's RegexpParser with the grammar `NP: {<JJ.*>*<NN.*>+}`, which takes more
    than five seconds for a caption of 5,000 words, and then raises.
    """
    kinds = "".join(_KINDS.get(word.tag[:2], " ") for word in words)
    return [phrase.span() for phrase in _PHRASE.finditer(kinds)]


@cache
def best_tagger() -> str:
    """Name the tagger that is used where none is asked for; results depend on it.

    NLTK's perceptron, where its data is found or can be downloaded; else the lexicon.
    """
    try:
        _perceptron()
    except LookupError:
        _log.info("parts of speech come from the lexicon: NLTK's %s cannot be had", DATA)
        return "lexicon"
    _log.info("parts of speech come from NLTK's %s", DATA)
    return "perceptron"


@dataclass(frozen=True)
class PerceptronData:
    """What NLTK's perceptron has learnt, a `harness.method.Download`."""

    name: str = f"NLTK's {DATA}"

    def is_here(self) -> bool:
        return _find_data(_folder())

    def size(self) -> int | None:
        return SIZE

    def fetch(self, show: Show) -> None:
        _try_download(_folder())
        if not self.is_here():
            raise HarnessError(
                f"{self.name} is not here and cannot be fetched: call `harness fetch` where there "
                "is a network."
            )


def tagger_downloads(name: str | None) -> list[Download]:
    """Return what `tag` fetches for a tagger; where it takes the best, nothing has to be there."""
    return [PerceptronData()] if name == "perceptron" else []


def _folder() -> str:
    return str((cache_folder() / "nltk").absolute())


def _find_data(folder: str) -> bool:
    """Tell whether NLTK finds the perceptron's data, in a folder too."""
    from nltk import data

    if folder not in data.path:
        data.path.append(folder)
    try:
        data.find(f"taggers/{DATA}/")
    except LookupError:
        return False
    return True


@cache
def _perceptron() -> Tagger:
    """Return NLTK's averaged perceptron; its data is downloaded if need be."""
    from nltk.tag.perceptron import PerceptronTagger

    folder = _folder()
    if not _find_data(folder):
        _try_download(folder)
    tagger: Tagger = PerceptronTagger()
    return tagger


def _try_download(folder: str) -> None:
    """Download the perceptron's data, or leave it after a while: NLTK would wait for minutes."""
    request = Thread(target=_download, args=(folder,), daemon=True)
    request.start()
    request.join(PATIENCE)


def _download(folder: str) -> None:
    """Download the perceptron's data, or leave it."""
    import nltk

    with suppress(OSError, ValueError):
        # NLTK refuses a folder that others may write to.
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        nltk.download(DATA, folder, quiet=True, print_error_to=io.StringIO())


@cache
def _lexicon() -> Tagger:
    return LexiconTagger()


TAGGERS: Mapping[str, Callable[[], Tagger]] = {"perceptron": _perceptron, "lexicon": _lexicon}


def _tagged(caption: str, tagger: Tagger) -> list[Word]:
    tokens, spans = _tokenized(caption)
    return [
        Word(caption[start:end], part, start, end)
        for (_, part), (start, end) in zip(tagger.tag(tokens), spans, strict=True)
    ]


def _tokenized(caption: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the tokens as taggers know them (quotes as `` or '') and where they are."""
    tokenizer = _tokenizer()
    caption = caption.replace("\u2019", "'")  # the tokenizer knows clitics by this apostrophe
    tokens: list[str] = []
    ends = [end.end() for end in _SENTENCE_END.finditer(caption)]
    for start, end in pairwise([0, *ends, len(caption)]):
        tokens += tokenizer.tokenize(caption[start:end])
    return tokens, list(_spans(tokens, caption))


def _spans(tokens: Sequence[str], caption: str) -> Iterator[tuple[int, int]]:
    """Return where tokens are; of a caption's characters they leave out only white space."""
    end = 0
    for token in tokens:
        start = end
        while caption[start].isspace():
            start += 1
        end = start + (1 if caption[start] == '"' else len(token))
        yield start, end


@cache
def _tokenizer() -> Any:
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()
