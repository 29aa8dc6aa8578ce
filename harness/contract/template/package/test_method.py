"""MODULE keeps to the contract of the harness."""

import subprocess
import sys


def test_the_method_keeps_to_the_contract() -> None:
    """`harness check NAME` finds nothing."""
    command = [sys.executable, "-m", "harness", "check", "NAME"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
