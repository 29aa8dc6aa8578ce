import subprocess
import sys

PROGRAM = """
import sys
from harness.compatibility import mend_torchvision
mend_torchvision()
mend_torchvision()
assert "torchvision" not in sys.modules
import torchvision
mend_torchvision()
print(torchvision.__version__)
"""


def test_torchvision_can_be_imported_and_is_not_by_the_mend() -> None:
    """Whatever builds of both stand side by side, and however often it is asked."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
