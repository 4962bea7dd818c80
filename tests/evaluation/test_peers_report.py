"""Tables, plot and files of the benchmark against peers, made from its JSON and nothing else.

Mutations tried: MiB as MB, an unsigned gain, nothing said of a busy machine, absent ones left out,
a plot of ours alone, names not escaped, any version read: each fails one of these tests or more.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from upreel.errors import InputError, OutputError
from upreel.evaluation.peers_report import markdown, page, read_peers, write_peers


def row(name: str, kind: str, ms: float, **more: object) -> dict[str, Any]:
    timing = {
        "name": name, "frames": 16, "rounds": 3, "fps": 1000 / ms, "ms": ms, "ms_min": ms - 1,
        "ms_max": ms + 2, "cpu_use": 0.5,
    }  # fmt: skip
    figures: dict[str, Any] = {
        "psnr_y": 31.2345, "ssim_y": 0.91234, "vmaf_neg": 80.5, "over_bicubic": 1.2,
        "fps_over_fsrcnn": 600 / ms, "engine": "any", "peak_bytes": 150 << 20,
    }  # fmt: skip
    return {"name": name, "kind": kind, "timing": timing} | figures | more


VALUES: dict[str, Any] = {
    "version": 1,
    "command": "python benchmarks/peers.py --weights peers",
    "date": "2026-11-22T12:00:00+00:00",
    "machine": {
        "cpu": "Some CPU", "cores": 2, "flags": ["amx_bf16"], "memory_bytes": 1 << 34,
        "system": "Linux x86_64", "python": "3.12.1", "packages": {"av": "18.1.0"},
    },
    "frames": 16,
    "rounds": 3,
    "clips": ["film"],
    "other_load": 0.02,
    "unmeasured": {},
    "cases": [
        {
            "name": "540p to 1080p", "scale": 2, "low": [960, 540], "high": [1920, 1080],
            "reference": {"psnr_y": 30.0345, "ssim_y": 0.9, "vmaf_neg": 60.0},
            "absent": {"OpenCV LapSRN": "LapSRN_x2.pb is <missing>"},
            "rows": [
                row("fast-x2 int8", "network", 10.0),
                row("PyAV spline", "filter", 2.0, over_bicubic=-0.5, psnr_y=29.5345),
                row("OpenCV FSRCNN", "peer", 600.0, peak_bytes=None),
                row("a&b f32", "peer", 50.0, psnr_y=None, over_bicubic=None, fps_over_fsrcnn=None),
            ],
        }
    ],
}  # fmt: skip


def test_the_table_is_this_text() -> None:
    assert (
        markdown(VALUES)
        == """\
    python benchmarks/peers.py --weights peers

Some CPU, 2 cores (amx_bf16), Linux x86_64; Python 3.12.1, av 18.1.0; 2026-11-22T12:00:00+00:00.
Clips: film; 16 frames of each at most, 3 rounds of all in turn, medians.
Frames in memory to frames in memory, all planes; networks of luma enlarge chroma by bicubic. \
Memory is that of a process that runs one alone.

### 540p to 1080p, x2

| | fps | ms a frame | fastest to slowest round | peak memory, MiB | Y-PSNR dB | Y-SSIM | \
VMAF-NEG | over bicubic, dB | fps over OpenCV FSRCNN |
|---|---|---|---|---|---|---|---|---|---|
| bicubic, not timed |  |  |  |  | 30.035 | 0.9000 | 60.00 |  |  |
| fast-x2 int8 | 100.0 | 10.00 | 9.00 to 12.00 | 150 | 31.235 | 0.9123 | 80.50 | +1.200 | 60.00 |
| PyAV spline | 500.0 | 2.00 | 1.00 to 4.00 | 150 | 29.535 | 0.9123 | 80.50 | -0.500 | 300.00 |
| OpenCV FSRCNN | 1.7 | 600.00 | 599.00 to 602.00 | - | 31.235 | 0.9123 | 80.50 | \
+1.200 | 1.00 |
| a&b f32 | 20.0 | 50.00 | 49.00 to 52.00 | 150 | - | 0.9123 | 80.50 | - | - |

* absent: OpenCV LapSRN: LapSRN_x2.pb is <missing>
"""
    )


def test_a_busy_machine_and_what_was_not_measured_are_told() -> None:
    values = VALUES | {"other_load": 0.3, "unmeasured": {"vmaf_neg": "not asked for"}}

    text = markdown(values)

    assert "Other processes took 30% of the machine: trust the ratios only." in text
    assert "VMAF-NEG was not measured: not asked for." in text
    assert "Other processes" not in markdown(VALUES | {"other_load": None})


def test_the_page_has_a_plot_of_all_that_have_quality() -> None:
    text = page(VALUES)

    svg = text[text.index("<svg") : text.index("</svg>")]
    assert svg.count("<circle") == 3
    assert [f'class="k{n}"' in svg for n in (0, 1, 2)] == [True, True, True]
    assert "fast-x2 int8" in svg
    assert "bicubic 30.03" in svg or "bicubic 30.04" in svg
    assert "a&amp;b f32" in text
    assert "a&b f32" not in text
    assert "is &lt;missing&gt;" in text
    assert '<tr class="ours"><td>fast-x2 int8</td>' in text


def test_a_case_without_rows_has_no_plot() -> None:
    values = deepcopy(VALUES)
    values["cases"][0]["rows"] = []

    assert "<svg" not in page(values)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_peers(VALUES, tmp_path / "out")

    read = read_peers(tmp_path / "out" / "peers.json")

    assert read == VALUES
    assert (tmp_path / "out" / "peers.md").read_text(encoding="utf-8") == markdown(VALUES)
    assert (tmp_path / "out" / "peers.html").read_text(encoding="utf-8") == page(VALUES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "cannot read"),
        ("[]", "is no benchmark of peers of version 1, got None"),
        (json.dumps(VALUES | {"version": 2}), "of version 1, got 2"),
        (json.dumps(VALUES | {"cases": [{}]}), "is no whole benchmark: KeyError"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "peers.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=reason):
        read_peers(path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(OutputError, match="out is a file, not a folder"):
        write_peers(VALUES, tmp_path / "out")
