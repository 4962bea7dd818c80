"""Planes from any pixel format and back: every sample where it belongs, none changed."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.frame import VideoFrame
from clips import draw_frame, draw_planes

from upreel.errors import ProbeError
from upreel.video.formats import av_from_planes, pixel_format, planes_from_av
from upreel.video.frame import Plane

# What swscale, as another implementation, repacks without a change.
REPACKED = [
    ("yuv420p", "nv12"), ("yuv420p", "nv21"), ("yuv422p", "nv16"), ("yuv444p", "nv24"),
    ("yuv444p", "nv42"), ("yuv420p10le", "p010le"), ("yuv420p12le", "p012le"),
    ("yuv420p16le", "p016le"), ("yuv422p10le", "p210le"), ("yuv444p10le", "p410le"),
    ("yuv422p", "yuyv422"), ("yuv422p", "uyvy422"), ("yuv422p", "yvyu422"),
    ("yuv422p10le", "y210le"), ("yuv422p12le", "y212le"), ("yuv444p", "vuyx"),
    ("yuva444p", "vuya"), ("yuv420p10le", "yuv420p10be"), ("gray16le", "gray16be"),
    ("gbrp", "rgb24"), ("gbrp", "bgr24"), ("gbrp", "rgb0"), ("gbrp", "bgr0"), ("gbrp", "0rgb"),
    ("gbrp", "0bgr"), ("gbrap", "rgba"), ("gbrap", "bgra"), ("gbrap", "argb"), ("gbrap", "abgr"),
    ("gbrp16le", "rgb48le"), ("gbrp16le", "bgr48be"), ("gbrap16le", "rgba64be"),
    ("gbrap16le", "bgra64le"), ("gbrp10le", "x2rgb10le"), ("gbrp10le", "x2bgr10le"),
]  # fmt: skip


def flipped(frame: VideoFrame) -> VideoFrame:
    """The frame upside down, by negative line sizes: no sample is moved."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    graph.link_nodes(source, graph.add("vflip"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def assert_same(got: tuple[Plane, ...], wanted: tuple[Plane, ...]) -> None:
    assert len(got) == len(wanted)
    for n, (plane, expected) in enumerate(zip(got, wanted, strict=True)):
        assert plane.dtype == expected.dtype
        np.testing.assert_array_equal(plane, expected, err_msg=f"plane {n}")


@pytest.mark.parametrize(
    ("name", "planar", "bits", "log2_chroma"),
    [
        ("yuvj420p", "yuv420p", 8, (1, 1)),
        ("nv12", "yuv420p", 8, (1, 1)),
        ("p010le", "yuv420p10le", 10, (1, 1)),
        ("yuv411p", "yuv411p", 8, (2, 0)),
        ("yuv440p", "yuv440p", 8, (0, 1)),
        ("yuv444p12be", "yuv444p12le", 12, (0, 0)),
        ("gray16be", "gray16le", 16, (0, 0)),
        ("pal8", "gbrp", 8, (0, 0)),
        ("bgr0", "gbrp", 8, (0, 0)),
        ("rgba64le", "gbrap16le", 16, (0, 0)),
        ("ya8", "gbrap", 8, (0, 0)),
        ("monow", "gray", 8, (0, 0)),
    ],
)
def test_planar_form(name: str, planar: str, bits: int, log2_chroma: tuple[int, int]) -> None:
    fmt = pixel_format(name)

    assert (fmt.name, fmt.bits, fmt.log2_chroma) == (planar, bits, log2_chroma)


@pytest.mark.parametrize("name", ["bayer_bggr8", "gbrpf32le", "xyz12le", "cuda", "nonsense", ""])
def test_formats_without_such_planes_are_refused(name: str) -> None:
    with pytest.raises(ProbeError, match=repr(name)):
        pixel_format(name)


@pytest.mark.parametrize(("planar", "name"), REPACKED)
@pytest.mark.parametrize("size", [(64, 48), (37, 23)])
def test_samples_survive_repacking_by_swscale(
    planar: str, name: str, size: tuple[int, int]
) -> None:
    width, height = size
    if width % 2 and ("nv" in name or name[0] in "py" or name[:2] == "uy"):
        width += 1  # swscale leaves the half sample out; odd widths are tested below
    wanted = draw_planes(5, planar, width=width, height=height)
    packed = av_from_planes(wanted, pixel_format(planar)).reformat(format=name, threads=1)

    assert packed.format.name == name
    assert_same(planes_from_av(packed, pixel_format(name)), wanted)


@pytest.mark.parametrize(
    "name",
    ["yuv420p", "yuv422p10le", "yuv444p12le", "yuva420p", "gray", "gray12le", "gbrp", "gbrap16le"],
)
@pytest.mark.parametrize("size", [(64, 48), (65, 49), (1, 1)])
def test_planes_go_round(name: str, size: tuple[int, int]) -> None:
    fmt = pixel_format(name)
    planes = draw_planes(9, name, width=size[0], height=size[1])

    assert_same(planes_from_av(av_from_planes(planes, fmt), fmt), planes)


def test_rgb_order_is_that_of_numpy() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10, 20, 30

    for frame in (
        VideoFrame.from_ndarray(image, format="rgb24"),
        VideoFrame.from_ndarray(image, format="rgb24").reformat(format="gbrp"),
    ):
        red, green, blue = planes_from_av(frame, pixel_format(frame.format.name))
        assert (red[0, 0], green[0, 0], blue[0, 0]) == (10, 20, 30)


def test_odd_width_with_half_chroma_has_the_last_chroma_sample() -> None:
    frame = VideoFrame(5, 2, "nv12")
    memory = frame.planes[1]
    np.frombuffer(memory, np.uint8)[:6] = [1, 2, 3, 4, 5, 6]

    _, cb, cr = planes_from_av(frame, pixel_format("nv12"))

    assert cb.tolist() == [[1, 3, 5]]
    assert cr.tolist() == [[2, 4, 6]]


def test_palette_becomes_its_colours() -> None:
    palette = np.zeros((256, 4), np.uint8)
    palette[:3] = [(255, 1, 2, 3), (255, 4, 5, 6), (255, 7, 8, 9)]  # A, R, G, B
    frame = VideoFrame.from_ndarray((np.array([[0, 1], [1, 2]], np.uint8), palette), format="pal8")

    red, green, blue = planes_from_av(frame, pixel_format("pal8"))

    assert red.tolist() == [[1, 4], [4, 7]]
    assert green.tolist() == [[2, 5], [5, 8]]
    assert blue.tolist() == [[3, 6], [6, 9]]


def test_grey_with_alpha_is_rgb_with_alpha() -> None:
    frame = VideoFrame(2, 1, "ya8")
    np.frombuffer(frame.planes[0], np.uint8)[:4] = [7, 200, 8, 100]

    red, green, blue, alpha = planes_from_av(frame, pixel_format("ya8"))

    assert red.tolist() == green.tolist() == blue.tolist() == [[7, 8]]
    assert alpha.tolist() == [[200, 100]]


def test_lines_from_bottom_to_top_are_turned() -> None:
    frame = flipped(draw_frame(3, "yuv420p"))
    assert frame.planes[0].line_size < 0

    got = planes_from_av(frame, pixel_format("yuv420p"))

    assert_same(got, tuple(plane[::-1] for plane in draw_planes(3, "yuv420p")))


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "rgb24", "yuv420p10le"])
def test_planes_are_read_only_views_that_keep_their_memory(name: str) -> None:
    frame = draw_frame(4, name)
    planes = planes_from_av(frame, pixel_format(name))
    before = [plane.copy() for plane in planes]

    assert all(not plane.flags.owndata and not plane.flags.writeable for plane in planes)
    address = planes[0].__array_interface__["data"][0]
    assert address == frame.planes[0].buffer_ptr
    del frame
    for n in range(8):  # would reuse the memory if it were free
        draw_frame(n, name)
    assert_same(planes, tuple(before))


def test_a_frame_of_another_format_is_refused() -> None:
    with pytest.raises(ProbeError, match="yuv422p"):
        planes_from_av(draw_frame(0, "yuv422p"), pixel_format("yuv420p"))


def test_planes_of_a_wrong_size_are_refused() -> None:
    planes = draw_planes(0, "yuv420p", width=8, height=8)

    with pytest.raises(ValueError, match=r"plane 1 .* \(4, 4\)"):
        av_from_planes((planes[0], planes[1][:2], planes[2]), pixel_format("yuv420p"))
    with pytest.raises(ValueError, match="3 planes"):
        av_from_planes(planes[:2], pixel_format("yuv420p"))


def test_every_format_is_either_planar_here_or_refused() -> None:
    for name in sorted(av.video.frame.supported_np_pix_fmts):
        try:
            fmt = pixel_format(name)
        except ProbeError:
            continue
        assert 8 <= fmt.bits <= 16
        planes = planes_from_av(VideoFrame(16, 8, name), fmt)
        assert len(planes) == fmt.num_planes
        assert planes[0].shape == (8, 16)
