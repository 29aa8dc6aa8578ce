import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import nltk
import pytest

from methods.blocks import phrases
from methods.blocks.lexicon import ENDINGS, RULES, WORDS
from methods.blocks.phrases import DATA, Word, best_tagger, noun_phrases, tag

# Written for these tests. While the lexicon was written, only every other one was looked at.
CAPTIONS = Path(__file__).with_name("captions_of_people.txt").read_text("utf-8").splitlines()
SEEN, HELD_OUT = CAPTIONS[0::2], CAPTIONS[1::2]

HOSTILE = {
    "nothing": "",
    "white space": " \t\n\u3000 ",
    "punctuation": "?! ... ;-) --- (,)",
    "quotes": "a \"red\" ''bag'' with ``marks`` and 'more' “of” them\"",
    "quotes in a row": "\"\"''\"'``'\"",
    "curly apostrophes": "the man\u2019s bag isn\u2019t \u201990s \u2018old\u2019",
    "lines": "a man\nin red\r\n\n  jeans.\x85He walks",
    "emoji": "a 👩🏽‍🦱 with 🎒bag👟.",
    "right to left": "رجل يرتدي قميصا أحمر، a man",
    "letters that grow in lower case": "İstanbul İ shirt",
    "control characters": "a\x00man\x1cin\x1fred",
    "no spaces": "black shirt,blue jeans;a bag.He walks(fast)",
    "split words": "cannot gonna d'ye 'tis wanna shoes",
    "many words": "a very red shirt and " * 1000,
    "many adjectives": "red " * 5000,
    "many quotes": '"' * 5000,
}

PENN = frozenset({
    "CC", "CD", "DT", "EX", "FW", "IN", "JJ", "JJR", "JJS", "LS", "MD", "NN", "NNP", "NNPS", "NNS",
    "PDT", "POS", "PRP", "PRP$", "RB", "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB", "VBD", "VBG",
    "VBN", "VBP", "VBZ", "WDT", "WP", "WP$", "WRB", ".", ",", ":", "(", ")", "``", "''", "$", "#",
})  # fmt: skip


def found(caption: str, tagger: str = "lexicon") -> list[str]:
    """Return the noun phrases of a caption as it spells them."""
    [words] = tag([caption], tagger)
    return [caption[words[first].start : words[end - 1].end] for first, end in noun_phrases(words)]


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Forget the taggers of this process and hide NLTK's data: return an empty cache folder."""
    for function in (best_tagger, phrases._perceptron):
        function.cache_clear()
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    yield tmp_path
    for function in (best_tagger, phrases._perceptron):
        function.cache_clear()


@pytest.fixture
def perceptron() -> str:
    """Name NLTK's tagger, if its data is here."""
    try:
        nltk.data.find(f"taggers/{DATA}/")
    except LookupError:
        pytest.skip(f"NLTK's {DATA} is not here; NLTK_DATA says where it is")
    return "perceptron"


def refuse(*arguments: Any, **options: Any) -> bool:
    """Fail as a download does without a network."""
    raise OSError("no network")


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (
            "A man with short black hair is wearing a red and white striped T-shirt.",
            ["man", "short black hair", "white striped T-shirt"],
        ),
        (
            "She carries a small brown leather handbag,blue jeans and running shoes.",
            ["small brown leather handbag", "blue jeans", "running shoes"],
        ),
        ("He has a bag.He walks to the left.", ["bag", "left"]),
        ("The man\u2019s coat is dark blue.", ["man", "coat"]),
        ("The woman's hair is tied back in a long ponytail", ["woman", "hair", "long ponytail"]),
        ('A "cool" print on knee-length shorts!', ["print", "knee-length shorts"]),
        ("THE LADY WEARS A FADED DENIM JACKET", ["LADY", "FADED DENIM JACKET"]),
        ("He is walking and she is carrying it.", []),
        ("", []),
        ("?!, ... --", []),
    ],
)  # fmt: skip
def test_adjectives_and_their_nouns_are_a_phrase(caption: str, expected: list[str]) -> None:
    """The lexicon finds the phrases that a reader does, and none where there are none."""
    assert found(caption) == expected


@pytest.mark.parametrize(
    ("caption", "word", "part"),
    [
        ("There is a man", "There", "EX"),
        ("he stands there", "there", "RB"),
        ("they walk", "walk", "VBP"),
        ("socks that reach the knee", "reach", "VBP"),
        ("a coat that is long", "that", "WDT"),
        ("in that shop", "that", "DT"),
        ("he's tall", "'s", "VBZ"),
        ("the man's coat", "'s", "POS"),
        ("a man who hugs her", "hugs", "VBZ"),
        ("the man hugs a child", "hugs", "VBZ"),
        ("a coat with grey checks", "checks", "NNS"),
        ("she checks her watch", "checks", "VBZ"),
        ("This is he", "is", "VBZ"),
        ("a shirt with checks", "checks", "NNS"),
        ("one can road", "road", "VB"),
        ("he bends to tie a shoe", "tie", "VB"),
        ("a tie", "tie", "NN"),
        ("hair tied back", "back", "RB"),
        ("on his back", "back", "NN"),
        ("a laminated coat", "laminated", "JJ"),
        ("a laminated red coat", "laminated", "JJ"),
        ("it is laminated", "laminated", "VBN"),
        ("a crew cut", "cut", "NN"),
        ("cut short", "cut", "VBN"),
        ("a hat and matching shoes", "matching", "JJ"),
        ("at the crossing", "crossing", "NN"),
        ("while crossing", "crossing", "VBG"),
        ("wearing a red running vest", "running", "NN"),
        ("he is running", "running", "VBG"),
        ("to the left.", "left", "NN"),
        ("the left shoe", "left", "JJ"),
        ("a male in red", "male", "NN"),
        ("a male student", "male", "JJ"),
        ("walking down the street", "down", "RP"),
        ("walking along.", "along", "RB"),
        ("a mustard-coloured gabardine", "mustard-coloured", "JJ"),
        ("in 2 gabardines", "gabardines", "NNS"),
        ("in 2 gabardines", "2", "CD"),
    ],
)
def test_context_decides_between_parts_of_speech(caption: str, word: str, part: str) -> None:
    """What a word is follows from its neighbours, by each of the lexicon's rules."""
    [words] = tag([caption], "lexicon")
    assert [found.tag for found in words if found.text == word] == [part]


@pytest.mark.parametrize("caption", HOSTILE.values(), ids=HOSTILE)
def test_any_text_has_words(caption: str) -> None:
    """Whatever is written, its words are where they say and leave out only white space."""
    [words] = tag([caption], "lexicon")
    end = 0
    for word in words:
        assert word.text
        assert caption[word.start : word.end] == word.text
        assert not caption[end : word.start].strip()
        end = word.end
    assert not caption[end:].strip()
    assert {word.tag for word in words} <= PENN


def test_every_caption_is_sliced_by_its_words() -> None:
    """The words of real sentences and what is between them make up the caption."""
    for caption, words in zip(CAPTIONS, tag(CAPTIONS, "lexicon"), strict=True):
        assert all(caption[word.start : word.end] == word.text for word in words)
        letters = "".join(word.text for word in words)
        assert letters == "".join(caption.split())


def test_quotes_keep_their_character_and_have_their_tag() -> None:
    """A tagger is given opening and closing marks, a caption's slices stay as they are."""
    [words] = tag(['a "red" bag'], "lexicon")
    assert [(word.text, word.tag) for word in words if word.text == '"'] == [
        ('"', "``"),
        ('"', "''"),
    ]


def test_phrases_are_those_of_the_grammar() -> None:
    """They are what NLTK's chunker finds with `NP: {<JJ.*>*<NN.*>+}`."""
    chunker = nltk.RegexpParser("NP: {<JJ.*>*<NN.*>+}")
    for words in tag(CAPTIONS, "lexicon"):
        tree = chunker.parse([(index, word.tag) for index, word in enumerate(words)])
        chunks = tree.subtrees(lambda subtree: subtree.label() == "NP")
        assert noun_phrases(words) == [(chunk[0][0], chunk[-1][0] + 1) for chunk in chunks]


def test_proper_plural_and_compared_words_count() -> None:
    """Every kind of adjective and of noun is part of a phrase; a pronoun is not."""
    parts = ["PRP", "JJR", "JJS", "NNP", "NNS", "NNPS", "IN", "JJ"]
    assert noun_phrases([Word("", part, 0, 0) for part in parts]) == [(1, 6)]


def test_a_caption_has_the_same_words_among_others() -> None:
    """Nothing is carried from one caption to the next, or from one call to the next."""
    together = tag(CAPTIONS, "lexicon")
    assert together == [tag([caption], "lexicon")[0] for caption in CAPTIONS]
    assert together[::-1] == tag(CAPTIONS[::-1], "lexicon")


def test_case_does_not_matter_to_the_lexicon() -> None:
    """A caption in capitals has the parts of speech of the same in small letters."""
    capitals = tag([caption.upper() for caption in SEEN], "lexicon")
    small = tag([caption.lower() for caption in SEEN], "lexicon")
    assert [[w.tag for w in words] for words in capitals] == [
        [w.tag for w in words] for words in small
    ]


def test_no_word_is_listed_twice() -> None:
    """A word has one usual part of speech, written in small letters, of the Penn treebank."""
    listed = [word for words in WORDS.values() for word in words.split()]
    assert len(listed) == len(set(listed))
    assert [word for word in listed if word != word.lower()] == []
    rules = {part for line in RULES for part in line.split()[:2]}
    assert rules | set(WORDS) | {part for _, part in ENDINGS} <= PENN


def test_an_unknown_tagger_is_refused() -> None:
    """The error names the taggers that there are."""
    with pytest.raises(KeyError, match=r"no tagger 'brill'; there are: perceptron, lexicon"):
        tag(["a man"], "brill")


def test_without_data_and_network_the_lexicon_is_used(
    anew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, however often it is asked, and tags are the lexicon's."""
    monkeypatch.setattr(nltk, "download", refuse)
    with caplog.at_level(logging.INFO):
        first = tag(["A man in red trousers"])
        assert tag(["A man in red trousers"]) == first == tag(["A man in red trousers"], "lexicon")
    assert best_tagger() == "lexicon"
    said = [record.message for record in caplog.records if record.name == phrases.__name__]
    assert said == [f"parts of speech come from the lexicon: NLTK's {DATA} cannot be had"]


def test_the_perceptron_is_not_replaced_where_it_is_asked_for(
    anew: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its data, the error says what is missing."""
    monkeypatch.setattr(nltk, "download", refuse)
    with pytest.raises(LookupError, match=DATA):
        tag(["a man"], "perceptron")


def test_a_download_that_hangs_is_left(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time is up, the lexicon is used."""
    released = threading.Event()
    monkeypatch.setattr(nltk, "download", lambda *_, **__: released.wait(60))
    monkeypatch.setattr(phrases, "PATIENCE", 0.05)
    began = perf_counter()
    assert best_tagger() == "lexicon"
    assert perf_counter() - began < 30
    released.set()


def test_data_is_downloaded_once(
    anew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is downloaded into the cache is used, by this process and by the next."""
    asked = []

    def download(name: str, folder: str, **options: Any) -> bool:
        asked.append(name)
        files = Path(folder) / "taggers" / name
        files.mkdir(parents=True)
        parts = {"weights": "{}", "tagdict": '{"red": "JJ"}', "classes": '["NN"]'}
        for part, text in parts.items():
            (files / f"{name}.{part}.json").write_text(text, encoding="utf-8")
        return True

    monkeypatch.setattr(nltk, "download", download)
    with caplog.at_level(logging.INFO, logger=phrases.__name__):
        assert best_tagger() == "perceptron"
    assert [record.message for record in caplog.records] == [
        f"parts of speech come from NLTK's {DATA}"
    ]
    assert [word.tag for word in tag(["red shoes"])[0]] == ["JJ", "NN"]
    best_tagger.cache_clear()
    phrases._perceptron.cache_clear()
    assert best_tagger() == "perceptron"
    assert asked == [DATA]
    assert list(anew.iterdir()) == [anew / "nltk"]


def test_the_perceptron_knows_sentences(perceptron: str) -> None:
    """NLTK's tagger is given sentences as it expects them: full stops and quotes apart."""
    caption = 'He wears a black shirt. His "blue" jeans are torn.'
    [words] = tag([caption], perceptron)
    assert " ".join(f"{word.text}/{word.tag}" for word in words) == (
        "He/PRP wears/VBZ a/DT black/JJ shirt/NN ./. "
        "His/PRP$ \"/`` blue/JJ \"/'' jeans/NNS are/VBP torn/VBN ./."
    )
    assert found(caption, perceptron) == ["black shirt", "jeans"]


def agreement(captions: Sequence[str]) -> tuple[float, float]:
    """Return the share of words with the perceptron's tag, and F1 of the phrases."""
    theirs, ours = tag(captions, "perceptron"), tag(captions, "lexicon")
    pairs = [
        pair
        for left, right in zip(theirs, ours, strict=True)
        for pair in zip(left, right, strict=True)
    ]
    both = total = 0
    for left, right in zip(theirs, ours, strict=True):
        phrases_of_left, phrases_of_right = set(noun_phrases(left)), set(noun_phrases(right))
        both += len(phrases_of_left & phrases_of_right)
        total += len(phrases_of_left) + len(phrases_of_right)
    return sum(left.tag == right.tag for left, right in pairs) / len(pairs), 2 * both / total


@pytest.mark.parametrize("captions", [SEEN, HELD_OUT], ids=["seen", "held out"])
def test_the_lexicon_agrees_with_the_perceptron(perceptron: str, captions: list[str]) -> None:
    """On sentences of many kinds, nine words of ten and most phrases are the same."""
    tags, phrases_found = agreement(captions)
    assert tags > 0.91
    assert phrases_found > 0.87


def test_the_lexicon_agrees_on_drawn_captions(perceptron: str, small_dolls: Path) -> None:
    """On captions of PaperDolls too."""
    from harness.data.catalogue import find_declaration, locate
    from harness.data.loading import load_split

    tags, phrases_found = agreement(
        load_split(locate(find_declaration(str(small_dolls))), "train").captions
    )
    assert tags > 0.91
    assert phrases_found > 0.87


@pytest.mark.usefixtures("fork_server")
def test_many_captions_are_tagged_on_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same order and with the same tags as one after the other."""
    captions = [f"A man in a red coat holds {number} bags." for number in range(40)]
    expected = tag(captions, "lexicon")
    monkeypatch.setattr(phrases, "MANY", 40)
    monkeypatch.setattr(phrases, "PART", 7)
    assert tag(captions, "lexicon") == expected
