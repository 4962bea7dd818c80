"""evaluate(): the same frames for all, the means, the protocol check, what is refused."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from compressing import packed
from PIL import Image
from stand_in import StandIn
from stand_in_codec import StandInCodecs

from upreel.errors import (
    BackendUnavailableError,
    InputError,
    ModelError,
    OptionError,
    UnknownModelError,
    UpreelError,
)
from upreel.evaluation import run, survey
from upreel.evaluation.clips import read_clip
from upreel.evaluation.contestants import EngineOptions
from upreel.evaluation.degrade import Degradation, degrade, resample_frames
from upreel.evaluation.run import EvaluationJob, command_line, evaluate
from upreel.evaluation.sets import VID4
from upreel.metrics import mse, psnr, ssim


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, count in (("bees_1", 2), ("bees_2", 3), ("walk_1", 2)):
        write_clip(tmp_path / f"{name}.mkv", codec="ffv1", count=count)
    return tmp_path


@pytest.fixture
def vid4(tmp_path: Path) -> Path:
    (tmp_path / "GT").mkdir()
    (tmp_path / "BIx4").mkdir()
    for name in VID4:
        write_clip(tmp_path / "GT" / f"{name}.mkv", codec="ffv1", count=1, width=96, height=64)
        write_clip(
            tmp_path / "BIx4" / f"{name}.mkv",
            codec="ffv1", count=1, width=24, height=16, pix_fmt="bgr0",
        )  # fmt: skip
    return tmp_path


def test_scores_are_those_of_the_metrics_on_each_frame(folder: Path) -> None:
    result = evaluate(EvaluationJob(set=str(folder), models=("bicubic",), scale=2))

    truth = read_clip(folder / "bees_2.mkv")
    low = degrade(truth, 2, Degradation()).low
    large = resample_frames(low, 64, 48, "bicubic")
    score = result.scores[1]
    pairs = list(zip(truth.planes, large, strict=True))
    assert score.clip == "bees_2"
    assert score.frames["psnr_y"] == tuple(psnr(a[0], b[0]) for a, b in pairs)
    assert score.frames["ssim_y"] == tuple(ssim(a[0], b[0]) for a, b in pairs)
    assert score.frames["mse_y"] == tuple(mse(a[0], b[0]) for a, b in pairs)
    assert score.frames["psnr_cr"] == tuple(psnr(a[2], b[2]) for a, b in pairs)
    assert score.frames["ssim_cb"] == tuple(ssim(a[1], b[1]) for a, b in pairs)


def test_errors_are_in_one_unit_whatever_the_depth(tmp_path: Path) -> None:
    for name, pix_fmt in (("a", "yuv420p"), ("b", "yuv420p10le")):
        write_clip(tmp_path / f"{name}.mkv", codec="ffv1", pix_fmt=pix_fmt)

    result = evaluate(EvaluationJob(set=str(tmp_path), models=("bicubic",), scale=2))

    of_8_bits, of_10_bits = (score.mean for score in result.scores)
    for name in ("mse_y", "mse_cb", "temporal_difference"):
        assert of_10_bits[name] == pytest.approx(of_8_bits[name], rel=0.2)
    assert of_10_bits["psnr_y"] == pytest.approx(of_8_bits["psnr_y"], abs=0.1)


def test_missing_frames_are_noticed_before_the_work(folder: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for clip, count in (("bees_1", 2), ("bees_2", 3), ("walk_1", 1)):
        (frames / clip).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (64, 48)).save(frames / clip / f"{number}.png")
    zoo = StandIn()
    job = EvaluationJob(
        set=str(folder), models=("repeat-x2",), frames=(("other", frames),), scale=2
    )

    with pytest.raises(InputError, match=r"walk_1 lacks frame 1; the clip has 2"):
        evaluate(job, backend=zoo)

    assert not zoo.opened


def test_what_a_codec_does_not_take_is_noticed_before_the_work(folder: Path) -> None:
    write_clip(folder / "z.mkv", codec="ffv1", width=160, height=160, pix_fmt="yuv444p")
    job = EvaluationJob(
        set=str(folder), models=("repeat-x2",), only=("z",), scale=2, degradation="codec:x264:crf23"
    )
    zoo = StandIn()

    with pytest.raises(InputError, match="z is yuv444p; codec degradations take yuv420p"):
        evaluate(job, backend=zoo)
    with pytest.raises(InputError, match="bees_1: 32x24 is too small to be coded"):
        evaluate(replace(job, only=("bees_1",)), backend=zoo)

    assert not zoo.opened


def test_sources_weigh_the_same_however_many_clips_they_have(folder: Path) -> None:
    result = evaluate(EvaluationJob(set=str(folder), models=("bicubic",), scale=2))

    first, second, third = (score.mean["psnr_y"] for score in result.scores)
    assert result.sources == ("bees", "walk")
    assert result.of_source("bicubic", "bees")["psnr_y"] == pytest.approx((first + second) / 2)
    expected = ((first + second) / 2 + third) / 2
    assert result.of_set("bicubic")["psnr_y"] == pytest.approx(expected)
    assert first != second


def test_models_run_through_the_frame_loop_with_their_window(folder: Path) -> None:
    zoo = StandIn(seen=(1, 0))

    result = evaluate(
        EvaluationJob(
            set=str(folder), models=("lanczos", "repeat-x2"), scale=2, only=("bees_2",), limit=2
        ),
        backend=zoo,
    )

    (network,) = zoo.opened
    assert result.models == ("lanczos", "repeat-x2")
    assert len(network.submitted) == 2
    np.testing.assert_array_equal(network.submitted[1][0][0], network.submitted[0][1][0])
    assert result.facts["repeat-x2"]["engine"] == "numpy"


def test_one_opened_network_serves_all_clips_of_a_size(folder: Path) -> None:
    zoo = StandIn()

    evaluate(EvaluationJob(set=str(folder), models=("repeat-x2",), scale=2), backend=zoo)

    assert len(zoo.opened) == 1
    assert len(zoo.opened[0].submitted) == 7


def test_vid4_runs_bicubic_unasked_and_says_when_the_protocol_is_off(vid4: Path) -> None:
    result = evaluate(EvaluationJob(set="vid4", data=vid4, models=("lanczos",), scale=4))

    assert result.models == ("bicubic", "lanczos")
    assert result.check.passed is False
    assert result.check.message.startswith("the protocol is off: bicubic reads")


def test_vid4_says_when_the_protocol_holds(vid4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = EvaluationJob(set="vid4", data=vid4, models=("bicubic",), scale=4)
    read = evaluate(job).of_set("bicubic")
    monkeypatch.setattr(run, "ANCHOR_PSNR", (read["psnr_y"] + 0.004, 0.005))
    monkeypatch.setattr(run, "ANCHOR_SSIM", (read["ssim_y"] - 0.0004, 0.0005))

    assert evaluate(job).check.passed is True

    monkeypatch.setattr(run, "ANCHOR_SSIM", (read["ssim_y"] - 0.0006, 0.0005))
    assert evaluate(job).check.passed is False


def test_the_published_anchor_is_the_one_of_the_literature() -> None:
    assert run.ANCHOR_PSNR == (23.78, 0.005)
    assert run.ANCHOR_SSIM == (0.6347, 0.0005)


def test_a_part_of_vid4_is_not_held_against_the_anchor(vid4: Path) -> None:
    job = EvaluationJob(set="vid4", data=vid4, models=("lanczos",), scale=4, limit=1)

    result = evaluate(job)

    assert result.check.passed is None
    assert result.models == ("lanczos",)


def test_pictures_are_of_the_first_clip_of_each_source(folder: Path) -> None:
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, with_pictures=True)

    result = evaluate(job)

    assert [(shown["clip"], shown["frame"]) for shown in result.pictures] == [
        ("bees_1", 1),
        ("walk_1", 1),
    ]
    assert list(result.pictures[0]["crops"]) == ["ground truth", "bicubic"]
    assert evaluate(replace(job, with_pictures=False)).pictures == ()


def test_progress_counts_every_contestant_on_every_clip(folder: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    job = EvaluationJob(set=str(folder), models=("bicubic", "lanczos"), scale=2, only=("walk",))

    evaluate(job, lambda *step: steps.append(step))

    assert steps == [("walk_1: bicubic", 0, 2), ("walk_1: lanczos", 1, 2)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": 5}, "scale 5 is not there; allowed: 2, 3, 4"),
        ({"models": ()}, "no model given"),
        ({"limit": 0}, "limit must be at least 1 frame, got 0"),
        ({"set": ()}, "no set given; --set takes vid4"),
        ({"set": ("vid4", "x")}, "vid4 is a set of its own"),
        ({"frames": (("bicubic", Path()),)}, "'bicubic' is named twice"),
        ({"frames": (("ground truth", Path()),)}, "'ground truth' is what all are compared with"),
    ],
)
def test_impossible_jobs_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        EvaluationJob(**{"set": "vid4", "models": ("bicubic",), "scale": 4, **values})


def test_what_does_not_fit_is_said_before_the_work(folder: Path, vid4: Path) -> None:
    def message(job: EvaluationJob, kind: type[UpreelError]) -> str:
        with pytest.raises(kind) as caught:
            evaluate(job, lambda *_: pytest.fail("work began"))
        return str(caught.value)

    here = str(folder)
    job = EvaluationJob(set=here, models=("nope",), scale=2)
    assert message(job, UnknownModelError).startswith("no model 'nope'; there are: fast-x2")
    job = EvaluationJob(set="vid4", models=("bicubic",), scale=4)
    assert message(job, OptionError) == "--set vid4 needs --data DIR, the folder with GT and BIx4"
    job = EvaluationJob(set="vid4", data=vid4, models=("bicubic",), scale=4, only=("walk",))
    assert "vid4 is always all four clips" in message(job, OptionError)
    job = EvaluationJob(set=here, models=("opencv:FSRCNN",), scale=2)
    assert message(job, OptionError) == "opencv:FSRCNN needs --weights DIR with its .pb files"


def test_two_contestants_of_one_name_are_refused(folder: Path, vid4: Path, tmp_path: Path) -> None:
    (tmp_path / "frames" / "walk_1").mkdir(parents=True)
    job = EvaluationJob(
        set=str(folder), models=("my/card.json",), frames=(("repeat-x2", tmp_path / "frames"),),
        scale=2, only=("walk",),
    )  # fmt: skip

    class Renaming(StandIn):
        def load_card(self, name: str) -> object:
            return super().load_card({"my/card.json": "repeat-x2"}[name])

    with pytest.raises(OptionError, match="'repeat-x2' is named twice"):
        evaluate(job, lambda *_: pytest.fail("work began"), backend=Renaming())
    job = EvaluationJob(set="vid4", data=vid4, scale=4, frames=(("bicubic", tmp_path),))
    with pytest.raises(OptionError, match="'bicubic' is named twice"):
        evaluate(job, lambda *_: pytest.fail("work began"))


def test_vmaf_that_a_format_does_not_allow(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mkv", codec="ffv1", count=1, pix_fmt="bgr0")
    job = EvaluationJob(set=str(tmp_path), models=("bicubic",), scale=2, with_vmaf=None)

    assert "a is gbrp; VMAF takes gray" in evaluate(job).absent["vmaf"]
    with pytest.raises(OptionError, match=r"a\.mkv is gbrp; VMAF takes gray, .*--no-vmaf does"):
        evaluate(replace(job, with_vmaf=True), lambda *_: pytest.fail("work began"))


def test_published_figures_without_a_check_are_not_denied(vid4: Path) -> None:
    job = EvaluationJob(set="vid4", data=vid4, models=("lanczos",), scale=4, degradation="BD")

    assert evaluate(job).check.message == (
        "nothing to check the protocol against: no published bicubic for this input"
    )
    at_two = evaluate(replace(job, scale=2)).check.message
    assert at_two == "no published figure for this set and input"


def test_too_long_a_clip_is_refused_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "memory_available", lambda: 3_000_000)
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, only=("bees_2",))
    evaluate(job)
    monkeypatch.setattr(survey, "memory_available", lambda: 600_000)

    with pytest.raises(OptionError, match=r"bees_2\.mkv: 3 frames of 64x48 need about .* MiB "):
        evaluate(job, lambda *_: pytest.fail("work began"))


def test_a_model_of_another_scale_is_refused(folder: Path) -> None:
    job = EvaluationJob(set=str(folder), models=("repeat-x4",), scale=2)

    with pytest.raises(OptionError, match="repeat-x4 is a x4 model; --scale says 2"):
        evaluate(job, backend=StandIn())


def test_engine_options_reach_the_engine(folder: Path) -> None:
    asked: dict[str, object] = {}

    class Recording(StandIn):
        def open(self, card: object, **values: object) -> object:
            asked.update(values)
            return super().open(card, **values)

    options = EngineOptions(device="cpu", precision="f32", threads=1)
    job = EvaluationJob(
        set=str(folder), models=("repeat-x2",), scale=2, only=("walk",), engine=options
    )
    evaluate(job, backend=Recording())

    assert (asked["device"], asked["precision"], asked["threads"]) == ("cpu", "f32", 1)
    assert (asked["width"], asked["height"], asked["output_size"]) == (32, 24, (64, 48))


def test_a_self_ensemble_has_a_name_of_its_own(folder: Path) -> None:
    backend = StandIn(layout="luma")
    models = ("repeat-x2", "repeat-x2+ensemble")
    job = EvaluationJob(set=str(folder), models=models, scale=2, only=("walk",))

    result = evaluate(job, backend=backend)

    assert backend.ensembles == [False, True]
    assert [score.model for score in result.scores] == list(models)
    alone, ensemble = (result.facts[name] for name in models)
    assert ensemble["macs_per_pixel"] == 8 * alone["macs_per_pixel"]
    with pytest.raises(OptionError, match="repeat-x2 cannot be asked about a picture turned over"):
        evaluate(job, backend=StandIn(layout="packed"))


def test_a_quick_look_says_so(folder: Path) -> None:
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, limit=2)

    result = evaluate(job)

    assert result.check.message == (
        "a quick look at the first 2 frames of each clip: not the benchmark"
    )
    assert result.head["complete"] is False
    assert evaluate(replace(job, limit=None)).head["complete"] is True


def test_what_is_not_measured_is_named_with_the_reason(folder: Path) -> None:
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, only=("walk",))

    result = evaluate(job)

    assert result.absent["vmaf_neg"] == "not asked for"
    assert result.absent["warping_error"] == "not asked for"
    assert result.absent["ms_ssim_y"] == "walk_1 is 64x48; at least 176x176"


def test_motion_is_measured_where_it_is_asked_for(folder: Path) -> None:
    job = EvaluationJob(
        set=str(folder), models=("bicubic",), scale=2, only=("walk",), with_motion=True
    )

    result = evaluate(job)

    (score,) = result.scores
    assert {name: len(values) for name, values in score.frames.items() if "_y" not in name} == {
        "warping_error": 1,
        "motion_difference": 1,
        "temporal_difference": 1,
        "mse_cb": 2,
        "mse_cr": 2,
        "psnr_cb": 2,
        "psnr_cr": 2,
        "ssim_cb": 2,
        "ssim_cr": 2,
    }
    assert set(result.truth["walk_1"]) >= {"warping_error", "seen", "num_frames"}


def test_vmaf_by_default_is_left_out_without_its_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, with_vmaf=None)

    assert "VMAF needs the package imageio-ffmpeg" in evaluate(job).absent["vmaf"]
    with pytest.raises(BackendUnavailableError, match="VMAF needs the package"):
        evaluate(replace(job, with_vmaf=True))


def test_opening_a_network_is_not_counted_as_its_time(folder: Path) -> None:
    class Slow(StandIn):
        def open(self, card: object, **values: object) -> object:
            started = time.perf_counter()
            while time.perf_counter() - started < 0.5:
                pass
            return super().open(card, **values)

    job = EvaluationJob(set=str(folder), models=("repeat-x2",), scale=2, only=("walk",))

    (score,) = evaluate(job, backend=Slow()).scores
    assert score.seconds is not None
    assert score.seconds < 0.5


def test_the_command_makes_the_same_job_again() -> None:
    job = EvaluationJob(
        set=("a b", "c"),
        models=("bicubic", "x"),
        frames=(("other", Path("o")),),
        scale=3,
        degradation="BD",
        only=("bees",),
        limit=4,
        with_vmaf=True,
        with_motion=True,
        engine=EngineOptions(device="cpu", precision="f32", threads=2, weights=Path("w")),
    )

    assert command_line(job) == (
        "upreel evaluate --set 'a b' --set c --models bicubic,x --frames other=o --scale 3 "
        "--degradation BD --only bees --limit 4 --vmaf --weights w --device cpu --precision f32 "
        "--threads 2"
    )


def test_frames_of_another_system_are_a_row_without_a_speed(folder: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(2):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(frames / f"{number}.png")
    job = EvaluationJob(
        set=str(folder), frames=(("grey", frames),), scale=2, only=("walk",), with_motion=True
    )

    result = evaluate(job)

    truth = read_clip(folder / "walk_1.mkv")
    grey = 16 + 90 * 219 / 255
    expected = mse(truth.planes[1][0], np.full((48, 64), grey, np.float32))
    assert result.models == ("grey",)
    assert result.scores[0].frames["mse_y"][1] == pytest.approx(expected)
    assert result.fps("grey") is None
    assert result.facts["grey"]["kind"] == "frames"


def test_a_clip_without_frames_is_said_before_the_work(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "frames" / "bees_1").mkdir(parents=True)
    job = EvaluationJob(set=str(folder), frames=(("x", tmp_path / "frames"),), scale=2)

    with pytest.raises(InputError, match="has no folder bees_2; expected one with PNG files"):
        evaluate(job, lambda *_: pytest.fail("work began"))


def test_an_upv_file_is_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upreel.pipeline.upv_source.DefaultCodecs", StandInCodecs)
    clip = write_clip(tmp_path / "film.mkv", codec="ffv1", count=3)
    packed(clip, tmp_path / "film.upv", quality=63)
    read = [
        evaluate(EvaluationJob(set=str(path), models=("bicubic",), scale=2)).of_set("bicubic")
        for path in (clip, tmp_path / "film.upv")
    ]
    assert read[0]["psnr_y"] == read[1]["psnr_y"]
    job = EvaluationJob(
        set=str(tmp_path / "film.upv"), models=("bicubic",), scale=2, upv_codec="other"
    )
    with pytest.raises(ModelError, match=r"made by codec 'stand-in' .*, not by 'other'"):
        evaluate(job)
