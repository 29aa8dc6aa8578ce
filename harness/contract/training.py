"""Checks of how a method trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from harness.contract.broken import Broken
from harness.contract.case import EPOCHS
from harness.contract.subject import STEPS, Row, Subject, TrainingFailed
from harness.contract.supervision import refuse_hidden_people
from harness.data.schema import Split
from harness.method import Supervision
from harness.training.checkpoints import load_state

SHOWN = 5  # names in a message
NOT_TRAINED = "not trained"


def trains(subject: Subject) -> str:
    """Two short epochs of each stage come to their end."""
    try:
        trained = subject.trained
    except TrainingFailed as failed:
        refuse_hidden_people(subject, lambda case: case.train(), failed.error)
        raise Broken(str(failed)) from failed.error
    stages = len(trained.case.recipe.stages)
    if not stages:
        return NOT_TRAINED
    told = f"{EPOCHS} epochs of {STEPS} steps" + (f" in each of {stages} stages" * (stages > 1))
    made_up = trained.case.method.config.companions
    return told + (f", with {', '.join(made_up)} made up" if made_up else "")


def can_be_loaded(subject: Subject) -> str:
    """A method that has just been built takes what training leaves."""
    state = subject.trained.after
    try:
        load_state(subject.case(seed=1).method, state)
    except RuntimeError as error:
        told = " ".join(str(error).split())
        raise Broken(f"its state after training does not fit one that is built: {told}") from error
    size = sum(value.numel() * value.element_size() for value in state.values())
    return f"{size / 1e6:.1f} MB"


def repeats(subject: Subject) -> str:
    """The same seed gives the same weights, before training and after."""
    one, two = subject.trained, subject.case()
    _refuse_differences("before training", one.before, two.method.state_dict())
    if not two.recipe.stages:
        return NOT_TRAINED
    _refuse_differences("after training", one.after, two.train())
    return "the same bits"


def goes_on(subject: Subject) -> str:
    """Stopped after any step and taken up from its checkpoint, training ends with the same bits."""
    straight = subject.trained.steps
    if not straight:
        return NOT_TRAINED
    for expected, step in zip(straight, subject.resume_everywhere(), strict=True):
        differing = [name for name in expected.state if expected.state[name] != step.state[name]]
        if differing:
            raise Broken(
                f"stopped after each step, {step} ends otherwise than without a stop: "
                f"{_listed(differing)}"
            )
    return f"the same bits, stopped after each of {len(straight)} steps"


def respects_its_supervision(subject: Subject) -> str:
    """With the training people permuted, only an IDENTITY method trains other weights."""
    other = subject.case(change=_permuted)
    if not other.recipe.stages:
        return NOT_TRAINED
    supervision = Supervision(other.method.config.supervision)
    first, second = subject.trained.after, other.train()
    same = all(torch.equal(first[key], second[key]) for key in first)
    if supervision is Supervision.IDENTITY and same:
        raise Broken("it declares IDENTITY, and other person ids change nothing")
    if supervision is not Supervision.IDENTITY and not same:
        raise Broken(f"it declares {supervision.name}, and other person ids change its weights")
    return supervision.value


def survives_a_save_and_load(subject: Subject) -> str:
    """A method built from another seed, with the weights loaded, gives the same embeddings."""
    one, two = subject.trained.case, subject.case(seed=1)
    load_state(two.method, one.method.state_dict())
    two.images, two.captions = one.images, one.captions
    for name, first, second in zip(
        ("images", "captions"), one.features(), two.features(), strict=True
    ):
        if not torch.equal(first, second):
            raise Broken(f"with its weights loaded, a new one encodes {name} otherwise")
    return "the same embeddings"


def gradients_reach_its_parameters(subject: Subject) -> str:
    """Training moves the weights; what stays as it was is named."""
    trained = subject.trained
    if not trained.case.recipe.stages:
        return NOT_TRAINED
    parameters = dict(trained.case.method.named_parameters())
    unmoved = [
        name
        for name, value in parameters.items()
        if value.requires_grad and torch.equal(value, trained.before[name])
    ]
    if len(unmoved) == len(parameters):
        raise Broken("no parameter changed in an epoch")
    return f"without one: {_listed(unmoved)}" if unmoved else f"all {len(parameters)}"


def rows_build_and_train(subject: Subject) -> str:
    """Every ablation row builds, and trains exactly the losses that it names."""
    wrong = []
    for number in range(len(subject.labels)):
        try:
            _refuse_row(subject, number)
        except Broken as broken:
            wrong.append(broken)
    if wrong:
        told = "; ".join(map(str, wrong[:SHOWN]))
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Broken(f"{told}{more}", wrong[0].advice) from wrong[0].__cause__
    return f"{len(subject.labels)} rows"


def _refuse_row(subject: Subject, number: int) -> None:
    """Refuse a row that does not build or train. Raises Broken."""
    label = subject.labels[number]
    try:
        row = subject.row(number)
    except Exception as error:
        try:
            refuse_hidden_people(subject, lambda case: case.train(epochs=1), error, number)
        except Broken as broken:
            raise Broken(f"row {label!r}: {broken}", broken.advice) from error
        raise Broken(
            f"row {label!r} does not build and train: {type(error).__name__}: {error}"
        ) from error
    if row.trained:
        _refuse_other_losses(label, row)


def _refuse_other_losses(label: str, row: Row) -> None:
    if row.trained != row.named:
        raise Broken(f"row {label!r} names {sorted(row.named)} and trains {sorted(row.trained)}")
    if row.not_finite:
        raise Broken(f"row {label!r} ends with NaN or infinity in {_listed(row.not_finite)}")


def _permuted(split: Split) -> Split:
    """Return images with the people of others."""
    shuffled = np.random.default_rng(0).permutation(split.person_of_image)
    return replace(split, person_of_image=shuffled)


def _refuse_differences(when: str, one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> None:
    differing = [name for name in one if not torch.equal(one[name], two[name])]
    if differing:
        raise Broken(f"{when}, these differ between two runs of one seed: {_listed(differing)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
