"""Values behind --set and in suites: what YAML 1.2 has, and nothing that is taken for another."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.values import read_list, read_values, write_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("0", 0), ("1.", 1.0), (".5", 0.5), ("2e-3", 0.002), ("1E5", 1e5),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("[1, 2]", [1, 2]), ("{a: 1}", {"a": 1}), ("constant", "constant"), ("'1'", "1"),
    ],
)  # fmt: skip
def test_plain_values_are_read(text: str, value: Any) -> None:
    """With their types."""
    read = read_values(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    ["010", "1:30", "0x10", "0b1", "1_000", "yes", "no", "on", "off", "nan", "inf", "2024-01-01"],
)
def test_what_looks_like_a_value_of_another_kind_is_a_text(text: str) -> None:
    """So that a field of another type refuses it."""
    assert read_values(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1e400", "1e400 is too large"),
        ("{a: 1, a: 2}", "a stands twice"),
        ("[1", "expected"),
        ("!!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_means_nothing_is_refused(text: str, told: str) -> None:
    """In one line that says what it is."""
    with pytest.raises(ValueError, match=told) as refused:
        read_values(text)
    assert "\n" not in str(refused.value)


def values(letters: str) -> st.SearchStrategy[Any]:
    """Return values as settings may be, with words of some letters."""
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.none() | st.booleans() | numbers | st.text(letters, max_size=8),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
        max_leaves=8,
    )


@given(values("abcdefghijklmnop -:"))
def test_what_is_written_comes_back(value: Any) -> None:
    """Whatever YAML's writer makes of it."""
    assert read_values(yaml.safe_dump(value)) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-3,3e-4", [1e-3, 3e-4]), ("1", [1]), ("[96, 32], [64, 32]", [[96, 32], [64, 32]]),
        ("{itc: 1.0}", [{"itc": 1.0}]), ("cosine,'a,b'", ["cosine", "a,b"]), ("~,1", [None, 1]),
    ],
)  # fmt: skip
def test_lists_are_separated_by_commas(text: str, values: list[Any]) -> None:
    """But for those within brackets and quotes."""
    assert read_list(text) == values


@pytest.mark.parametrize("text", ["", " ", ",", "1,", "1,,2", ",1", "[1", "1],[2", "1, !!x 2"])
def test_a_list_that_lacks_a_value_is_refused(text: str) -> None:
    """None is guessed."""
    with pytest.raises(ValueError, match=r"."):
        read_list(text)


@given(values("abnull0123456789.-+eE~ :,#[]{}'\""))
def test_a_value_that_is_written_is_read_again(value: Any) -> None:
    """Behind --set and, as the only one, behind --grid."""
    written = write_value(value)
    assert read_values(written) == value
    assert read_list(written) == [value]
    kind = int if isinstance(value, float) and value.is_integer() else type(value)
    assert type(read_values(written)) in (kind, type(value))
