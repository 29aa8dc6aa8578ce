"""What the arguments of a command name: methods, and variants of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import registry
from harness.errors import HarnessError, unknown
from harness.registry.scales import at_scale, has_scale


@dataclass(frozen=True)
class Choice:
    """A method with the labels of the variants to run."""

    listing: registry.Listing
    variants: tuple[str, ...]
    evaluations: tuple[str, ...] = ()  # re-rankings of the method as published


def choose(
    names: Sequence[str], listings: Sequence[registry.Listing], scale: str, ablations: bool
) -> list[Choice]:
    """Return what `method` and `method:variant` arguments name.

    No names: every method that has a recipe for the scale.

    Raises:
        HarnessError: a method or a variant does not exist, or the method fails to import.
    """
    if not names:
        usable = [
            item for item in listings if item.description and has_scale(item.description, scale)
        ]
        return [_choice(listing, None, scale, ablations) for listing in usable]
    choices = []
    for name in names:
        method, _, variant = name.partition(":")
        listing = registry.find_method(method, listings)
        if listing.error:
            raise HarnessError(
                f"Method {method!r} cannot be used: {listing.error['kind']}: "
                f"{listing.error['message']} (in {listing.plugin.module.path})"
            )
        choices.append(_choice(listing, variant or None, scale, ablations))
    return choices


def _choice(listing: registry.Listing, variant: str | None, scale: str, ablations: bool) -> Choice:
    labels = _labels(listing, variant, scale, ablations)
    assert listing.description is not None
    return Choice(listing, labels, tuple(listing.description["evaluations"]) if ablations else ())


def _labels(
    listing: registry.Listing, variant: str | None, scale: str, ablations: bool
) -> tuple[str, ...]:
    assert listing.description is not None
    labels = variants_at(listing.description, scale)
    if variant is None:
        return tuple(labels) if ablations else (labels[0],)
    if variant not in labels:
        raise _no_variant(listing.description, variant, scale)
    return (variant,)


def _no_variant(description: Mapping[str, Any], variant: str, scale: str) -> HarnessError:
    scales = [name for name in description["scales"] if variant in variants_at(description, name)]
    if not scales:
        return unknown(
            f"variant of {description['name']}", variant, variants_at(description, scale)
        )
    return HarnessError(
        f"{description['name']}:{variant} is a variant at scale {' and '.join(scales)} alone; the "
        f"suite has scale {scale}."
    )


def variants_at(description: Mapping[str, Any], scale: str) -> list[str]:
    """Return the labels of a method's variants that a scale has, as published first."""
    published, *rows = description["variants"]
    tables = at_scale(description, scale)["tables"]
    here = [row["label"] for row in rows if any(table in tables for table, *_ in row["tables"])]
    return [published["label"], *here]
