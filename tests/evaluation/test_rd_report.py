"""Tables, page and files of a comparison of codecs, made from its JSON and nothing else.

Mutations tried: an unsigned BD-rate, anchor and test exchanged, a small overlap not marked, absent
ones left out, curves of one codec alone, names not escaped: each fails one of these tests or more.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from upreel.errors import OutputError
from upreel.evaluation.rd import RD_METRICS
from upreel.evaluation.rd_report import markdown, page, summary, write_rd


def point(quality: float, kbps: float, psnr: float | None, **more: object) -> dict[str, Any]:
    figures = {"psnr_y": psnr, "ms_ssim_y": 0.98}
    return {
        "quality": quality, "kbps": kbps, "encode_fps": 12.34, "decode_fps": 56.78, **figures,
    } | more  # fmt: skip


def curve(kbps: float) -> dict[str, Any]:
    means = [point(18, 2 * kbps, 40.1234), point(30, kbps, 35.0)]
    return {"means": means, "points": [{**mean, "clip": clip} for mean in means for clip in "ab"]}


def metric(name: str) -> dict[str, Any]:
    return {"label": RD_METRICS[name].label, "decimals": RD_METRICS[name].decimals}


def rate(percent: float, overlap: float = 0.9, num_clips: int = 2) -> dict[str, Any]:
    return {"percent": percent, "overlap": overlap, "num_clips": num_clips}


VALUES: dict[str, Any] = {
    "version": 1,
    "command": "upreel evaluate --rd --codec c.json",
    "date": "2026-11-23T12:00:00+00:00",
    "machine": {
        "cpu": "Some CPU", "cores": 2, "flags": [], "memory_bytes": 1, "system": "Linux",
        "python": "3.12.1", "packages": {"av": "18.1.0"},
    },
    "set": "clips",
    "drawn": False,
    "limit": None,
    "complete": True,
    "structure": {"name": "low-delay", "description": "no B frames", "keyint": 32},
    "threads": 1,
    "other_load": 0.02,
    "clips": {
        name: {"source": name, "num_frames": 10, "width": 640, "height": 360} for name in "ab"
    },
    "metrics": {name: metric(name) for name in ("psnr_y", "ms_ssim_y")},
    "absent": {"svtav1:4": "this build of PyAV has no libsvtav1"},
    "coders": [
        {"name": "small <1>", "kind": "ours", "summary": "a codec"} | curve(100),
        {"name": "x264:medium", "kind": "peer", "encoder": "libx264 g=32"} | curve(150),
    ],
    "bd_rate": {
        "psnr_y": {
            "small <1>": {"x264:medium": rate(-33.333)},
            "x264:medium": {"small <1>": rate(50.04, overlap=0.4)},
        },
        "ms_ssim_y": {
            "small <1>": {"x264:medium": rate(12.3, num_clips=1)},
            "x264:medium": {"small <1>": None},
        },
    },
    "pictures": [
        {"file": "frames_a.png", "clip": "a", "frame": 5, "target_bytes": 12_340, "tiles": []}
    ],
}  # fmt: skip


def test_the_tables_are_this_text() -> None:
    tables = [line for line in markdown(VALUES).splitlines() if not line.startswith("* ")]

    assert (
        "\n".join(tables)
        == """\
    upreel evaluate --rd --codec c.json


| codec | quality | kbit/s | Y-PSNR dB | Y-MS-SSIM | encode fps | decode fps |
|---|---|---|---|---|---|---|
| small <1> | 30 | 100.0 | 35.000 | 0.9800 | 12.3 | 56.8 |
| small <1> | 18 | 200.0 | 40.123 | 0.9800 | 12.3 | 56.8 |
| x264:medium | 30 | 150.0 | 35.000 | 0.9800 | 12.3 | 56.8 |
| x264:medium | 18 | 300.0 | 40.123 | 0.9800 | 12.3 | 56.8 |

| BD-rate %, Y-PSNR dB | small <1> | x264:medium |
|---|---|---|
| small <1> |  | -33.3 |
| x264:medium | +50.0 * |  |

| BD-rate %, Y-MS-SSIM in dB | small <1> | x264:medium |
|---|---|---|
| small <1> |  | +12.3 (1 of 2 clips) |
| x264:medium | - |  |

\\* on a clip, both curves share less than half of the quality that either covers.

a, frame 5, at 12.34 kB for the clip; beside the size, Y-PSNR of the whole clip.

![a](frames_a.png)"""
    )


def test_conditions_and_what_is_absent_are_told_everywhere() -> None:
    for text in (markdown(VALUES), page(VALUES), summary(VALUES)):
        assert "no B frames" in text.lower().replace("b frames", "B frames")
        assert "bytes of the whole file" in text
        assert "one thread for each codec" in text
        assert "Absent: svtav1:4: this build of PyAV has no libsvtav1." in text
        assert "a quick look" not in text
    assert "say little of real video" in summary(VALUES | {"drawn": True})
    assert "a quick look" in summary(VALUES | {"complete": False})
    assert "Other processes" not in summary(VALUES | {"other_load": None}) + summary(VALUES)
    busy = summary(VALUES | {"other_load": 0.3})
    assert "Other processes took 30% of the machine: speeds say little." in busy
    assert "2 threads for each codec" in summary(VALUES | {"threads": 2})


def test_the_terminal_marks_a_small_overlap() -> None:
    assert "+50.0 *" in summary(VALUES)
    assert summary(VALUES).splitlines()[-1].startswith("* on a clip")
    values = deepcopy(VALUES)
    values["bd_rate"]["psnr_y"]["x264:medium"]["small <1>"]["overlap"] = 0.5
    assert "* on a clip" not in summary(values)


def test_equal_planes_are_equal_and_not_drawn() -> None:
    values = deepcopy(VALUES)
    values["coders"][0]["means"][0]["psnr_y"] = None

    assert "| equal |" in markdown(values)
    assert page(values).count("<circle") == page(VALUES).count("<circle") - 1


def test_the_page_has_curves_of_all_and_escapes_names() -> None:
    text = page(VALUES)

    assert text.count("<svg") == 4  # two metrics, and two clips
    first = text[text.index("<svg") : text.index("</svg>")]
    assert first.count("<polyline") == 2
    assert first.count("<circle") == 4
    assert "small &lt;1&gt;" in text
    assert "small <1>" not in text
    assert '<tr class="ours"><td>small &lt;1&gt;</td>' in text
    assert '<img src="frames_a.png"' in text


def test_without_bd_rates_there_are_no_tables_of_them() -> None:
    values = VALUES | {"bd_rate": {}, "absent": {"BD-rate": "needs a package"}}

    for text in (markdown(values), summary(values)):
        assert "BD-rate %" not in text
        assert "Absent: BD-rate: needs a package." in text


def test_files_are_written(tmp_path: Path) -> None:
    path = write_rd(VALUES, {"frames_a.png": b"png"}, tmp_path / "out")

    assert path == tmp_path / "out" / "rd.html"
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "frames_a.png", "rd.html", "rd.json", "rd.md",
    ]  # fmt: skip
    assert json.loads((path.parent / "rd.json").read_text()) == VALUES
    assert (path.parent / "frames_a.png").read_bytes() == b"png"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rd.html").mkdir()

    with pytest.raises(OutputError, match=r"cannot write the report to .*: Is a directory"):
        write_rd(VALUES, {}, tmp_path)
