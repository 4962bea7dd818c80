"""int8 is offered where sums of products of bytes are right, and nowhere else.

Mutation tried: a scale that f32 cannot hold, sums of half of the channels.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from upreel.inference import available_devices
from upreel.inference.whole_numbers import sums_are_exact

SRC = Path(__file__).parents[2] / "src"


def test_devices_offer_what_the_sums_say() -> None:
    offered = {info.device: "int8" in info.precisions for info in available_devices()}

    assert offered["cpu"] == offered["ort-cpu"] == sums_are_exact()


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="absent hardware: only x86 has the instruction that loses sums",
)
def test_a_cpu_without_vnni_loses_sums() -> None:
    """The variable keeps oneDNN from the instructions that came later."""
    code = (
        "from upreel.inference.whole_numbers import sums_are_exact\n"
        "from upreel.inference import available_devices\n"
        "print(sums_are_exact(), [i.precisions for i in available_devices() if i.device == 'cpu'])"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": str(SRC)}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("False [('")
    assert "int8" not in done.stdout
