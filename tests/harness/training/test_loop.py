import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.data.schema import Split, TrainView
from harness.method import Batch, Config, Method, Recipe, Run, Stage, Supervision
from harness.results import SELECTED, TEST_SELECTED
from harness.results.audit import best_on_test
from harness.training import NonFiniteLoss, TrainingResult, Watchers, train
from harness.training.checkpoints import LAST, load_state, write_checkpoint

COUNT = 40
CPU = torch.device("cpu")


class Regression(Method):
    """Draws noise, has a buffer that only `after_step` moves, and notes what it is asked."""

    def __init__(self, supervision: Supervision = Supervision.PAIRS) -> None:
        super().__init__(Config(supervision, losses={"fit": 1.0, "noise": 0.1}), None)  # type: ignore[arg-type]  # a summary is not needed
        self.layer = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("steps", torch.zeros(()))
        self.batches: list[Batch] = []
        self.seen_losses: list[dict[str, float]] = []

    def encode_images(self, images: Tensor) -> Tensor:
        return self.layer(images.float().mean((2, 3)))  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Any) -> Tensor:
        return torch.ones(len(captions), 1)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        self.batches.append(batch)
        self.seen_losses.append(dict(run.losses))
        fit = self.dropout(self.encode_images(batch.images)).square().mean()
        noise = torch.rand(1, generator=run.generator("noise")) * self.layer.weight.sum()
        terms = {"fit": fit, "noise": noise[0]}
        return {name: weight * terms[name] for name, weight in run.losses.items()}

    def after_step(self, batch: Batch, run: Run) -> None:
        self.steps += 1


def view(supervision: Supervision = Supervision.PAIRS) -> TrainView:
    """Return 40 grey images, one caption each, ten people."""
    rows = np.arange(COUNT)
    split = Split(
        "train", lambda row: b"", tuple(map(str, rows)), tuple(map(str, rows)), rows, rows // 4
    )
    images = torch.arange(COUNT, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 2)
    return TrainView(split, lambda rows: images[rows], supervision, seed=0)


def recipe(*stages: Stage) -> Recipe:
    """Return a recipe of two epochs of four steps, or of the stages given."""
    return Recipe("", (4, 2), stages or (Stage(epochs=2, learning_rate=0.01, batch_size=10),))


def run(
    folder: Path, method: Method | None = None, stages: Recipe | None = None, **watch: Any
) -> TrainingResult:
    """Train from fixed weights."""
    torch.manual_seed(0)
    method = method or Regression()
    supervision = method.config.supervision
    return train(method, view(supervision), stages or recipe(), 0, CPU, folder, Watchers(**watch))


def weights(folder: Path) -> dict[str, Tensor]:
    """Return the last weights."""
    return dict(torch.load(folder / LAST, weights_only=True)["method"])


def test_an_epoch_passes_over_every_caption_once(tmp_path: Path) -> None:
    """Each epoch shows all captions, in an order of its own."""
    method = Regression()
    run(tmp_path, method)
    first = torch.cat([batch.caption_index for batch in method.batches[:4]])
    second = torch.cat([batch.caption_index for batch in method.batches[4:]])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(COUNT))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("supervision", [Supervision.PAIRS, Supervision.IDENTITY])
def test_only_an_identity_method_is_handed_people(tmp_path: Path, supervision: Supervision) -> None:
    """A batch carries person ids if and only if the supervision says so."""
    method = Regression(supervision)
    run(tmp_path, method)
    given = [batch.person_ids is not None for batch in method.batches]
    assert given == [supervision is Supervision.IDENTITY] * 8


def test_the_history_has_a_row_an_epoch(tmp_path: Path) -> None:
    """Losses by name add up to the total; val metrics and seconds stand beside them."""
    trained = run(tmp_path, validate=lambda method: {"r1": 1.0, "map": 2.0})
    assert [row["epoch"] for row in trained.history] == [1, 2]
    for row in trained.history:
        assert row["loss"] == pytest.approx(row["loss/fit"] + row["loss/noise"])
        assert (row["val_r1"], row["val_map"]) == (1.0, 2.0)
        assert row["seconds"] > 0


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    """Two trainings end with equal weights, dropout and drawn noise included."""
    run(tmp_path / "a")
    torch.rand(100)  # whatever was drawn before
    run(tmp_path / "b")
    first, second = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path, stop_after: int) -> None:
    """Killed after any epoch and started again, in either stage, it ends as if nothing had been."""
    stages = recipe(
        Stage(epochs=2, learning_rate=0.01, batch_size=10, warmup_epochs=1),
        Stage(epochs=2, learning_rate=0.02, batch_size=20, losses=("fit",)),
    )
    score = iter([1.0, 3.0, 2.0, 0.0] * 2)
    whole = run(tmp_path / "whole", stages=stages, validate=lambda m: {"r1": next(score), "map": 0})

    class Killed(BaseException):
        """Stands for kill -9: nothing handles it."""

    def die(progress: Any) -> None:
        if progress.epoch > stop_after:
            raise Killed

    scores = iter([1.0, 3.0, 2.0, 0.0])
    with pytest.raises(Killed):
        run(
            tmp_path / "killed", stages=stages, report=die,
            validate=lambda m: {"r1": next(scores), "map": 0},
        )  # fmt: skip
    scores = iter([1.0, 3.0, 2.0, 0.0][stop_after:])
    resumed = run(
        tmp_path / "killed", stages=stages, validate=lambda m: {"r1": next(scores), "map": 0}
    )
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed.selected_epoch == whole.selected_epoch == 2

    def without_time(trained: TrainingResult) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in trained.history]

    assert without_time(resumed) == without_time(whole)


def test_the_best_epoch_on_val_is_selected(tmp_path: Path) -> None:
    """The highest R1 wins, then mAP, then the earlier epoch; its weights are kept apart."""
    scores = iter([(5.0, 1.0), (7.0, 1.0), (7.0, 2.0), (7.0, 2.0)])
    moments: list[float] = []

    def validate(method: Method) -> dict[str, float]:
        moments.append(float(method.steps))  # type: ignore[arg-type]  # a buffer
        r1, mean_average_precision = next(scores)
        return {"r1": r1, "map": mean_average_precision}

    trained = run(
        tmp_path,
        stages=recipe(Stage(epochs=4, learning_rate=0.01, batch_size=10)),
        validate=validate,
    )
    assert trained.selected_epoch == 3
    selected = torch.load(tmp_path / SELECTED, weights_only=True)
    assert float(selected["steps"]) == moments[2]


def test_a_stage_spares_what_it_names_from_weight_decay(tmp_path: Path) -> None:
    """The bias ends elsewhere when it does not decay."""

    def bias(*undecayed: str) -> Tensor:
        stage = Stage(
            2, 0.01, batch_size=10, optimizer="adamw", weight_decay=5.0, undecayed=undecayed
        )
        folder = tmp_path / "-".join(("all", *undecayed))
        run(folder, stages=recipe(stage))
        return weights(folder)["layer.bias"]

    assert not torch.equal(bias(), bias("biases"))
    assert torch.equal(bias(), bias("norms"))


def test_a_stage_trains_the_losses_it_names(tmp_path: Path) -> None:
    """A loss outside the stage is off; its weight comes from the config."""
    method = Regression()
    stages = recipe(
        Stage(epochs=1, learning_rate=0.01, batch_size=40, losses=("fit",)),
        Stage(epochs=1, learning_rate=0.01, batch_size=40),
    )
    run(tmp_path, method, stages)
    assert method.seen_losses == [{"fit": 1.0}, {"fit": 1.0, "noise": 0.1}]


def test_a_stage_keeps_nothing_of_the_one_before(tmp_path: Path) -> None:
    """Of its optimiser neither the memory nor a part in scaling gradients back to be clipped."""
    made: list[weakref.ref[Any]] = []

    class Looking(Regression):
        """Notes the optimisers that there are."""

        def training_losses(self, batch: Batch, run: Any) -> dict[str, Tensor]:
            (prepared,) = run.accelerator._optimizers  # those that clipping goes through
            if not made or made[-1]() is not prepared:
                made.append(weakref.ref(prepared))
            return super().training_losses(batch, run)

    stage = Stage(epochs=1, learning_rate=0.01, batch_size=10, clip_norm=1.0)
    run(tmp_path, Looking(), recipe(stage, stage, stage))
    assert len(made) == 3
    assert made[0]() is made[1]() is None


def test_a_loss_that_is_not_finite_stops_with_its_name(tmp_path: Path) -> None:
    """The error names the loss, the epoch and the step."""

    class Diverging(Regression):
        """Turns NaN in its sixth step."""

        def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
            found = super().training_losses(batch, run)
            return found if run.step < 5 else {**found, "noise": found["noise"] * torch.nan}

    with pytest.raises(NonFiniteLoss, match="loss 'noise' is nan at stage 1, epoch 2, step 2 of 4"):
        run(tmp_path, Diverging())


def test_reported_pairs_are_judged_by_epoch(tmp_path: Path) -> None:
    """What a method reports is counted and scored with identities that it never sees."""

    class Reporting(Regression):
        """Reports every row's own pair, and nothing else."""

        def after_step(self, batch: Batch, run: Run) -> None:
            run.report_pairs("mined", batch.image_index, batch.caption_index)

    trained = run(tmp_path, Reporting(), judge_pairs=lambda images, captions: len(images) // 2)
    for row in trained.history:
        assert (row["pairs/mined/count"], row["pairs/mined/right"]) == (COUNT, 0.5)


class Dividing(Regression):
    """Reports what it is given at the start of each epoch."""

    def __init__(self, *reported: Tensor) -> None:
        super().__init__()
        self.reported = reported

    def begin_epoch(self, run: Run) -> None:
        for clean in self.reported:
            run.report_clean(clean)


def test_what_is_called_clean_is_judged_by_epoch(tmp_path: Path) -> None:
    """The last report of an epoch stands; a share of one half is clean."""
    shares = torch.linspace(0, 1, COUNT)  # half of them at least 0.5
    seen: list[Tensor] = []

    def judge(clean: Tensor) -> dict[str, float]:
        seen.append(clean)
        return {"clean/precision": 0.25}

    method = Dividing(torch.ones(COUNT, dtype=torch.bool), shares.round(decimals=6))
    trained = run(tmp_path, method, judge_clean=judge)
    assert torch.equal(seen[0], shares >= 0.5)
    for row in trained.history:
        assert (row["clean/count"], row["clean/precision"]) == (COUNT / 2, 0.25)


def test_without_wrong_pairs_what_is_called_clean_is_counted(tmp_path: Path) -> None:
    """There is nothing to be found, and a method is told nothing by the history."""
    trained = run(tmp_path, Dividing(torch.arange(COUNT) < 7))
    of_clean = [{k: v for k, v in row.items() if "clean" in k} for row in trained.history]
    assert of_clean == [{"clean/count": 7}] * len(trained.history)


@pytest.mark.parametrize(
    ("reported", "told"),
    [
        (torch.ones(COUNT - 1), r"a row for each training caption, \(40,\), not \(39,\)"),
        (torch.ones(COUNT, 1), r"not \(40, 1\)"),
        (torch.full((COUNT,), torch.nan), "shares from 0 to 1"),
        (torch.full((COUNT,), 1.1), "shares from 0 to 1"),
        (torch.full((COUNT,), -1), "shares from 0 to 1"),
    ],
)
def test_what_is_no_division_is_refused(tmp_path: Path, reported: Tensor, told: str) -> None:
    """A report that cannot be scored stops the run, and says what is taken."""
    with pytest.raises(ValueError, match=told):
        run(tmp_path, Dividing(reported))


def test_encode_shows_the_whole_training_split(tmp_path: Path) -> None:
    """`run.encode` returns every image and caption, without gradient, and keeps the mode."""

    class Encoding(Regression):
        """Encodes the split before training."""

        def prepare(self, train: Any, run: Run) -> None:
            self.train()
            self.features = run.encode(train)
            assert self.training

    method = Encoding()
    run(tmp_path, method)
    images, texts = method.features
    assert images.embedding.shape == texts.embedding.shape == (COUNT, 1)
    assert not images.embedding.requires_grad


STAGES = recipe(
    Stage(epochs=2, learning_rate=0.01, batch_size=10, losses=("fit",)),
    Stage(epochs=1, learning_rate=0.02, batch_size=20),
)


def test_a_shared_stage_changes_no_bit(tmp_path: Path) -> None:
    """A variant that takes up another's first stage ends as one that trained it, and repeats
    nothing: weights, history and selection."""

    def validate(method: Method) -> dict[str, float]:
        weight = float(method.state_dict()["layer.weight"].sum())
        return {"r1": weight, "map": 0.0}

    def trained(folder: Path, shared: Path | None) -> tuple[TrainingResult, Regression]:
        torch.manual_seed(0)
        method = Regression()
        watch = Watchers(validate=validate)
        places = [shared] if shared else []
        return train(method, view(), STAGES, 0, CPU, folder, watch, places), method

    alone, _ = trained(tmp_path / "alone", None)
    first, one = trained(tmp_path / "first", tmp_path / "shared")
    second, two = trained(tmp_path / "second", tmp_path / "shared")
    assert len(one.batches) == 10
    assert len(two.batches) == 2  # the second stage alone
    for other in (first, second):
        assert other.selected_epoch == alone.selected_epoch
        assert [row["val_r1"] for row in other.history] == [row["val_r1"] for row in alone.history]
        assert [row["loss"] for row in other.history] == [row["loss"] for row in alone.history]
    for name in (LAST, SELECTED):
        states = [
            torch.load(tmp_path / folder / name, weights_only=True)
            for folder in ("alone", "first", "second")
        ]
        states = [state.get("method", state) for state in states]
        for state in states[1:]:
            assert all(torch.equal(state[key], states[0][key]) for key in states[0])


def test_an_own_checkpoint_goes_before_a_shared_one(tmp_path: Path) -> None:
    """A run that was stopped in its second stage goes on there."""
    shared = [tmp_path / "shared"]
    torch.manual_seed(0)
    train(Regression(), view(), STAGES, 0, CPU, tmp_path / "own", Watchers(), shared)
    again = Regression()
    train(again, view(), STAGES, 0, CPU, tmp_path / "own", Watchers(), shared)
    assert again.batches == []


@pytest.mark.parametrize(
    "saved",
    [
        torch.tensor([1.123456789012345, 2e300], dtype=torch.float64),
        torch.tensor([2**40 + 1]),
        torch.ones(3, 2),
    ],
    ids=["another precision", "whole numbers", "another shape"],
)
def test_a_buffer_is_loaded_as_it_was_saved(saved: Tensor) -> None:
    """Its size and its type are those of the checkpoint, by both names of one that has two."""
    module = nn.Module()
    module.register_buffer("memory", torch.zeros(2))
    module.register_buffer("same", module.memory)
    module.register_buffer("late", None)
    load_state(module, {"memory": saved, "same": saved, "late": saved})
    assert torch.equal(module.memory, saved)
    assert torch.equal(module.late, saved)
    assert module.memory.dtype == saved.dtype
    assert module.same is module.memory


def test_a_buffer_is_made_where_its_method_is() -> None:
    """Whatever its size and wherever the checkpoint was read to; `meta` stands for a device."""
    module = nn.Module()
    module.register_buffer("memory", torch.zeros(2, device="meta"))
    module.register_buffer("late", None)
    state = {"memory": torch.ones(3), "late": torch.ones(1)}
    with pytest.warns(UserWarning, match="is a no-op"):  # there are no values on `meta`
        load_state(module, state, torch.device("meta"))
    assert (module.memory.device.type, module.late.device.type) == ("meta", "meta")
    assert module.memory.shape == (3,)


def test_a_checkpoint_is_read_by_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adam's counts of steps stay there: on a graphics card each would stop every step."""
    run(tmp_path)
    places: list[Any] = []
    load = torch.load

    def noted(*file: Any, map_location: Any, **how: Any) -> Any:
        places.append(map_location)
        return load(*file, map_location=map_location, **how)

    monkeypatch.setattr(torch, "load", noted)
    run(tmp_path)
    assert places == ["cpu"]


def test_a_checkpoint_has_no_check_sums_of_its_own(tmp_path: Path) -> None:
    """They would take more than half of the time to write it; whatever else is saved has them."""
    state = {"weights": torch.arange(10.0)}
    write_checkpoint(tmp_path / "quick.pt", state)
    torch.save(state, tmp_path / "slow.pt")
    with zipfile.ZipFile(tmp_path / "quick.pt") as quick:
        assert {entry.CRC for entry in quick.infolist()} == {0}
    with zipfile.ZipFile(tmp_path / "slow.pt") as slow:
        assert {entry.CRC for entry in slow.infolist()} != {0}
    found = torch.load(tmp_path / "quick.pt", weights_only=True)
    assert torch.equal(found["weights"], state["weights"])


def test_the_best_epoch_on_test_is_kept_apart(tmp_path: Path) -> None:
    """An audit chooses as val does, and by nothing that val says; the history does not tell."""
    on_val = iter([(5.0, 1.0), (9.0, 1.0), (7.0, 2.0), (7.0, 2.0)])
    on_test = {1: (3.0, 5.0), 2: (2.0, 9.0), 3: (3.0, 6.0), 4: (3.0, 6.0)}
    moments: dict[int, float] = {}

    def audit(method: Method, epoch: int) -> dict[str, float]:
        moments[epoch] = float(method.steps)  # type: ignore[arg-type]  # a buffer
        r1, mean_average_precision = on_test[epoch]
        return {"r1": r1, "map": mean_average_precision}

    trained = run(
        tmp_path,
        stages=recipe(Stage(epochs=4, learning_rate=0.01, batch_size=10)),
        validate=lambda method: dict(zip(("r1", "map"), next(on_val), strict=True)),
        audit=audit,
    )
    assert trained.selected_epoch == 2
    assert best_on_test(trained.audit) == 3
    rows = [(row["epoch"], row["test_r1"], row["test_map"]) for row in trained.audit]
    assert rows == [(epoch, *figures) for epoch, figures in on_test.items()]
    kept = torch.load(tmp_path / TEST_SELECTED, weights_only=True)
    assert float(kept["steps"]) == moments[3]
    assert not [name for row in trained.history for name in row if "test" in name]


@pytest.mark.parametrize("stop_after", range(1, 12))
def test_a_killed_training_ends_with_the_same_audit(tmp_path: Path, stop_after: int) -> None:
    """Killed at any step, even between the weights that test chose and the checkpoint, and started
    again, it ends with the figures and weights of one that was never stopped."""
    stages = recipe(
        Stage(epochs=2, learning_rate=0.01, batch_size=10),
        Stage(epochs=2, learning_rate=0.02, batch_size=20),
    )

    def figures(method: Method, epoch: int) -> dict[str, float]:
        return {"r1": [1.0, 3.0, 2.0, 3.0][epoch - 1], "map": float(epoch == 2)}

    class Killed(BaseException):
        """Stands for kill -9: nothing handles it."""

    steps: list[int] = []

    def die(progress: Any) -> None:
        steps.append(1)
        if len(steps) > stop_after:
            raise Killed

    whole = run(tmp_path / "whole", stages=stages, audit=figures)
    with pytest.raises(Killed):
        run(tmp_path / "killed", stages=stages, report=die, audit=figures)
    resumed = run(tmp_path / "killed", stages=stages, audit=figures)
    assert resumed.audit == whole.audit
    assert len(resumed.audit) == 4
    first, second = (
        torch.load(tmp_path / folder / TEST_SELECTED, weights_only=True)
        for folder in ("whole", "killed")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_shared_stage_holds_its_audit(tmp_path: Path) -> None:
    """Who takes up another's first stage has what test said of it, and the weights."""

    def audit(method: Method, epoch: int) -> dict[str, float]:
        return {"r1": 10.0 - epoch, "map": 0.0}

    shared = [tmp_path / "shared"]
    for name in ("first", "second"):
        torch.manual_seed(0)
        watch = Watchers(audit=audit)
        trained = train(Regression(), view(), STAGES, 0, CPU, tmp_path / name, watch, shared)
        assert [row["epoch"] for row in trained.audit] == [1, 2, 3]
    first, second = (
        torch.load(tmp_path / name / TEST_SELECTED, weights_only=True)
        for name in ("first", "second")
    )
    assert float(first["steps"]) == 4  # of the first epoch, which is in the shared stage
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([], None),
        ([(1, 50.0, 1.0), (2, 40.0, 9.0)], 1),
        ([(1, 50.0, 1.0), (2, 50.0, 9.0), (3, 50.0, 9.0)], 2),
    ],
)
def test_the_best_on_test_is_by_r1_then_map_then_the_earliest(
    rows: list[tuple[int, float, float]], best: int | None
) -> None:
    """The rule is that by which val selects."""
    named = [dict(zip(("epoch", "test_r1", "test_map"), row, strict=True)) for row in rows]
    assert best_on_test(named) == best
