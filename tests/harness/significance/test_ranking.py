"""Ranks and groups that methods share until told apart, by hand and by brute force."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import chain, combinations, pairwise

import pytest

from harness.significance import Standing, rank_groups, undecided_groups

Pairs = Mapping[tuple[str, str], float]


def judged(means: Mapping[str, float], apart: set[str]) -> Pairs:
    """Return p-values of methods of one letter; 0.05 but for the pairs that are told apart."""
    pairs = dict.fromkeys(combinations(means, 2), 0.05)
    return pairs | {(pair[0], pair[1]): 0.0499 for pair in apart}


def ranked(means: Mapping[str, float], apart: set[str]) -> list[tuple[str, int, int]]:
    """Rank methods of one letter, of which the pairs in `apart` are told apart."""
    standings = rank_groups(means, judged(means, apart))
    return [(one.name, one.rank, one.last_rank) for one in standings]


def undecided(letters: str, apart: set[str]) -> list[str]:
    """Return the groups of methods of one letter, given from best to worst, as words."""
    means = {letter: 90.0 - place for place, letter in enumerate(letters)}
    found = ["".join(group) for group in undecided_groups(means, judged(means, apart))]
    backwards = dict(reversed(means.items()))
    assert ["".join(one) for one in undecided_groups(backwards, judged(means, apart))] == found
    return found


def test_ranks_by_hand() -> None:
    """All apart, none apart, and a clear winner before a tie get the ranks that they should."""
    means = {"C": 50.0, "A": 70.0, "B": 60.0}
    assert ranked(means, {"CA", "AB", "CB"}) == [("A", 1, 1), ("B", 2, 2), ("C", 3, 3)]
    assert ranked(means, set()) == [("A", 1, 3), ("B", 1, 3), ("C", 1, 3)]
    assert ranked(means, {"CA", "AB"}) == [("A", 1, 1), ("B", 2, 3), ("C", 2, 3)]
    assert rank_groups({"A": 70.0}, {}) == (Standing("A", 70.0, 1, 1),)


def test_ranks_where_ties_are_not_transitive() -> None:
    """With A above C and B apart from neither, B shares rank 1 with A, and may be last as C may."""
    means = {"A": 70.0, "B": 60.0, "C": 50.0}
    assert ranked(means, {"AC"}) == [("A", 1, 2), ("B", 1, 3), ("C", 2, 3)]


def test_a_better_method_ranks_before_a_worse() -> None:
    """With A above B and B above C, A is above C, even where their own p-value is too large."""
    means = {"A": 70.0, "B": 60.0, "C": 50.0}
    assert ranked(means, {"AB", "BC"}) == [("A", 1, 1), ("B", 2, 2), ("C", 3, 3)]


def test_exactly_the_level_is_not_better() -> None:
    """A corrected p-value of 0.05 tells nothing apart; what is below does; the level may be set."""
    means = {"A": 70.0, "B": 60.0}
    assert [one.rank for one in rank_groups(means, {("A", "B"): 0.05})] == [1, 1]
    assert [one.rank for one in rank_groups(means, {("B", "A"): 0.0499})] == [1, 2]
    assert [one.rank for one in rank_groups(means, {("A", "B"): 0.05}, level=0.1)] == [1, 2]
    assert undecided_groups(means, {("A", "B"): 0.05}) == (("A", "B"),)
    assert undecided_groups(means, {("A", "B"): 0.05}, level=0.1) == ()


def test_ranks_and_groups_need_every_pair() -> None:
    """A pair without a p-value is an error that names it."""
    for ask in (rank_groups, undecided_groups):
        with pytest.raises(ValueError, match="no p-value for 'A' and 'B'"):
            ask({"A": 2.0, "B": 1.0}, {})


def test_groups_by_hand() -> None:
    """All apart give no group, none apart one, and who is apart from all others is in none."""
    assert undecided("ABC", {"AB", "AC", "BC"}) == []
    assert undecided("ABC", set()) == ["ABC"]
    assert undecided("ABC", {"AB", "AC"}) == ["BC"]
    assert undecided("A", set()) == []


def test_groups_overlap() -> None:
    """With A apart from C alone, B is in a group with either."""
    assert undecided("ABC", {"AC"}) == ["AB", "BC"]
    assert undecided("ABCD", {"AC", "AD", "BD"}) == ["AB", "BC", "CD"]


def test_a_group_need_not_be_neighbours() -> None:
    """A method that is told apart from both may stand between two that are not."""
    assert undecided("ABC", {"AB"}) == ["AC", "BC"]
    assert undecided("ABCD", {"AB", "BD", "CD"}) == ["AC", "BC"]  # A is above D by way of B
    assert undecided("ABCDE", {"AB", "AD", "AE", "CD", "BE"}) == ["AC", "BC", "BD", "CE", "DE"]


def test_two_pairs_are_no_group_of_four() -> None:
    """Where {A, B}, {C, D} and B with C are undecided, each pair is a group of its own."""
    assert undecided("ABCD", {"AC", "AD", "BD"}) == ["AB", "BC", "CD"]
    assert undecided("ABCD", {"AC", "AD", "BC", "BD"}) == ["AB", "CD"]


def test_better_by_way_of_a_third_is_better() -> None:
    """With A above B and B above C, A and C are no group, whatever their own p-value."""
    assert undecided("ABC", {"AB", "BC"}) == []


def test_groups_stand_from_best_to_worst() -> None:
    """Groups are in the order of their best, then their second best methods, and so on."""
    apart = {"AB", "AD", "AE", "BC", "BE", "CD"}
    found = undecided("ABCDEF", apart)
    assert found == sorted(found)
    for letters, relations in random_relations(300):
        found = undecided(letters, relations)
        assert found == sorted(found)


def random_relations(count: int) -> Iterator[tuple[str, set[str]]]:
    """Yield so many sets of pairs that are told apart, of up to seven methods."""
    source = random.Random(0)
    for _ in range(count):
        letters = "ABCDEFG"[: source.randint(1, 7)]
        share = source.random()
        yield letters, {a + b for a, b in combinations(letters, 2) if source.random() < share}


def test_ranks_and_groups_agree_with_brute_force() -> None:
    """Over random relations: ranks count chains, and groups hold what is undecided alone.

    Every two methods that no chain of better ones joins are in a group together, every group is of
    such methods alone, and none could take one more.
    """
    for letters, apart in random_relations(600):
        chains = {
            members[0] + members[-1]
            for size in range(2, len(letters) + 1)
            for members in combinations(letters, size)
            if all(a + b in apart for a, b in pairwise(members))
        }
        means = {letter: 90.0 - place for place, letter in enumerate(letters)}
        for name, rank, last in ranked(means, apart):
            assert rank == 1 + sum(other + name in chains for other in letters)
            assert last == len(letters) - sum(name + other in chains for other in letters)

        cliques = [
            set(members)
            for size in range(2, len(letters) + 1)
            for members in combinations(letters, size)
            if all(a + b not in chains for a, b in combinations(members, 2))
        ]
        largest = [one for one in cliques if not any(one < other for other in cliques)]
        groups = undecided(letters, apart)
        assert all(set(group) in largest for group in groups)
        assert len(set(groups)) == len(groups)
        together = set(chain.from_iterable(combinations(group, 2) for group in groups))
        wanted = {(a, b) for a, b in combinations(letters, 2) if a + b not in chains}
        assert together == wanted
