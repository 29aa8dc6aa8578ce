"""The checks of `harness check`; the tests run them over the whole registry.

A check raises `Broken` with what it found, or returns what it measured, in words.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.contract.broken import Broken
from harness.contract.encoding import (
    does_not_depend_on_the_batch,
    encodes,
    encodes_twice_alike,
    is_precise,
    reads_nothing_else,
    scores_pairs_again,
    takes,
)
from harness.contract.subject import Subject
from harness.contract.training import (
    can_be_loaded,
    goes_on,
    gradients_reach_its_parameters,
    repeats,
    respects_its_supervision,
    rows_build_and_train,
    survives_a_save_and_load,
    trains,
)
from harness.results.paper import UNDISCLOSED

Run = Callable[[Subject], str]


class Verdict(StrEnum):
    """What became of a check."""

    OK = "ok"
    FAILS = "FAILS"
    SKIPPED = "skipped"  # what it hangs on fails


@dataclass(frozen=True)
class Check:
    """One promise of a method, and what to do where it is not kept."""

    title: str
    run: Run
    advice: str
    needs: tuple[Run, ...] = ()  # the checks without which this one would tell of their failure


@dataclass(frozen=True)
class Outcome:
    """What a check found."""

    check: Check
    verdict: Verdict
    told: str
    advice: str = ""
    traceback: str = ""


def tells_its_extra_data(subject: Subject) -> str:
    """Tell what it says it was trained on beside the benchmark, and where it says nothing."""
    told = subject.extra_data
    if told is None:
        return f"{UNDISCLOSED}: register(..., extra_data=ExtraData(...)) says it"
    return str(told)


CHECKS = (
    Check(
        "trains a step",
        trains,
        "`harness.method` tells what training_losses, prepare, begin_epoch and after_step are "
        "handed and return. Images, captions and the people of a stage with `data` are others than "
        "the run's own, and may be more: a head that is built for those does not fit them.",
        needs=(encodes,),
    ),
    Check(
        "encodes images and captions",
        encodes,
        "encode_images and encode_texts return (B, D) of one D, finite, as floating-point numbers.",
    ),
    Check(
        "encoding twice gives the same",
        encodes_twice_alike,
        "Nothing random belongs in evaluation mode: draw where self.training is true alone, and "
        "use nn.Dropout, which knows the mode.",
        needs=(encodes,),
    ),
    Check(
        "pixels and embeddings are precise",
        is_precise,
        "Images come as bytes, 0 to 255, and the encoders of methods.blocks normalise them.",
        needs=(trains,),
    ),
    Check(
        "an item does not depend on its batch",
        does_not_depend_on_the_batch,
        "Mask padding, and use no statistics of a batch in evaluation mode (BatchNorm has eval()).",
        needs=(encodes_twice_alike, is_precise),
    ),
    Check(
        "encoding reads nothing but its input",
        reads_nothing_else,
        "encode_images and encode_texts are functions of pixels, captions and weights: no labels "
        "and no other files.",
        needs=(does_not_depend_on_the_batch, survives_a_save_and_load),
    ),
    Check(
        "its state can be loaded",
        can_be_loaded,
        "Register each parameter and buffer in __init__: a checkpoint is loaded into a method that "
        "has just been built. A buffer may be None there, or change its size; a parameter may not.",
        needs=(trains,),
    ),
    Check(
        "the same seed gives the same bits",
        repeats,
        "Draw from run.generator(purpose) or torch's global generator, never from time or a set's "
        "order; a generator of NumPy's or Python's own has to be seeded from run.generator.",
        needs=(trains, encodes_twice_alike),
    ),
    Check(
        "survives a save and load",
        survives_a_save_and_load,
        "What encoding needs is a parameter or a registered buffer, not set in prepare alone.",
        needs=(can_be_loaded, encodes_twice_alike),
    ),
    Check(
        "goes on where it was stopped",
        goes_on,
        "What a step leaves for later steps is a registered buffer: attributes, and what "
        "begin_epoch sets outside of buffers, are gone when a run goes on.",
        needs=(repeats, survives_a_save_and_load),
    ),
    Check(
        "its supervision is what it says",
        respects_its_supervision,
        "Declare Supervision.IDENTITY in the config where person ids are used; read them from the "
        "batch alone.",
        needs=(repeats, can_be_loaded),
    ),
    Check(
        "gradients reach its parameters",
        gradients_reach_its_parameters,
        "A loss that is named in config.losses has to depend on the parameters; mind detach().",
        needs=(can_be_loaded,),
    ),
    Check(
        "ablation rows build and train",
        rows_build_and_train,
        "training_losses returns exactly the names of run.losses, as "
        "methods.blocks.objective.weighted does.",
        needs=(trains,),
    ),
    Check(
        "re-scores pairs",
        scores_pairs_again,
        "rescore returns (P,) finite scores, and the encoders return Encoded with tokens.",
        needs=(encodes,),
    ),
    Check("tells its extra training data", tells_its_extra_data, ""),
    Check("what it costs", takes, "", needs=(trains,)),
)


def examine(subject: Subject, checks: Sequence[Check] = CHECKS) -> Iterator[Outcome]:
    """Yield what each check finds, in their order; what a check needs is tried before it."""
    by_run = {check.run: check for check in checks}
    found: dict[Run, Outcome] = {}

    def find(run: Run) -> Outcome:
        if run not in found:
            check = by_run[run]
            missing = [one for one in map(find, check.needs) if one.verdict is not Verdict.OK]
            found[run] = _skip(check, missing) if missing else _try(check, subject)
        return found[run]

    for check in checks:
        yield find(check.run)


def _skip(check: Check, missing: Sequence[Outcome]) -> Outcome:
    first = missing[0].check.title
    return Outcome(check, Verdict.SKIPPED, f"until this holds: {first}")


def _try(check: Check, subject: Subject) -> Outcome:
    """Run a check; whatever the method raises is a failure of it."""
    try:
        return Outcome(check, Verdict.OK, check.run(subject))
    except Broken as broken:
        cause = broken.__cause__
        raised = "".join(traceback.format_exception(cause)) if cause else ""
        return Outcome(check, Verdict.FAILS, str(broken), broken.advice or check.advice, raised)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return Outcome(check, Verdict.FAILS, told, check.advice, traceback.format_exc())
