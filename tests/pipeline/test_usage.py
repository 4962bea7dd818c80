"""What a process uses: memory that comes and goes."""

import subprocess
import sys

import pytest

# Arrays of several sizes come and go between small ones that stay: without a fixed threshold the
# holes stay with the process.
CHURN = """
import sys
import numpy as np
from upreel.pipeline.usage import give_back_large_arrays

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20

if sys.argv[1] == "fixed":
    give_back_large_arrays()
small, before = [], resident()
for round in range(4):
    large = []
    for n in range(40):
        large.append(np.ones((2 + (n + round) % 3) << 20, np.uint8))
        small.append(np.ones(1 << 16, np.uint8))
    del large
print(resident() - before)
"""


def kept(how: str) -> int:
    """MiB that the process is larger than before."""
    done = subprocess.run(
        [sys.executable, "-c", CHURN, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_large_arrays_go_back_at_once() -> None:
    assert kept("fixed") < 25  # the small ones take 10
    assert kept("as it is") > 60
