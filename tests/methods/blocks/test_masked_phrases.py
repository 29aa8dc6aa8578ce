import torch

from methods.blocks.masked_phrases import mask_phrases, parse_phrases, phrase_spans
from methods.blocks.phrases import Word
from methods.blocks.tiny import WEIGHTS, TinyClip, load_tokenizer

WORDS = [Word(text, kind, 0, 0) for text, kind in (
    ("a", "DT"), ("red", "JJ"), ("coat", "NN"), ("on", "IN"), ("men", "NNS"),
)]  # fmt: skip


def spell(text: str) -> list[int]:
    """Stand for a tokenizer whose pieces are letters."""
    return [ord(letter) for letter in text]


def test_parsing_keeps_words_apart() -> None:
    """Adjectives and nouns, word by word; a caption without a noun is one phrase."""
    assert parse_phrases(WORDS, spell, 99) == [[spell("red"), spell("coat")], [spell("men")]]
    assert parse_phrases(WORDS[:1] + WORDS[3:4], spell, 99) == [[spell("a"), spell("on")]]


def test_a_long_phrase_loses_its_last_words() -> None:
    """No more pieces than the text encoder reads; words are kept whole."""
    assert parse_phrases(WORDS, spell, 6) == [[spell("red")], [spell("men")]]


def test_what_has_no_pieces_is_no_word() -> None:
    """Punctuation that an encoder does not read is never masked, and cut from no phrase."""

    def unread(text: str) -> list[int]:
        return [] if text == "red" else spell(text)

    assert parse_phrases(WORDS, unread, 99) == [[spell("coat")], [spell("men")]]
    assert parse_phrases(WORDS[1:2] + WORDS[4:], unread, 99) == [[spell("men")]]


def test_spans_are_those_of_the_phrases() -> None:
    """Numbered in words, the end left out."""
    assert phrase_spans(WORDS) == [(1, 3), (4, 5)]
    assert phrase_spans(WORDS[:1]) == [(0, 1)]


def test_the_named_word_is_masked_with_all_its_pieces() -> None:
    """Beside start, end and padding, which never are."""
    vocabulary = TinyClip(load_tokenizer(WEIGHTS)).vocabulary
    phrases = [(2, [[50], [51, 52], [53]]), (0, [[54]])]
    found = mask_phrases(phrases, [1, 0], vocabulary, torch.device("cpu"))
    start, end, pad, mask = vocabulary.start, vocabulary.end, vocabulary.pad, vocabulary.mask
    assert found.ids.tolist() == [[start, 50, 51, 52, 53, end], [start, 54, end, pad, pad, pad]]
    assert found.masked.tolist() == [
        [start, 50, mask, mask, 53, end],
        [start, mask, end, pad, pad, pad],
    ]
    assert found.chosen.tolist() == [
        [False, False, True, True, False, False],
        [False, True, False, False, False, False],
    ]
    assert found.row.tolist() == [2, 0]
