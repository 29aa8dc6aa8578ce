"""The audit of a selection: every epoch is scored on test too, apart from all that is ranked.

The epoch that is best there is found by the figure that selects on val: where a method re-scores,
with as many candidates as on val, so that the splits differ and nothing else. It is then evaluated
as the ranked epoch is.
"""

from __future__ import annotations

import shutil

from harness import evaluation
from harness.evaluation.write import write_evaluation
from harness.method import Method
from harness.progress import Update
from harness.results import (
    LAST_EVALUATION,
    PRIMARY_EVALUATION,
    SELECTION_AUDIT,
    TEST_EVALUATION,
    TEST_SELECTED,
)
from harness.results.audit import best_on_test
from harness.run.evaluate import encode_test, load_weights
from harness.run.open_run import OpenRun
from harness.run.train import figures_on, say_dropped, write_history
from harness.training import TrainingResult
from harness.training.checkpoints import is_whole


def figures_on_test(opened: OpenRun, method: Method, epoch: int) -> dict[str, float]:
    """Return the metrics of an epoch on test, and say that they are being made."""
    opened.say(Update(f"epoch {epoch} on test, for the audit"))
    return figures_on(opened, method, "test")


def evaluate_audited(opened: OpenRun, trained: TrainingResult) -> int | None:
    """Evaluate the epoch that is best on test, and write what test says of all epochs.

    Called where the run's own evaluations are written and the method has the weights that val
    selected, which it is left with. Returns the epoch; None without an audit, or where its weights
    were lost.
    """
    epoch = best_on_test(trained.audit)
    if epoch is None or not _evaluate(opened, trained, epoch):
        (opened.work / SELECTION_AUDIT).unlink(missing_ok=True)
        return None
    write_history(opened.work / SELECTION_AUDIT, trained.audit)
    return epoch


def _evaluate(opened: OpenRun, trained: TrainingResult, epoch: int) -> bool:
    """Write the evaluation of an epoch, or copy it; tell whether its weights are there."""
    place = opened.evaluations / TEST_EVALUATION
    if evaluated := _find_evaluated(opened, trained, epoch):
        shutil.copytree(opened.evaluations / evaluated, place, dirs_exist_ok=True)
        return True
    if not is_whole(opened.weights / TEST_SELECTED):
        say_dropped("its weights are damaged or gone")
        return False
    load_weights(opened, TEST_SELECTED)
    test, features = opened.data.splits["test"], encode_test(opened)
    candidates = opened.recipe.candidates
    scores = evaluation.score_text_to_image(opened.method, features, test, candidates)
    write_evaluation(place, scores, test)
    load_weights(opened)
    return True


def _find_evaluated(opened: OpenRun, trained: TrainingResult, epoch: int) -> str:
    """Return the evaluation that the run has of the same epoch; "" where it has none."""
    if epoch == trained.selected_epoch:
        return PRIMARY_EVALUATION
    is_last = epoch == len(trained.history)
    return LAST_EVALUATION if is_last and trained.epoch == epoch else ""
