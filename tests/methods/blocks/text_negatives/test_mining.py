import logging
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaConfig, RobertaForMaskedLM

from harness.data.paperdolls.build import photographs
from harness.data.paperdolls.looks import Sizes
from harness.data.paperdolls.people.attributes import Person
from harness.files import read_table, write_table
from harness.method import NegativeCaption
from methods.blocks import phrases
from methods.blocks.text_negatives import TIERS, mine, mine_once, mining
from methods.blocks.text_negatives.changes import Change, Edit
from methods.blocks.tiny import IMAGE_SIZE, WEIGHTS, load_tiny, load_tokenizer
from methods.blocks.word_fillers import (
    CANDIDATES,
    EncoderFiller,
    RobertaFiller,
    is_word,
)

from .drawn_truth import is_sentence, is_untrue, is_visual

WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")

GRAMMAR = {
    "caption": [
        "{A} {adj} {person} {verb} a {colour} {noun},  {colour} {noun}s and a {colour} {noun}.",
        "{A} {person} in a {colour} {noun} is {verbing} {adj} {noun}s; she's {verbing} a {noun}!",
        "the {person}\u2019s {noun} is {adj} ({colour}).\nHe {verb} {noun}s\t👟 with a {noun}",
    ],
    "A": ["A", "The", "Some"],
    "person": ["man", "woman", "girl", "boy", "lady"],
    "noun": ["coat", "shirt", "T-shirt", "bag", "hat", "shoe", "scarf", "backpack", "boot"],
    "colour": ["red", "blue", "grey", "Black", "dark-green"],
    "adj": ["red", "blue", "grey", "dark", "long", "short", "Black", "dark-green", "striped"],
    "verb": ["wears", "carries", "holds", "pushes"],
    "verbing": ["wearing", "carrying", "holding", "pulling"],
}

HOSTILE = {
    "nothing": "",
    "white space": " \t\n\u3000 ",
    "one word": "man",
    "punctuation": "?! ... ;-) --- (,) ''",
    "emoji": "👩🏽‍🦱🎒👟",
    "emoji between": "a red 👩🏽‍🦱 with 🎒bag and blue👟shoe.",
    "control characters": "a\x00red\x1cman\x1fin\x7fshoes",
    "right to left": "رجل يرتدي قميصا أحمر، a red man in a \u202eblue\u202c shirt",
    "lines": "a red man\nin blue\r\n\n  jeans.\x85He walks",
    "letters that grow": "İstanbul İ ßhirt ŉ a ﬁne red shirt",
    "special tokens": "a [mask] red <mask> man [end] in </s> <pad> [pad] shoes",
    "templates": "a {red} man %s in \\1 shoes {0}",
    "many words": "a very red shirt and " * 1000,
    "one word many times": "red " * 5000,
    "one long word": "red" * 5000,
    "many quotes": '"' * 5000,
}


class Fixed:
    """Fills every gap with the same words, and counts what it is asked."""

    def __init__(self, *words: str, name: str = "fixed") -> None:
        self.words = list(words)
        self.name = name
        self.asked: list[list[tuple[str, str]]] = []

    def fill(self, gaps: Sequence[tuple[str, str]]) -> list[list[str]]:
        self.asked.append(list(gaps))
        return [self.words for _ in gaps]


def sentence(draw: random.Random) -> str:
    """Draw a caption from the grammar."""
    template = draw.choice(GRAMMAR["caption"])
    return re.sub(r"{(\w+)}", lambda slot: draw.choice(GRAMMAR[slot[1]]), template)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Return 1,000 captions with odd spaces, apostrophes, capitals and an emoji."""
    draw = random.Random(0)
    return [sentence(draw) for _ in range(1000)]


WORDS = ("jacket", "suitcase", "sandals", "green", "boots", "beanie", "tie", "boy", "old")


@pytest.fixture(scope="module")
def mined(captions: list[str]) -> list[NegativeCaption]:
    """Return the negatives of all tiers."""
    return mine(captions, "lexicon", 0, Fixed(*WORDS))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of cached negatives of an empty cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path / "negatives"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Run small models on one thread: more only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def of_tier(negatives: Sequence[NegativeCaption], tier: str) -> list[NegativeCaption]:
    """Return the negatives of one tier."""
    return [negative for negative in negatives if negative.tier == tier]


def changed(caption: str, text: str) -> list[tuple[int, str, str]]:
    """Return where words but articles differ, after making sure that nothing between them does."""
    assert WORD.sub("_", text) == WORD.sub("_", caption)
    pairs = zip(WORD.finditer(caption), WORD.finditer(text), strict=True)
    return [
        (one.start(), one[0], other[0])
        for one, other in pairs
        if one[0] != other[0] and one[0].lower() not in ("a", "an")
    ]


def only(caption: str, tier: str, *candidates: str, seed: int = 0) -> NegativeCaption | None:
    """Return the negative of one caption alone."""
    found = of_tier(mine([caption], "lexicon", seed, Fixed(*candidates)), tier)
    return found[0] if found else None


# What is mined.


def test_no_negative_equals_its_caption(captions: list[str], mined: list[NegativeCaption]) -> None:
    """Neither in case nor in white space alone does one differ, and few are missing."""
    for negative in mined:
        source = captions[negative.caption]
        assert negative.text.casefold().split() != source.casefold().split()
    made = Counter(one.tier for one in mined)
    assert made[TIERS[0]] > 0.1 * len(captions)
    assert min(made[TIERS[1]], made[TIERS[2]]) > 0.85 * len(captions)


@pytest.fixture(scope="module")
def drawn() -> tuple[list[str], list[Person]]:
    """Return 200 captions of drawn people, and whom each is of."""
    photos = photographs("train", sizes=Sizes(train=100, images=(1, 1)))
    pairs = [(caption.text, photo.person) for photo in photos for caption in photo.captions]
    captions, persons = zip(*pairs, strict=True)
    return list(captions), list(persons)


def test_what_judges_takes_captions_as_they_are(drawn: tuple[list[str], list[Person]]) -> None:
    """Every caption is true of its person and a sentence; of another person hardly one is true."""
    captions, persons = drawn
    assert not any(map(is_untrue, captions, persons))
    assert all(map(is_sentence, captions))
    assert sum(map(is_untrue, captions, persons[2:] + persons[:2])) > 0.8 * len(captions)
    for wrong in ("A man wears a shoes.", "A man in red.", "A man passes a hat.", "Man and a hat."):
        assert not is_sentence(wrong)
    assert not is_visual("hair -> and")
    assert is_visual("coat <-> black shoes")


def test_negatives_are_untrue_sentences_about_what_is_seen(
    drawn: tuple[list[str], list[Person]], tiny: EncoderFiller
) -> None:
    """Of each tier nearly all say what is not so of the person who was drawn."""
    captions, persons = drawn
    found = mine(captions, "lexicon", 0, tiny)
    for tier, most_lacking in zip(TIERS, (0.25, 0.0, 0.05), strict=True):
        of = of_tier(found, tier)
        assert len(of) >= (1 - most_lacking) * len(captions)
        assert sum(is_untrue(one.text, persons[one.caption]) for one in of) >= 0.98 * len(of)
        assert sum(is_sentence(one.text) for one in of) >= 0.98 * len(of)
        assert sum(is_visual(one.change) for one in of) >= 0.98 * len(of)


def test_negatives_come_by_caption_and_tier(mined: list[NegativeCaption]) -> None:
    """In the order of the captions, and of the tiers for each."""
    order = [(one.caption, TIERS.index(one.tier)) for one in mined]
    assert order == sorted(set(order))


def test_two_nouns_change_places(captions: list[str], mined: list[NegativeCaption]) -> None:
    """The words stay the same but for articles, and the change names the two."""
    for negative in of_tier(mined, TIERS[0]):
        caption = captions[negative.caption]
        words, others = (Counter(WORD.findall(t.lower())) for t in (caption, negative.text))
        assert set(words - others) | set(others - words) <= {"a", "an"}
        one, other = negative.change.split(" <-> ")
        assert caption.lower().index(one.lower()) < caption.lower().rindex(other.lower())
        assert negative.text.lower().index(other.lower()) < negative.text.lower().rindex(
            one.lower()
        )


def test_a_verb_or_adjective_is_replaced_by_its_like(
    captions: list[str], mined: list[NegativeCaption]
) -> None:
    """One word, by another of the training captions: a colour by a colour, a form by its like."""
    said = {word.lower() for caption in captions for word in WORD.findall(caption)}
    pairs = set()
    for negative in of_tier(mined, TIERS[1]):
        [(_, word, other)] = changed(captions[negative.caption], negative.text)
        assert negative.change == f"{word} -> {other.lower()}"
        pairs.add((word.lower(), other.lower()))
    assert {other for _, other in pairs} <= said
    alike = [
        "red blue grey black dark-green", "long short", "wears carries holds pushes",
        "wearing carrying holding",
    ]  # fmt: skip
    kinds = [set(words.split()) for words in alike]
    assert all(any({*pair} <= kind for kind in kinds) for pair in pairs)
    assert all(any({*pair} <= kind for pair in pairs) for kind in kinds)


def test_a_key_word_is_filled_in(captions: list[str], mined: list[NegativeCaption]) -> None:
    """A noun or an adjective, by the filler's first word that is of its kind; no verb."""
    fillings = set()
    for negative in of_tier(mined, TIERS[2]):
        [(_, word, other)] = changed(captions[negative.caption], negative.text)
        assert negative.change == f"{word} -> {other.lower()}"
        fillings.add((word.lower(), other.lower()))
    assert {("coat", "boots"), ("red", "boots"), ("wears", "green")}.isdisjoint(fillings)
    assert {("t-shirt", "jacket"), ("backpack", "suitcase"), ("red", "green")} <= fillings
    assert {other for _, other in fillings} <= set(WORDS)


def test_substitutes_are_as_frequent_as_in_the_captions() -> None:
    """A word that is common among the training captions is a common substitute."""
    captions = [f"A blue {noun}, {n}." for noun in ("coat", "hat") for n in range(50)]
    captions += ["A red coat."] * 90 + ["A pink coat."] * 10
    found = Counter(one.change for one in mine(captions, "lexicon", 0))
    assert found["blue -> red"] > 3 * found["blue -> pink"] > 0


def test_the_golden_negatives_of_this_version() -> None:
    """What is cached under a version is what this version mines: else raise VERSION."""
    captions = [
        "A young man wears a red jacket and white shoes.",
        "The tall lady with long hair holds an orange bag, walking along.",
        "An old man, running, carries a blue backpack.",
    ]
    assert mining.VERSION == 2
    found = mine(captions, "lexicon", 7, Fixed("umbrella", "girl", "woman", "green", "handbag"))
    assert [(one.caption, one.text) for one in found] == [
        (0, "A young man wears red shoes and a white jacket."),
        (0, "A young man wears a red jacket and red shoes."),
        (0, "A young woman wears a red jacket and white shoes."),
        (1, "The tall lady with long hair holds a blue bag, walking along."),
        (1, "The tall lady with long hair holds a green bag, walking along."),
        (2, "An old man, running, carries an orange backpack."),
        (2, "An old man, running, carries a green backpack."),
    ]


# Words.


@pytest.mark.parametrize(
    "candidates",
    [
        ["coat", "vest"],
        ["Coat", "coats", "COATS", "vest"],
        ["", " ", "!", "3", "c0at", "-", "two words", "-ing", "ing-", "'s", "_", "a_b", "vest"],
        ["vest", "dress"],
        ["jacket", "top", "vests", "shoes", "red", "wears", "there", "vest"],
    ],
)
def test_the_first_other_word_is_taken(candidates: list[str]) -> None:
    """Neither what is no word, nor the word itself, nor what may be meant, nor another kind."""
    negative = only("He is in a coat, too.", TIERS[2], *candidates)
    assert negative == NegativeCaption(0, TIERS[2], "He is in a vest, too.", "coat -> vest")


def test_jeans_are_not_filled_in_for_trousers() -> None:
    """Nor are pants: what leaves the meaning leaves the caption true."""
    for one in ("jeans", "pants", "trousers"):
        negative = only(f"in {one}", TIERS[2], "jeans", "pants", "trousers", "slacks", "shorts")
        assert negative is not None
        assert negative.text == "in shorts"


def test_another_gap_is_tried() -> None:
    """Where no candidate fits one key word, another is masked; where none fits any, none is."""
    for seed in range(8):
        negative = only("He has a coat and a cap.", TIERS[2], "cap", "beanie", seed=seed)
        assert negative is not None
        assert negative.text == "He has a coat and a beanie."
    assert only("He has a coat.", TIERS[2], "coats") is None
    assert only("He has a coat.", TIERS[2]) is None


@pytest.mark.parametrize("text", ["red", "T-shirt", "o'clock", "o\u2019clock", "naïve", "أحمر"])
def test_words_are_letters_with_hyphens_and_apostrophes(text: str) -> None:
    """Of any script; a digit or a space makes another thing of them."""
    assert is_word(text)
    assert not any(map(is_word, [f"{text}1", f"{text} ", f"-{text}", f"{text}-", f"{text}\n"]))


def test_capitals_belong_to_places() -> None:
    """A sentence begins with a capital whatever begins it."""
    negative = only("Caps are red. Shoes are black.", TIERS[0])
    assert negative is not None
    assert negative.text == "Shoes are red. Caps are black."
    filled = {only("Men with hair.", TIERS[2], "women", seed=seed) for seed in range(9)}
    assert {one.text for one in filled if one} == {"Women with hair."}


def test_a_caption_may_lack_tiers() -> None:
    """Nouns of one kind, captions without nouns, words without another: no negative of that."""
    assert only("A red shirt, a blue Shirt and two shirts.", TIERS[0]) is None
    assert only("He walks.", TIERS[0]) is None
    assert only("A red coat, a red hat.", TIERS[1]) is None
    assert only("A grey coat, a gray hat.", TIERS[1]) is None
    assert only("He is what he was.", TIERS[1]) is None
    assert only("He walks.", TIERS[2], "coat") is None
    found = mine(["A red hat.", "He runs. He walks."], "lexicon", 0)
    assert [(one.caption, one.tier) for one in found] == [(1, TIERS[1])]
    assert mine([], "lexicon", 0, Fixed("coat")) == []


def test_what_changes_nothing_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However different the words, a text that equals its caption is no negative."""
    caption = "A red hat and a blue coat."
    same, other = Change((Edit(2, 5, "RED"),), "same"), Change((Edit(2, 5, "pink"),), "other")
    for changes, expected in (([same, other], ["A pink hat and a blue coat."]), ([same], [])):
        monkeypatch.setattr(mining, "swaps", lambda *given, found=changes: iter(found))
        found = of_tier(mine([caption], "lexicon", 0), TIERS[0])
        assert [one.text for one in found] == expected


# What it depends on.


def test_a_seed_repeats_its_negatives(captions: list[str], mined: list[NegativeCaption]) -> None:
    """The same seed mines the same; another one mostly others, in every tier."""
    filler = Fixed(*WORDS)
    assert mine(captions, "lexicon", 0, filler) == mined
    others = mine(captions, "lexicon", 1, filler)
    for tier in TIERS:
        found = of_tier(mined, tier)
        assert len({*found} & {*of_tier(others, tier)}) < 0.8 * len(found)


def test_the_place_of_a_caption_does_not_matter(
    captions: list[str], mined: list[NegativeCaption]
) -> None:
    """Captions in another order have the same negatives."""
    order = list(range(len(captions)))
    random.Random(3).shuffle(order)
    shuffled = mine([captions[n] for n in order], "lexicon", 0, Fixed(*WORDS))
    expected = {(captions[one.caption], one.tier, one.text, one.change) for one in mined}
    assert {(captions[order[n]], *rest) for n, *rest in shuffled} == expected


@pytest.mark.parametrize("caption", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_survived(caption: str) -> None:
    """Negatives of a hostile caption, if any, change its words and nothing between them."""
    sources = [caption, "A blue coat and a red hat."]
    found = mine(sources, "lexicon", 0, Fixed("x|y", "vest"))
    for negative in found:
        source = sources[negative.caption]
        assert negative.text.casefold().split() != source.casefold().split()
        assert 1 <= len(changed(source, negative.text)) <= 2
    assert {one.tier for one in found if one.caption == 1} == set(TIERS)


def test_what_is_lacking_is_logged(caplog: pytest.LogCaptureFixture, folder: Path) -> None:
    """One line tells for each tier how many captions lack it, mined or read."""
    captions = ["", "He walks.", "A coat.", "A red coat, a blue hat.", "A blue coat, a red hat."]
    expected = "text negatives of 5 captions: 3 without swapped nouns, 3 without replaced word"
    caplog.set_level(logging.INFO, mining.__name__)
    mine(captions, "lexicon", 0)
    mine(captions, "lexicon", 0, Fixed("vest"))
    for _ in range(2):
        mine_once(captions, "lexicon", 0)
    filled = f"{expected}, 2 without filled word"
    assert caplog.messages == [expected, filled, expected, expected]


def test_progress_is_reported() -> None:
    """With captions done and in all; the filler is asked for many at once."""
    told: list[str] = []
    filler = Fixed("vest")
    many = [f"A coat {number}." for number in range(mining.CHUNK + 5)]
    mine(many, "lexicon", 0, filler, told.append)
    assert told == [
        f"tagging {mining.CHUNK + 5} captions",
        f"filling gaps in captions: {mining.CHUNK} of {mining.CHUNK + 5}",
        f"filling gaps in captions: {mining.CHUNK + 5} of {mining.CHUNK + 5}",
    ]
    assert [len(gaps) for gaps in filler.asked] == [mining.CHUNK, 5]


# The cache.

FEW = ["A man in a red coat.", "A woman in a blue hat holds a bag.", ""]


def test_what_was_mined_is_read(folder: Path) -> None:
    """The second time no gap is filled, and the same comes back."""
    filler = Fixed("vest")
    first = mine_once(FEW, "lexicon", 0, filler)
    asked = len(filler.asked)
    assert first == mine(FEW, "lexicon", 0, Fixed("vest"))
    assert mine_once(FEW, "lexicon", 0, filler) == first
    assert len(filler.asked) == asked > 0
    assert [file.suffix for file in folder.iterdir() if file.suffix != ".lock"] == [".parquet"]


def test_captions_without_any_negative_are_read_too(folder: Path) -> None:
    """An empty list is a result."""
    assert mine_once(["", "?"], "lexicon", 0) == []
    written = [file.stat().st_mtime_ns for file in folder.glob("*.parquet")]
    assert mine_once(["", "?"], "lexicon", 0) == []
    assert [file.stat().st_mtime_ns for file in folder.glob("*.parquet")] == written != []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(file.read_bytes()[:200]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"PAR1" + bytes(64) + b"PAR1"),
        lambda file: write_table(file, {"caption": [0], "text": ["A man."]}),
    ],
    ids=["truncated", "empty", "zeros", "other columns"],
)
def test_a_spoilt_file_is_made_again(folder: Path, spoil: Callable[[Path], object]) -> None:
    """A file that cannot be read costs time, no more."""
    first = mine_once(FEW, "lexicon", 0)
    [file] = folder.glob("*.parquet")
    spoil(file)
    assert mine_once(FEW, "lexicon", 0) == first
    assert [NegativeCaption(**row) for row in read_table(file)] == first


def test_whatever_changes_negatives_makes_another_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captions, their order, the tagger, the seed, the filler by its name, and the version."""
    monkeypatch.setattr(phrases, "TAGGERS", {**phrases.TAGGERS, "other": phrases._lexicon})
    mine_once(FEW, "lexicon", 0)
    mine_once([*FEW, "A man."], "lexicon", 0)
    mine_once(FEW[::-1], "lexicon", 0)
    mine_once(FEW, "other", 0)
    mine_once(FEW, "lexicon", 1)
    mine_once(FEW, "lexicon", 0, Fixed("vest"))
    mine_once(FEW, "lexicon", 0, Fixed("vest", name="another"))
    monkeypatch.setattr(mining, "VERSION", -1)
    mine_once(FEW, "lexicon", 0)
    assert len(list(folder.glob("*.parquet"))) == 8


def test_without_a_name_the_best_tagger_is_meant(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is here decides which file is read."""
    monkeypatch.setattr(mining, "best_tagger", lambda: "lexicon")
    assert mine_once(FEW, None, 0) == mine_once(FEW, "lexicon", 0)
    assert len(list(folder.glob("*.parquet"))) == 1


PROCESS = """
import sys, time
from pathlib import Path
from methods.blocks.text_negatives import mine_once

class Slow:
    name = "slow"
    def fill(self, gaps):
        with open("filled", "a") as file:
            file.write(f"{sys.argv[1]}\\n")  # once a gap that is tried
        time.sleep(1)
        return [["vest"] for _ in gaps]

Path(f"ready-{sys.argv[1]}").touch()
while len(list(Path().glob("ready-*"))) < 2:
    time.sleep(0.01)
print(mine_once(["A man in a red coat."], "lexicon", 0, Slow()))
"""


@pytest.mark.exhaustive  # as two processes of test_digest.py, with all that a method imports
def test_two_processes_mine_once(folder: Path) -> None:
    """The one waits while the other fills the cache; both have the same."""
    work = folder.parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(number)],
            cwd=work,
            env=os.environ | {"HARNESS_CACHE": str(work)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] != "[]\n"
    assert len(set((work / "filled").read_text().split())) == 1


# Fillers.

GAPS = [
    ("The woman has long black ", "."),
    ("a man in a blue ", ", jeans and white shoes"),
    ("", " man"),
    ("red " * 3000, " " + "shirt " * 3000),
    ("[mask] <mask> [pad] <pad> ", " [end] </s>"),
    ("رجل 🎒", "👟\n\x00"),
]


@pytest.fixture(scope="module")
def tiny() -> EncoderFiller:
    """Return the shipped encoder's filler."""
    return EncoderFiller(load_tiny("tiny-clip", IMAGE_SIZE).train(), load_tokenizer(WEIGHTS))


@pytest.fixture(scope="module")
def roberta(captions: list[str], tmp_path_factory: pytest.TempPathFactory) -> RobertaFiller:
    """Return the filler of a small RoBERTa with random weights and pieces of its own."""
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        captions, vocab_size=400, special_tokens=special, show_progress=False
    )
    tokenizer.save_model(str(folder))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=48,
        initializer_range=0.5,
    )
    RobertaForMaskedLM(config).save_pretrained(folder)
    return RobertaFiller(str(folder))


@pytest.fixture(params=["tiny", "roberta"])
def filler(request: pytest.FixtureRequest) -> EncoderFiller | RobertaFiller:
    """Return one filler after the other."""
    found: EncoderFiller | RobertaFiller = request.getfixturevalue(request.param)
    return found


def test_fillers_answer_with_whole_words(filler: EncoderFiller | RobertaFiller) -> None:
    """As many different ones for each gap, however long or odd the text around it."""
    for words in filler.fill(GAPS):
        assert len(words) == len(set(words)) == CANDIDATES
        assert all(is_word(word) and len(word) > 1 for word in words)
    assert filler.fill([]) == []


def test_fillers_answer_a_gap_the_same_in_any_batch(
    filler: EncoderFiller | RobertaFiller, captions: list[str]
) -> None:
    """Alone or between longer texts; in the order of the gaps."""
    gaps = [(caption[:9], caption[9:]) for caption in captions[:70]] + GAPS
    together = filler.fill(gaps)
    for number in (0, 69, *range(70, 76)):
        assert filler.fill([gaps[number]]) == [together[number]]
    assert len({tuple(words) for words in together}) > 30


def test_fillers_read_what_is_near(filler: EncoderFiller | RobertaFiller) -> None:
    """On both sides of the gap; what is far away in a long text is cut."""
    far, near = "red " * 900, "a blue coat and white shoes "
    [first, other_end, other_start, other_side] = filler.fill(
        [
            (f"{far}{near * 9}", f" {near * 9}{far}"),
            (f"{far}{near * 9}", f" {near * 9}"),
            (f"{near * 9}", f" {near * 9}{far}"),
            (f"{far}{near * 9}", f" hair {near * 9}{far}"),
        ]
    )
    assert first == other_end == other_start
    assert first != other_side


def test_one_mask_stands_for_the_word(tiny: EncoderFiller, roberta: RobertaFiller) -> None:
    """All other pieces are those of the caption; a mask that a caption spells is none."""
    before, after = "A man in a blue ", ", red shoes"
    pieces = tiny._tokenizer.encode(f"{before}coat{after}")
    place = pieces.tokens.index("\u0120coat")
    mask = tiny._encoder.vocabulary.mask
    assert tiny.mask(before, after) == (
        [*pieces.ids[:place], mask, *pieces.ids[place + 1 :]],
        place,
    )
    ids, place = roberta.mask("A <mask> man in a ", " <mask>")
    number = roberta._tokenizer.mask_token_id
    assert [index for index, piece in enumerate(ids) if piece == number] == [place]


def test_a_filler_mines(filler: EncoderFiller | RobertaFiller, captions: list[str]) -> None:
    """Nearly every caption gets a negative with one of the filler's words."""
    found = of_tier(mine(captions[:100], "lexicon", 0, filler), TIERS[2])
    assert len(found) > 70
    assert len({one.change.split(" -> ")[1] for one in found}) > 10


def test_the_tiny_encoder_has_learnt_words(tiny: EncoderFiller) -> None:
    """Hair is what is long and black; garments are blue."""
    hair, garments = tiny.fill(GAPS[:2])
    assert not tiny._encoder.training
    assert hair[0] == "hair"
    assert {"shirt", "jacket"} & set(garments[:3])


def test_a_filler_is_named_for_its_weights(tiny: EncoderFiller) -> None:
    """Other weights fill other words: what was mined with the former is not read."""
    encoder = load_tiny("tiny-clip", IMAGE_SIZE)
    assert EncoderFiller(encoder, load_tokenizer(WEIGHTS)).name == tiny.name
    with torch.no_grad():
        next(encoder.parameters()).add_(1e-3)
    assert EncoderFiller(encoder, load_tokenizer(WEIGHTS)).name != tiny.name


def test_roberta_s_words_are_those_of_its_own_logits(roberta: RobertaFiller) -> None:
    """The head at the mask alone gives what the whole model gives for the whole text."""
    model, tokenizer = roberta._model, roberta._tokenizer
    ids = tokenizer("A man in a<mask>, yes and", return_tensors="pt")
    [place] = (ids["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0]
    with torch.no_grad():
        order = model(**ids).logits[0, place].argsort(descending=True)
    pieces = [tokenizer.convert_ids_to_tokens(int(number)) for number in order]
    words = [piece[1:] for piece in pieces if re.fullmatch(r"Ġ[A-Za-z][A-Za-z]+", piece)]
    assert roberta.fill([("A man in a ", ", yes and")]) == [words[:CANDIDATES]]
    assert not model.training


def test_roberta_is_loaded_when_it_first_fills() -> None:
    """Negatives that are in the cache need no model; its name and revision stand for it."""
    filler = RobertaFiller("no/such-model", "v2")
    assert filler.name == "no/such-model v2"
    assert RobertaFiller().name == "FacebookAI/roberta-base main"


def test_pieces_must_show_where_words_begin(
    tiny: EncoderFiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model with other pieces than byte-level ones is refused, and named."""
    filler = EncoderFiller(tiny._encoder, tiny._tokenizer)
    monkeypatch.setattr(filler, "pieces", lambda: {"red": 5, "##s": 6})
    with pytest.raises(ValueError, match=r"tiny-clip .* no word pieces that begin with a space"):
        filler.fill(GAPS[:1])
