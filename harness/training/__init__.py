"""The training loop, what it hands to a method, and its checkpoints."""

from harness.training.loop import Interrupted, NonFiniteLoss, TrainingResult, Watchers, train

__all__ = ["Interrupted", "NonFiniteLoss", "TrainingResult", "Watchers", "train"]
