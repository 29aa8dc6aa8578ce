"""Imported once by the fork server: what every run needs, so that it starts with it in memory."""

from harness.compatibility import mend_torchvision

mend_torchvision()

import accelerate  # noqa: E402, F401 (after the mend, which its imports need)
import datasets  # noqa: E402, F401
import numba  # noqa: E402 (called below)
import scipy.io  # noqa: E402, F401 (loading a dataset imports it)
import torch._inductor.config  # noqa: E402, F401 (choosing algorithms that repeat their bits does)

import harness.run.execute  # noqa: E402, F401 (a run itself)
from harness.registry import find_plugins  # noqa: E402 (after the mend; called below)

numba.njit()(lambda: None)()  # imports what the first call of a compiled function would
for plugin in find_plugins():
    plugin.sources()  # parses them: each run asks whether its code is still what was planned
