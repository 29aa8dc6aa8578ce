"""Hard negatives of captions: texts that describe someone else in almost the same words.

Kang, Chen, Wang and Xu, "Multi-path Exploration and Feedback Adjustment for Text-to-Image Person
Retrieval" (MeFa), section "Intra-modal reasoning path", which swaps key nouns, substitutes verbs or
adjectives at random, and lets a language model complete the caption where a key word was. What it
leaves open is read so: a key noun is the last of a noun phrase, a key word such a noun or an
adjective; a substitute has the same part of speech and comes from the training captions, as often
as it stands there; each tier gives a caption one negative, or none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from harness.files import read_table, write_table
from harness.method import NegativeCaption
from harness.paths import cache_folder
from harness.sources import WHOLE, Definition, Module, Roots, Scope, hash_definitions
from methods.blocks.phrases import Word, best_tagger, noun_phrases, tag
from methods.blocks.word_fillers import Filler, is_word, means_the_same

VERSION = 1  # of what is mined: a change that mines other negatives raises it
TIERS = ("swapped nouns", "replaced word", "filled word")
ATTEMPTS = 20  # draws for a caption and a tier; often a drawn word is the one that stands there
GAPS = 4  # words of a caption that are tried as a gap
CHUNK = 1024  # captions between two reports of progress

# They carry the grammar of a sentence; another verb in their place shows no other action.
AUXILIARIES = frozenset({
    "be", "am", "is", "are", "was", "were", "been", "being", "have", "has", "had", "having",
    "do", "does", "did", "done", "doing",
})  # fmt: skip

_log = logging.getLogger(__name__)

Tell = Callable[[str], None]  # takes what is being done, and how far


class _KeyWords(NamedTuple):
    """The words of a caption that a negative can change."""

    nouns: list[Word]  # the last of each noun phrase
    states: list[Word]  # verbs and adjectives

    @property
    def gaps(self) -> list[Word]:
        return self.nouns + [word for word in self.states if word.tag.startswith("JJ")]


class _Change(NamedTuple):
    """Words of a caption with others in their place."""

    words: tuple[tuple[Word, str], ...]
    told: str


def mine_once(
    captions: Sequence[str],
    tagger: str | None,
    seed: int,
    filler: Filler | None = None,
    tell: Tell = lambda doing: None,
) -> list[NegativeCaption]:
    """Return what `mine` returns, from the cache where it was mined before.

    Processes that need the same negatives at once wait for the first. A file that cannot be read
    is made again.
    """
    from filelock import FileLock

    tagger = best_tagger() if tagger is None else tagger
    key = _key(captions, tagger, seed, filler)
    file = cache_folder() / "negatives" / f"{key}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        found = _read(file)
        if found is None:
            found = mine(captions, tagger, seed, filler, tell)
            _write(file, found)
        else:
            _log_lacking(found, len(captions), filler)
    return found


def mine(
    captions: Sequence[str],
    tagger: str | None,
    seed: int,
    filler: Filler | None = None,
    tell: Tell = lambda doing: None,
) -> list[NegativeCaption]:
    """Return the negatives of training captions, in the order of captions and tiers.

    A tier that cannot be made for a caption is left out, the last one everywhere without a filler.
    What is drawn depends on the seed, the caption and the words of all, not on their order. How
    many captions lack a tier is logged.

    Args:
        captions: the training captions, whose verbs and adjectives substitute each other.
        tagger: a name of `phrases.TAGGERS`; None takes the best.
        tell: called before captions are tagged, and after every `CHUNK` captions that are filled.
    """
    tell(f"tagging {len(captions)} captions")
    words = [_key_words(tagged) for tagged in tag(captions, tagger)]
    known = _words_by_tag(words)
    found = []
    for number, (caption, its) in enumerate(zip(captions, words, strict=True)):
        swaps = _swaps(its, _random(seed, TIERS[0], caption))
        substitutes = _substitutes(its, _random(seed, TIERS[1], caption), known)
        found.append(_negative(number, TIERS[0], caption, swaps))
        found.append(_negative(number, TIERS[1], caption, substitutes))
    if filler is not None:
        found += _filled(captions, words, seed, filler, tell)
    negatives = sorted(filter(None, found), key=lambda one: one.caption)  # tiers stay in order
    _log_lacking(negatives, len(captions), filler)
    return negatives


def _random(seed: int, tier: str, caption: str) -> Random:
    return Random(f"{seed} {tier} {caption}")


def _key_words(words: Sequence[Word]) -> _KeyWords:
    heads = [words[end - 1] for _, end in noun_phrases(words)]
    states = [word for word in words if word.tag.startswith(("VB", "JJ"))]
    return _KeyWords(
        [word for word in heads if is_word(word.text)],
        [word for word in states if is_word(word.text) and word.text.lower() not in AUXILIARIES],
    )


def _words_by_tag(captions: Iterable[_KeyWords]) -> dict[str, list[str]]:
    """Return the verbs and adjectives of each part of speech, as often as they occur, sorted."""
    known = defaultdict(list)
    for words in captions:
        for word in words.states:
            known[word.tag].append(word.text.lower())
    return {part: sorted(words) for part, words in known.items()}


def _swaps(words: _KeyWords, draw: Random) -> Iterator[_Change]:
    """Draw pairs of different nouns, each in the other's place."""
    for _ in range(ATTEMPTS if len(words.nouns) > 1 else 0):
        one, other = sorted(draw.sample(words.nouns, 2), key=lambda word: word.start)
        if not means_the_same(one.text, other.text):
            told = f"{one.text} <-> {other.text}"
            yield _Change(((one, other.text), (other, one.text)), told)


def _substitutes(
    words: _KeyWords, draw: Random, known: Mapping[str, Sequence[str]]
) -> Iterator[_Change]:
    """Draw verbs and adjectives, and another word of the same part of speech for each."""
    for _ in range(ATTEMPTS if words.states else 0):
        word = draw.choice(words.states)
        other = draw.choice(known[word.tag])
        if not means_the_same(word.text, other):
            yield _Change(((word, other),), f"{word.text} -> {other}")


def _filled(
    captions: Sequence[str],
    words: Sequence[_KeyWords],
    seed: int,
    filler: Filler,
    tell: Tell,
) -> Iterator[NegativeCaption]:
    """Yield captions with a key word that the filler chose, where it found one."""
    for start in range(0, len(captions), CHUNK):
        gaps = {}
        for number in range(start, min(start + CHUNK, len(captions))):
            draw = _random(seed, TIERS[2], captions[number])
            choice = words[number].gaps
            gaps[number] = draw.sample(choice, min(GAPS, len(choice)))
        for turn in range(GAPS):
            waiting = {number: tried[turn] for number, tried in gaps.items() if turn < len(tried)}
            for negative in _fill(captions, waiting, filler):
                del gaps[negative.caption]
                yield negative
        done = min(start + CHUNK, len(captions))
        tell(f"filling gaps in captions: {done} of {len(captions)}")


def _fill(
    captions: Sequence[str], gaps: Mapping[int, Word], filler: Filler
) -> Iterator[NegativeCaption]:
    """Yield those numbered captions, each with its gap filled, for which there is a word."""
    if not gaps:
        return
    texts = [(captions[n][: gap.start], captions[n][gap.end :]) for n, gap in gaps.items()]
    answers = filler.fill(texts)
    for (number, gap), answer in zip(gaps.items(), answers, strict=True):
        if negative := _negative(number, TIERS[2], captions[number], _fillings(gap, answer)):
            yield negative


def _fillings(gap: Word, candidates: Iterable[str]) -> Iterator[_Change]:
    for other in candidates:
        if is_word(other) and not means_the_same(gap.text, other):
            yield _Change(((gap, other),), f"{gap.text} -> {other}")


def _negative(
    number: int, tier: str, caption: str, changes: Iterable[_Change]
) -> NegativeCaption | None:
    """Return the first change that leaves another text than the caption."""
    for change in changes:
        text = _spliced(caption, change.words)
        if _folded(text) != _folded(caption):
            return NegativeCaption(number, tier, text, change.told)
    return None


def _spliced(caption: str, words: Iterable[tuple[Word, str]]) -> str:
    """Put words in the place of others, which come in the caption's order."""
    parts, end = [], 0
    for word, other in words:
        parts += [caption[end : word.start], _cased(other, word.text)]
        end = word.end
    return "".join([*parts, caption[end:]])


def _cased(word: str, replaced: str) -> str:
    """Give a word the capital of the one that it replaces, or none; NIKE stays what it is."""
    if replaced[0].isupper():
        return word[0].upper() + word[1:]
    return word[0].lower() + word[1:] if word[1:].islower() else word


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _key(captions: Sequence[str], tagger: str, seed: int, filler: Filler | None) -> str:
    """Hash what the negatives depend on, the taggers' own sources too."""
    files = [Path(__file__).with_name(name) for name in ("phrases.py", "lexicon.py")]
    taggers = [Definition(Module(file.stem, file), WHOLE) for file in files]
    code = hash_definitions(taggers, Scope(Roots()))
    name = None if filler is None else filler.name
    content = [VERSION, code, tagger, seed, name, *captions]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _read(file: Path) -> list[NegativeCaption] | None:
    """Return the negatives of a file; None where there is none, or none that can be read."""
    from pyarrow import ArrowException

    if not file.is_file():
        return None
    try:
        return [NegativeCaption(**row) for row in read_table(file)]
    except (OSError, TypeError, ArrowException) as error:
        _log.warning("%s cannot be read and is made again: %s", file, error)
        return None


def _write(file: Path, negatives: Sequence[NegativeCaption]) -> None:
    columns = {name: [getattr(one, name) for one in negatives] for name in NegativeCaption._fields}
    unfinished = file.with_suffix(".unfinished")
    write_table(unfinished, columns)
    unfinished.replace(file)


def _log_lacking(
    negatives: Sequence[NegativeCaption], captions: int, filler: Filler | None
) -> None:
    made = Counter(negative.tier for negative in negatives)
    tried = TIERS if filler is not None else TIERS[:2]
    counts = ", ".join(f"{captions - made[tier]} without {tier}" for tier in tried)
    _log.info("text negatives of %d captions: %s", captions, counts)
