"""An oracle: DGIA with the relations that it would mine, had it mined without a mistake.

It tells whether the idea falls short on a dataset, or what it is fed with.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from harness.method import Run, Supervision, TrainSet
from harness.registry import register
from methods.blocks.extra_data import OF_ENCODERS
from methods.dgia import Dgia, DgiaConfig, Pairs


@dataclass(frozen=True)
class OracleConfig(DgiaConfig):
    """As DGIA's, but with the person ids that it has to do without."""

    supervision: Supervision = Supervision.IDENTITY


@register("dgia-oracle", title="DGIA with true relations", extra_data=OF_ENCODERS)
class DgiaOracle(Dgia):
    """Relations of a batch and of the banks by who is on the images, at every similarity."""

    config_class = OracleConfig
    ablations = {}

    def prepare(self, train: TrainSet, run: Run) -> None:
        super().prepare(train, run)
        assert train.person_of_image is not None  # given to every IDENTITY method
        self.person_of_image = train.person_of_image.to(run.device)  # (M,)

    def local_matches(self, x: Pairs) -> Tensor:
        people = x.batch.person_ids
        assert people is not None
        return people[:, None] == people[None, :]  # (B, B)

    def mine(self, x: Pairs) -> tuple[Tensor, Tensor]:
        similarity = self.stored_similarity(x, self.config.global_modalities[0])  # (B, M)
        own = x.batch.image_index[:, None]  # (B, 1)
        related = self.person_of_image[own] == self.person_of_image[None, :]  # (B, M)
        return related.scatter(1, own, False), similarity
