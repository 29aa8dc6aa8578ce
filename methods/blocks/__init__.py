"""Parts that methods share, open to third-party methods too."""

from harness.compatibility import mend_torchvision

mend_torchvision()
