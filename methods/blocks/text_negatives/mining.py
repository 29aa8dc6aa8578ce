"""Hard negatives of captions: texts that describe someone else in almost the same words.

Kang, Chen, Wang and Xu, "Multi-path Exploration and Feedback Adjustment for Text-to-Image Person
Retrieval" (MeFa), section "Intra-modal reasoning path", which swaps key nouns, substitutes verbs or
adjectives at random, and lets a language model complete the caption where a key word was. What it
leaves open is read so: a negative is a sentence that is wrong about the person in what can be seen.
So a key word is one of a kind that is known (`kinds`), and what takes its place is of the same
kind and cannot be true as well. Nouns are swapped within a group, such as what is worn, where what
is said of them differs; a substitute comes from the training captions, as often as it stands there;
the filler's words are held to the same. Each tier gives a caption one negative, or none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from harness.files import read_table, write_table
from harness.method import NegativeCaption
from harness.paths import cache_folder
from harness.sources import WHOLE, Definition, Module, Roots, Scope, hash_definitions
from methods.blocks.phrases import best_tagger, tag
from methods.blocks.text_negatives.changes import Change, changed
from methods.blocks.text_negatives.key_words import KeyWord, KeyWords, Pool, key_words
from methods.blocks.text_negatives.reading import read
from methods.blocks.text_negatives.swaps import swaps
from methods.blocks.word_fillers import Filler

# NOTE: the paper names no such bounds. Without them less than a third of swaps, and about half of
# the other tiers, were untrue of the person, visual and a sentence at once (drawn captions).
VERSION = 2  # of what is mined: a change that mines other negatives raises it
TIERS = ("swapped nouns", "replaced word", "filled word")
ATTEMPTS = 20  # draws for a key word; often a drawn word is the one that stands there
GAPS = 4  # words of a caption that are tried as a gap
CHUNK = 1024  # captions between two reports of progress

# What decides which negatives there are, apart from this module, which has a version.
PARTS = (
    "../phrases", "../lexicon", "kinds", "meanings", "reading", "key_words", "swaps", "changes",
)  # fmt: skip

_log = logging.getLogger(__name__)

Tell = Callable[[str], None]  # takes what is being done, and how far


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
    keys, found = [], []
    for number, (caption, words) in enumerate(zip(captions, tag(captions, tagger), strict=True)):
        reading = read(words)
        swapped = swaps(caption, reading, _random(seed, TIERS[0], caption))
        found.append(_negative(number, TIERS[0], caption, swapped))
        keys.append(key_words(caption, reading))
    known = _words_by_pool(keys)
    for number, (caption, its) in enumerate(zip(captions, keys, strict=True)):
        replaced = _substitutes(its, _random(seed, TIERS[1], caption), known)
        found.append(_negative(number, TIERS[1], caption, replaced))
    if filler is not None:
        found += _filled(captions, keys, seed, filler, tell)
    negatives = sorted(filter(None, found), key=lambda one: one.caption)  # tiers stay in order
    _log_lacking(negatives, len(captions), filler)
    return negatives


def _random(seed: int, tier: str, caption: str) -> Random:
    return Random(f"{seed} {tier} {caption}")


def _words_by_pool(captions: Iterable[KeyWords]) -> dict[Pool, list[str]]:
    """Return the adjectives and verbs that substitute each other, as often as they occur."""
    known = defaultdict(list)
    for words in captions:
        for word in words.adjectives + words.verbs:
            known[word.pool].append(word.text.lower())
    return {pool: sorted(words) for pool, words in known.items()}


def _substitutes(
    words: KeyWords, draw: Random, known: Mapping[Pool, Sequence[str]]
) -> Iterator[Change]:
    """Draw verbs and adjectives, and another word of the same kind for each."""
    choice = words.adjectives + words.verbs
    for word in draw.sample(choice, len(choice)):
        for _ in range(ATTEMPTS):
            other = draw.choice(known[word.pool])
            if word.accepts(other):
                yield word.replaced_by(other)


def _filled(
    captions: Sequence[str],
    words: Sequence[KeyWords],
    seed: int,
    filler: Filler,
    tell: Tell,
) -> Iterator[NegativeCaption]:
    """Yield captions with a noun or an adjective that the filler chose, where it found one."""
    for start in range(0, len(captions), CHUNK):
        gaps = {}
        for number in range(start, min(start + CHUNK, len(captions))):
            draw = _random(seed, TIERS[2], captions[number])
            choice = [
                word for word in words[number].nouns + words[number].adjectives if not word.is_vague
            ]
            gaps[number] = draw.sample(choice, min(GAPS, len(choice)))
        for turn in range(GAPS):
            waiting = {number: tried[turn] for number, tried in gaps.items() if turn < len(tried)}
            for negative in _fill(captions, waiting, filler):
                del gaps[negative.caption]
                yield negative
        done = min(start + CHUNK, len(captions))
        tell(f"filling gaps in captions: {done} of {len(captions)}")


def _fill(
    captions: Sequence[str], gaps: Mapping[int, KeyWord], filler: Filler
) -> Iterator[NegativeCaption]:
    """Yield those numbered captions, each with its gap filled, for which there is a word."""
    if not gaps:
        return
    texts = [(captions[n][: gap.start], captions[n][gap.end :]) for n, gap in gaps.items()]
    answers = filler.fill(texts)
    for (number, gap), answer in zip(gaps.items(), answers, strict=True):
        if negative := _negative(number, TIERS[2], captions[number], _fillings(gap, answer)):
            yield negative


def _fillings(gap: KeyWord, candidates: Iterable[str]) -> Iterator[Change]:
    for other in candidates:
        if gap.accepts(other):
            yield gap.replaced_by(other)


def _negative(
    number: int, tier: str, caption: str, changes: Iterable[Change]
) -> NegativeCaption | None:
    """Return the first change that leaves another text than the caption."""
    for change in changes:
        text = changed(caption, change.edits)
        if _folded(text) != _folded(caption):
            return NegativeCaption(number, tier, text, change.told)
    return None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _key(captions: Sequence[str], tagger: str, seed: int, filler: Filler | None) -> str:
    """Hash what the negatives depend on, the sources of what reads captions too."""
    files = [(Path(__file__).parent / f"{name}.py").resolve() for name in PARTS]
    parts = [Definition(Module(file.stem, file), WHOLE) for file in files]
    code = hash_definitions(parts, Scope(Roots()))
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
