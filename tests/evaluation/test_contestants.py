"""Peers by their names: swscale's kernels and ONNX files, asked like any other contestant.

Mutations tried: another kernel than asked for, chroma from luma's plane, red and blue exchanged,
the file's scale not compared, int8 let through: each fails one of these tests or more.
"""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import draw_planes
from drawn_onnx import write_onnx

from upreel.errors import BackendUnavailableError, InputError, OptionError, UnknownModelError
from upreel.evaluation.clips import YUV420P, Clip, luma_clip
from upreel.evaluation.contestants import Contestant, EngineOptions, Expected, open_contestant
from upreel.evaluation.degrade import resize
from upreel.pipeline.backend import DefaultBackend
from upreel.video.frame import Colour, PixelFormat
from upreel.zoo import ModelCard

CLIP = Clip(
    name="drawn",
    planes=tuple(draw_planes(n) for n in range(2)),
    format=YUV420P,
    colour=Colour(matrix=1, full_range=False, chroma_location=1),
)


def opened(name: str, scale: int = 2, **options: str) -> Contestant:
    return open_contestant(name, scale, EngineOptions(device="cpu", **options), DefaultBackend())


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos", "spline"])
def test_swscale_runs_with_the_kernel_asked_for(kernel: str) -> None:
    contestant = opened(f"pyav:{kernel}")
    contestant.prepare(CLIP)

    answers = list(contestant.enhance(CLIP, 2))

    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=48, format=av.VideoFormat("yuv420p"), time_base="1")
    scale = graph.add("scale", f"128:96:flags={kernel}")
    graph.link_nodes(source, scale, graph.add("buffersink")).configure()
    for answer, planes in zip(answers, CLIP.planes, strict=True):
        frame = av.VideoFrame.from_ndarray(
            np.concatenate([plane.ravel() for plane in planes]).reshape(72, 64), format="yuv420p"
        )
        graph.vpush(frame)
        expected = graph.vpull().to_ndarray()[:96]
        assert np.abs(answer[0].astype(int) - expected).max() <= 1
        assert [plane.shape for plane in answer] == [(96, 128), (48, 64), (48, 64)]
    assert contestant.facts["kind"] == "filter"
    assert contestant.facts["engine"] == f"PyAV {av.__version__}"


def test_a_luma_network_leaves_chroma_to_bicubic(tmp_path: Path) -> None:
    contestant = opened(f"onnx:{write_onnx(tmp_path / 'a.onnx')}")

    answers = list(contestant.enhance(CLIP, 2))

    bicubic = resize(CLIP, 128, 96, "bicubic")
    for answer, low, large in zip(answers, CLIP.planes, bicubic.planes, strict=True):
        np.testing.assert_array_equal(answer[0], low[0].repeat(2, axis=0).repeat(2, axis=1))
        for plane, expected in zip(answer[1:], large[1:], strict=True):
            assert np.abs(plane - expected.astype(np.float32)).max() <= 0.5
    assert contestant.facts["kind"] == "peer"
    assert contestant.facts["precision"] == "f32"
    assert contestant.facts["engine"].startswith("openvino ")
    grey = list(contestant.enhance(luma_clip(CLIP), 2))
    assert [len(planes) for planes in grey] == [1, 1]
    np.testing.assert_array_equal(grey[1][0], answers[1][0])


def test_a_colour_network_sees_red_green_and_blue(tmp_path: Path) -> None:
    # Green is halved, blue divided by three: what is red stays, what is green gets darker.
    contestant = opened(f"onnx:{write_onnx(tmp_path / 'a.onnx', channels=3)}")

    def luma_of(levels: tuple[int, int, int]) -> int:
        planes = tuple(
            np.full(size, level, np.uint8)
            for size, level in zip(((48, 64), (24, 32), (24, 32)), levels, strict=True)
        )
        clip = Clip(name="flat", planes=(planes,), format=YUV420P, colour=CLIP.colour)
        ((luma, *chroma),) = contestant.enhance(clip, 2)
        assert luma.shape == (96, 128)
        assert [plane.shape for plane in chroma] == [(48, 64), (48, 64)]
        return int(luma[10, 10])

    # BT.709: red is (63, 102, 240), green (173, 42, 26), blue (32, 240, 118).
    assert luma_of((63, 102, 240)) == pytest.approx(63, abs=1)
    assert luma_of((173, 42, 26)) == pytest.approx(16 + (173 - 16) / 2, abs=1)
    assert luma_of((32, 240, 118)) == pytest.approx(16 + (32 - 16) / 3, abs=1)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", scale=3)

    with pytest.raises(OptionError, match=r"a\.onnx is a x3 network, not x2"):
        opened(f"onnx:{path}")
    with pytest.raises(BackendUnavailableError, match=r"cannot run in int8; it can in: .*f32"):
        opened(f"onnx:{path}", 3, precision="int8")
    with pytest.raises(OptionError, match="no kernel 'sinc'; there are: bicubic, lanczos, spline"):
        opened("pyav:sinc")
    with pytest.raises(UnknownModelError, match=r"opencv:NAME, pyav:KERNEL, onnx:FILE, NAME\+ens"):
        opened("nothing")
    deep = PixelFormat(name="yuv420p10le", model="yuv", bits=10, log2_chroma=(1, 1))
    expected = Expected(name="deep", format=deep, width=64, height=48, num_frames=1)
    with pytest.raises(InputError, match="takes 8-bit luma, deep is yuv420p10le"):
        opened(f"onnx:{path}", 3).check([expected])


def test_a_network_that_carries_a_state_goes_along_the_clip(
    small_cards: Callable[[str], ModelCard],
) -> None:
    card = small_cards("frame-recurrent")
    path = card.folder / f"{card.name}.json"
    contestant = opened(str(path), 4, precision="f32")
    contestant.prepare(CLIP)

    once, again = (list(contestant.enhance(CLIP, 4)) for _ in range(2))

    assert [plane.shape for plane in once[0]] == [(192, 256), (96, 128), (96, 128)]
    for first, second in zip(once, again, strict=True):
        np.testing.assert_array_equal(first[0], second[0])
    assert contestant.facts["kind"] == "network"
    assert contestant.facts["sha256"] == card.sha256
