"""The benchmark against peers with stand-ins: who enters, in which order, on what, and its JSON.

Mutations tried: rounds one after the other, a slow one timed on all frames, precisions that the
machine lacks let in, networks of another scale let in, the ratio upside down, the gain over
swscale's bicubic, a truth of the wrong size, absent ones dropped, peaks of one given to another,
another VMAF: each fails one of these tests or more.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from drawn_onnx import write_onnx
from stand_in import StandIn, StandInCard, card

from upreel.errors import (
    BackendUnavailableError,
    InputError,
    OptionError,
    UpreelError,
    WeightsError,
)
from upreel.evaluation import contestants, peers_run
from upreel.evaluation.clips import read_clip
from upreel.evaluation.degrade import Degradation, degrade, resample_frames
from upreel.evaluation.entrant import Entrant, command_alone, run_alone
from upreel.evaluation.memory import peak_of_command
from upreel.evaluation.peers import Case, Peers, PeersJob, command_line
from upreel.evaluation.peers_run import benchmark_peers
from upreel.inference.engine import DeviceInfo
from upreel.metrics import psnr

MIB = 1 << 20
SMALL = Case(low=(32, 24), scale=2)
NETWORKS = ("fast-x2", "fast-x2-m", "fast-x2-s", "fast-x2-clean")
OURS = (*(f"{name} f32" for name in NETWORKS), "fast-x2-clean int8")
CPU = DeviceInfo(device="cpu", engine="any", name="any", precisions=("f32", "int8"), reason="any")


class Zoo(StandIn):
    """Cards of the scale that their names say, one of them in whole numbers, too."""

    def load_card(self, name: str) -> StandInCard:
        found = re.search(r"-x(\d)", name)
        assert found is not None
        tolerance = {"f32": 0.0, "bf16": 1.0, "f16": 1.0}
        if name == "fast-x2-clean":
            tolerance["int8"] = 1.0
        return replace(card(int(found[1])), name=name, tolerance=tolerance)


class FakeOpenCv:
    """Repeats samples; a file that is not there is missing."""

    def __init__(self, name: str, scale: int, weights: Path) -> None:
        if not (weights / f"{name}_x{scale}.pb").is_file():
            raise WeightsError(f"{name}_x{scale}.pb is missing")
        self._scale = scale

    def __call__(self, luma: np.ndarray) -> np.ndarray:
        assert luma.dtype == np.uint8
        return luma.repeat(self._scale, axis=0).repeat(self._scale, axis=1)


@pytest.fixture(autouse=True)
def opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contestants, "OpenCvNetwork", FakeOpenCv)
    monkeypatch.setattr(contestants, "opencv_version", lambda: "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of FSRCNN, and a network of luma and one of R'G'B'."""
    place = tmp_path / "weights"
    place.mkdir()
    (place / "FSRCNN_x2.pb").touch()
    write_onnx(place / "grey.onnx")
    write_onnx(place / "colour.onnx", channels=3)
    write_onnx(place / "other.onnx", scale=4)
    return place


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "film.mkv", codec="ffv1", count=4)


def measured(job: PeersJob, **more: object) -> Peers:
    settings: dict[str, Any] = {
        "backend": Zoo(), "devices": lambda: [CPU], "peak": lambda _command: 7 * MIB,
    }  # fmt: skip
    return benchmark_peers(replace(job, with_vmaf=False), **(settings | more))


def test_all_that_can_run_runs_and_the_rest_is_named(folder: Path, clip: Path) -> None:
    result = measured(PeersJob(data=(clip,), weights=(folder,), cases=(SMALL,), rounds=1))

    (case,) = result.to_json()["cases"]
    assert [(row["name"], row["kind"]) for row in case["rows"]] == [
        *((name, "network") for name in OURS),
        ("PyAV bicubic", "filter"),
        ("PyAV lanczos", "filter"),
        ("PyAV spline", "filter"),
        ("OpenCV FSRCNN", "peer"),
        ("colour f32", "peer"),
        ("grey f32", "peer"),
    ]
    assert case["absent"] == {
        **{f"{name} bf16": "this CPU offers f32, int8" for name in NETWORKS},
        "OpenCV FSRCNN-small": "FSRCNN-small_x2.pb is missing",
        "OpenCV ESPCN": "ESPCN_x2.pb is missing",
        "OpenCV LapSRN": "LapSRN_x2.pb is missing",
    }


def test_without_weights_opencv_is_absent(clip: Path) -> None:
    result = measured(PeersJob(data=(clip,), cases=(SMALL,), rounds=1, frames=1))

    (case,) = result.to_json()["cases"]
    assert case["absent"]["OpenCV FSRCNN"] == "no --weights DIR given"
    assert {row["fps_over_fsrcnn"] for row in case["rows"]} == {None}


def test_a_missing_package_is_absent_too(
    folder: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise BackendUnavailableError("no OpenCV")

    monkeypatch.setattr(contestants, "OpenCvNetwork", missing)

    result = measured(PeersJob(data=(clip,), weights=(folder,), cases=(SMALL,), rounds=1))

    assert result.cases[0].absent["OpenCV FSRCNN"] == "no OpenCV"


def test_rounds_are_of_all_in_turn(clip: Path) -> None:
    steps: list[tuple[str, int, int]] = []

    measured(
        PeersJob(data=(clip,), cases=(SMALL,), rounds=3, frames=2),
        on_step=lambda *step: steps.append(step),
    )

    begun = "24p to 48p: "
    names = [
        *OURS, "PyAV bicubic", "PyAV lanczos", "PyAV spline",
    ]  # fmt: skip
    all_of = len(names)
    quality = [(f"{begun}quality of bicubic", 0, all_of + 1)]
    quality += [(f"{begun}quality of {name}", n, all_of + 1) for n, name in enumerate(names, 1)]
    speed = [(f"{begun}speed of {name}", n, 3 * all_of) for n, name in enumerate(3 * names)]
    memory = [(f"{begun}memory of {name}", n, all_of) for n, name in enumerate(names)]
    assert steps == quality + speed + memory


def test_all_see_the_same_frames(clip: Path) -> None:
    zoo = Zoo()

    measured(PeersJob(data=(clip,), cases=(SMALL,), rounds=1, frames=3), backend=zoo)

    ours = [[window[0] for window in repeater.submitted] for repeater in zoo.opened]
    assert len(ours) == len(OURS)
    for frames in ours:
        assert len(frames) == 2 * 3  # for quality and for one round
        for n, planes in enumerate(frames):
            for plane, expected in zip(planes, ours[0][n % 3], strict=True):
                np.testing.assert_array_equal(plane, expected)


def test_slow_ones_are_timed_on_fewer_frames(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_run, "ROUND_SECONDS", 0.0)
    stored: list[int] = []

    def peak(command: Sequence[str]) -> int:
        stored.append(read_clip(Path(command[3])).num_frames)
        return 1

    zoo = Zoo()
    result = measured(
        PeersJob(data=(clip,), cases=(SMALL,), rounds=2, frames=4), backend=zoo, peak=peak
    )

    assert {sample.frames for row in result.cases[0].rows for sample in row.timing.samples} == {1}
    assert {len(repeater.submitted) for repeater in zoo.opened} == {4 + 2 * 1}
    assert set(stored) == {1}


def test_ratios_are_to_fsrcnn_and_to_the_trees_bicubic(folder: Path, clip: Path) -> None:
    result = measured(PeersJob(data=(clip,), weights=(folder,), cases=(SMALL,), rounds=2))

    (case,) = result.to_json()["cases"]
    rows = {row["name"]: row for row in case["rows"]}
    fsrcnn, ours = rows["OpenCV FSRCNN"], rows["fast-x2 f32"]
    assert fsrcnn["fps_over_fsrcnn"] == 1
    assert ours["fps_over_fsrcnn"] == pytest.approx(
        fsrcnn["timing"]["ms"] / ours["timing"]["ms"], rel=1e-2
    )
    for row in case["rows"]:
        gain = row["psnr_y"] - case["reference"]["psnr_y"]
        assert row["over_bicubic"] == pytest.approx(gain, abs=1e-4)
    # Those that repeat samples answer the same luma, whichever way they are asked.
    assert fsrcnn["psnr_y"] == ours["psnr_y"] == rows["grey f32"]["psnr_y"]
    pair = degrade(read_clip(clip), 2, Degradation())
    luma = [planes[0] for planes in resample_frames(pair.low, 64, 48, "bicubic")]
    expected = [psnr(t[0], y, max_value=255) for t, y in zip(pair.truth.planes, luma, strict=True)]
    assert case["reference"]["psnr_y"] == pytest.approx(np.mean(expected), abs=1e-4)


def test_a_small_clip_is_mirrored_and_clips_are_averaged(tmp_path: Path, clip: Path) -> None:
    other = write_clip(tmp_path / "small.mkv", codec="ffv1", count=1, width=48, height=32)

    def of(*data: Path) -> float:
        return measured(
            PeersJob(data=data, cases=(SMALL,), rounds=1, frames=2)
        ).to_json()["cases"][0]["rows"][0]["psnr_y"]  # fmt: skip

    assert of(clip) != of(other)
    assert of(clip, other) == pytest.approx((of(clip) + of(other)) / 2, abs=1e-4)


def test_each_has_its_own_peak(folder: Path, clip: Path) -> None:
    asked: list[Entrant] = []

    def peak(command: Sequence[str]) -> int:
        assert list(command[1:3]) == ["-m", "upreel.evaluation.entrant"]
        assert command[4] == "2"
        asked.append(Entrant(**json.loads(command[5])))
        return len(asked) * MIB

    job = PeersJob(data=(clip,), weights=(folder,), cases=(SMALL,), rounds=1, threads=1)
    rows = measured(job, peak=peak).cases[0].rows

    assert [row.entrant for row in rows] == asked
    assert [row.peak_bytes for row in rows] == [n * MIB for n in range(1, len(asked) + 1)]
    alone = {entrant.label: entrant for entrant in asked}
    assert alone["fast-x2-clean int8"].precision == "int8"
    assert alone["fast-x2-clean int8"].threads == 1
    assert alone["OpenCV FSRCNN"].weights == str(folder)


def test_a_system_that_does_not_tell_has_no_peak(clip: Path) -> None:
    def peak(_: Sequence[str]) -> int:
        raise BackendUnavailableError("not here")

    result = measured(PeersJob(data=(clip,), cases=(SMALL,), rounds=1, frames=1), peak=peak)

    assert {row["peak_bytes"] for row in result.to_json()["cases"][0]["rows"]} == {None}


def test_one_alone_is_a_process_of_its_own(tmp_path: Path, clip: Path) -> None:
    spline = Entrant(label="any", name="pyav:spline")

    assert peak_of_command(command_alone(spline, clip, 2)) > 20 * MIB
    with pytest.raises(UpreelError, match="no kernel 'none'"):
        peak_of_command(command_alone(replace(spline, name="pyav:none"), clip, 2))
    grey = Entrant(label="any", name=f"onnx:{write_onnx(tmp_path / 'a.onnx')}")
    run_alone(*command_alone(replace(grey, threads=1), clip, 2)[3:])


def test_without_data_a_clip_is_drawn_the_same_each_time() -> None:
    job = PeersJob(cases=(SMALL,), rounds=1, frames=2)

    first, second = (measured(job).to_json() for _ in range(2))

    assert first["clips"] == ["drawn"]
    scores = [[row["psnr_y"] for row in v["cases"][0]["rows"]] for v in (first, second)]
    assert scores[0] == scores[1]
    assert all(10 < score < 60 for score in scores[0])


def test_the_json_says_what_was_asked_for(clip: Path) -> None:
    job = PeersJob(data=(clip,), cases=(SMALL,), rounds=2, frames=3, with_vmaf=False)

    values = measured(job).to_json()

    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["version"] == 1
    assert values["command"] == command_line(job)
    assert (values["frames"], values["rounds"], values["clips"]) == (3, 2, ["film"])
    assert values["unmeasured"] == {"vmaf_neg": "not asked for"}
    assert values["machine"]["cores"] >= 1
    (case,) = values["cases"]
    assert (case["low"], case["high"], case["scale"]) == ([32, 24], [64, 48], 2)
    assert case["rows"][0]["timing"]["rounds"] == 2
    assert case["rows"][0]["vmaf_neg"] is None
    assert case["rows"][0]["peak_bytes"] == 7 * MIB


def test_vmaf_is_neg_alone(clip: Path) -> None:
    result = benchmark_peers(
        PeersJob(data=(clip,), cases=(SMALL,), rounds=1, frames=2),
        backend=Zoo(), devices=lambda: [CPU], peak=lambda _command: 1,
    )  # fmt: skip

    assert result.unmeasured == {}
    scores = {row.entrant.label: row.scores["vmaf_neg"] or -1 for row in result.cases[0].rows}
    assert 0 < scores["fast-x2 f32"] != scores["PyAV lanczos"] < 100


def test_wrong_networks_stop_it_before_the_work(tmp_path: Path, folder: Path, clip: Path) -> None:
    job = PeersJob(data=(clip,), cases=(SMALL,))
    (tmp_path / "text.onnx").write_text("no network")
    third = write_onnx(tmp_path / "third.onnx", scale=3)
    (tmp_path / "again").mkdir()
    again = write_onnx(tmp_path / "again" / "grey.onnx")

    def step(*_: object) -> None:
        raise AssertionError("nothing is measured")

    with pytest.raises(WeightsError, match=r"text\.onnx is no ONNX network"):
        measured(replace(job, weights=(tmp_path / "text.onnx",)), on_step=step)
    with pytest.raises(WeightsError, match=r"third\.onnx is a x3 network; compared are x2, x4"):
        measured(replace(job, weights=(third,)), on_step=step)
    with pytest.raises(OptionError, match=r"grey\.onnx and .*grey\.onnx have one name"):
        measured(replace(job, weights=(folder, again)), on_step=step)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", count=1, pix_fmt="yuv444p")

    with pytest.raises(InputError, match=r"a\.mkv is yuv444p; yuv420p is compared on"):
        measured(PeersJob(data=(path,), cases=(SMALL,)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"weights": (Path("a.pb"),)}, r"a\.pb is neither a folder nor an \.onnx file"),
    ],
)
def test_jobs_that_cannot_be_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        PeersJob(**options)
