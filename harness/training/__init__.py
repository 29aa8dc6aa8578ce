"""The training loop, what it hands to a method, and its checkpoints."""

from harness.training.loop import Interrupted, NonFiniteLoss, Trained, Watchers, train

__all__ = ["Interrupted", "NonFiniteLoss", "Trained", "Watchers", "train"]
