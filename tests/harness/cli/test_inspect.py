"""`harness inspect negatives`, in a process of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]

MINING = """
    def negative_captions(self, train, run):
        from harness.method import NegativeCaption

        run.tell("mining")
        draw = run.generator("negatives")
        number = int(torch.randint(1000, (), generator=draw)) + int(torch.randint(1000, ()))
        return [
            NegativeCaption(row, "shouted", f"{text.upper()} {number}", "[b]a[/b] -> A")
            for row, text in enumerate(train.captions)
        ]

    def prepare(self, train, run):
        import json, pathlib

        rows = [(train.captions[n.caption], n.text) for n in self.negative_captions(train, run)]
        pathlib.Path("trained.json").write_text(json.dumps(rows))
"""


def test_what_is_shown_is_what_trains(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """The same captions, changed with the same draws, as in the run of that seed."""
    toy.write_text(toy_source + MINING, encoding="utf-8")
    where = "--plugins", toy, "--dataset", small_dolls
    done = harness("run", "toy", *where, "--seeds", "1", "--no-report")
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.rglob("trained.json")
    trained = json.loads(file.read_text())
    shown = harness("inspect", "negatives", "toy", *where, "--seed", "1", "--json")
    assert shown.returncode == 0, shown.stderr
    assert [[row["source"], row["text"]] for row in json.loads(shown.stdout)] == trained


def test_the_sources_the_tiers_and_the_changes_are_shown(harness: Call, small_dolls: Path) -> None:
    """As many captions as asked for, with the counts of all; `--find` looks in both."""
    call = "inspect", "negatives", "mefa", "--dataset", small_dolls
    rows = json.loads(harness(*call, "--json").stdout)
    assert {row["tier"] for row in rows} == {"swapped nouns", "replaced word", "filled word"}
    assert all(row["source"] != row["text"] for row in rows)
    first = [row for row in rows if row["caption"] == rows[0]["caption"]]
    shown = harness(*call, "--limit", "1")
    words = " ".join(shown.stdout.split())
    assert words.startswith(first[0]["source"])
    assert words.endswith(f"{first[-1]['tier']} {first[-1]['change']}")
    assert f"{len({row['caption'] for row in rows})} with" in shown.stderr
    change = first[0]["change"]
    found = json.loads(harness(*call, "--json", "--find", change.upper()).stdout)
    assert found == [row for row in rows if change in row["change"] or change in row["source"]]


def test_markup_in_a_change_is_letters(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str
) -> None:
    """A plugin's square brackets are printed as they are."""
    toy.write_text(toy_source + MINING, encoding="utf-8")
    where = "--plugins", toy, "--dataset", small_dolls
    shown = harness("inspect", "negatives", "toy", *where, "--limit", "1")
    assert "shouted  [b]a[/b] -> A" in shown.stdout


def test_a_method_without_negatives_is_told(harness: Call, small_dolls: Path) -> None:
    """One line, no table, an exit status for scripts."""
    done = harness("inspect", "negatives", "clip", "--dataset", small_dolls)
    assert done.returncode == 2
    assert "clip makes no negative captions" in done.stderr
