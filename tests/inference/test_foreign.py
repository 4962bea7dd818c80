"""Others' networks: what a file is is found by running it; levels go in and come out exactly.

Mutations tried: the half of rounding left away, no upper bound, 254 for 255 in either place, NCHW
for NHWC in either place, width and height swapped, the square of the answer not looked at, the
first number of channels taken without trying: each fails one of these tests or more.
"""

from pathlib import Path

import numpy as np
import pytest
from drawn_onnx import write_onnx

from upreel.errors import WeightsError
from upreel.inference.foreign import ForeignForm, ForeignNetwork, examine


def opened(path: Path, *, height: int, width: int) -> ForeignNetwork:
    return ForeignNetwork(
        path, examine(path), height=height, width=width, precision="f32", threads=1
    )


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 4), (1, 3)])
def test_channels_and_scale_are_found(tmp_path: Path, channels: int, scale: int) -> None:
    path = write_onnx(tmp_path / "a.onnx", channels=channels, scale=scale)

    assert examine(path) == ForeignForm(channels=channels, scale=scale)


def test_a_stored_size_is_replaced(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", size=(20, 30))

    assert examine(path).scale == 2
    assert opened(path, height=5, width=7)(np.zeros((5, 7, 1), np.uint8)).shape == (10, 14, 1)


def test_every_level_of_every_channel_is_rounded_in_its_place(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", channels=3, factor=1.0)
    picture = np.arange(256 * 3, dtype=np.uint32).reshape(16, 16, 3).astype(np.uint8)

    answer = opened(path, height=16, width=16)(picture)

    exact = picture / np.array([1.0, 2.0, 3.0])
    expected = np.floor(exact + 0.5).repeat(2, axis=0).repeat(2, axis=1)
    assert answer.dtype == np.uint8
    # Halves are as f32 has them: just below or just above.
    halves = (exact % 1 == 0.5).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(answer[~halves], expected[~halves])
    assert np.all(expected[halves] - answer[halves] <= 1)


def test_what_is_above_white_is_white(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", factor=2.0)

    answer = opened(path, height=2, width=2)(np.array([[10, 127], [128, 255]], np.uint8)[..., None])

    assert answer[::2, ::2, 0].tolist() == [[20, 254], [255, 255]]


def test_an_answer_is_the_callers_to_keep(tmp_path: Path) -> None:
    network = opened(write_onnx(tmp_path / "a.onnx"), height=2, width=2)

    first = network(np.full((2, 2, 1), 9, np.uint8))
    network(np.full((2, 2, 1), 7, np.uint8))

    assert (first == 9).all()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"channels": 5}, r"takes \[1,5,.*1 channel \(luma\) or 3 \(RGB\), does not go in"),
        ({"num_inputs": 2}, "has 2 inputs and 1 outputs; a network with one of each"),
        ({"answer_channels": 2}, r"answers \[1, 2, 128, 128\] to \[1,1,64,64\]"),
        ({"scale": 2, "columns": 3.0}, r"answers \[1, 1, 128, 192\]"),
        ({"scale": 2, "columns": 2.5}, r"answers \[1, 1, 128, 160\]"),
    ],
)
def test_another_network_is_refused_in_one_line(
    tmp_path: Path, settings: dict[str, float], reason: str
) -> None:
    path = write_onnx(tmp_path / "wrong.onnx", **settings)

    with pytest.raises(WeightsError, match=reason) as caught:
        examine(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no network")

    with pytest.raises(WeightsError, match=r"text\.onnx is no ONNX network that OpenVINO can read"):
        examine(path)
    with pytest.raises(WeightsError, match=r"nowhere\.onnx is missing"):
        examine(tmp_path / "nowhere.onnx")
