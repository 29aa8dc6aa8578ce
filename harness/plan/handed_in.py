"""What a row is known by that rests on files of others: their content, and what scores them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.plan.keys import Code, Name, Settings, hash_content, hash_harness
from harness.plan.spec import PROTOCOL_VERSION
from harness.results.handed_in import HandedIn

SCORES_HANDED: tuple[Name, ...] = (
    ("harness.handed_in.matching", "match"),
    ("harness.handed_in.scoring", "score"),
    ("harness.handed_in.trec", "score_run"),
)


@dataclass(frozen=True)
class Encoder:
    """A method whose encoders read weights that were trained elsewhere."""

    code: Code
    config: Settings


def make_handed_key(
    handed: HandedIn, fingerprint: str, seed: int, encoder: Encoder | None = None
) -> str:
    """Return the key of a row on a dataset of a content: equal keys, equal results.

    Args:
        encoder: of weights, what encodes with them.
    """
    encodes = encoder and [encoder.code.figures, hash_content(encoder.config)]
    return hash_content(
        {
            "code": hash_harness(SCORES_HANDED),
            "protocol": PROTOCOL_VERSION,
            "what": handed.what,
            "files": [file.sha256 for file in handed.files],
            "similarity": handed.similarity,
            "order": handed.matched,
            "encoder": encodes,
            "seeded": handed.seeded,
            "data": fingerprint,
            "seed": seed,
        }
    )
