"""The machine behind a figure."""

from upreel.pipeline.machine import describe_machine, parse_cpuinfo

ARM = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd i8mm bf16 asimddp
"""


def test_arm_calls_its_flags_features() -> None:
    assert parse_cpuinfo(ARM) == ("", ("asimddp", "bf16", "i8mm"))


def test_a_flag_is_a_whole_word() -> None:
    assert parse_cpuinfo("flags : amx_bf16_more avx512_vnni\n") == ("", ("avx512_vnni",))


def test_this_machine_has_cores_and_versions() -> None:
    machine = describe_machine()

    assert machine.cpu
    assert machine.cores >= 1
    assert {"av", "numpy"} <= machine.packages.keys()
    assert f"{machine.cores} cores" in machine.text
