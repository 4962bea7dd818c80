"""What is printed and the page that is written."""

import base64
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from clips import draw_frame, draw_planes, write_clip
from PIL import Image
from stand_in import StandIn

from upreel.errors import OutputError
from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.report import busiest_patch, summary, to_rgb, write_report
from upreel.evaluation.run import Evaluation, EvaluationJob, evaluate
from upreel.video.frame import Colour


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    folder = tmp_path / "set"
    folder.mkdir()
    write_clip(folder / "bees_1.mkv", codec="ffv1", count=2, width=128, height=112)
    return evaluate(EvaluationJob(set=str(folder), models=("bicubic", "lanczos"), scale=2))


def test_summary_has_a_row_for_each_source_and_model(evaluation: Evaluation) -> None:
    text = summary(evaluation)

    rows = [line.split()[:2] for line in text.splitlines()]
    for row in (["bees", "bicubic"], ["bees", "lanczos"], ["mean", "bicubic"], ["mean", "lanczos"]):
        assert row in rows
    value = evaluation.of_set("lanczos")["psnr_y"]
    assert f"{value:.3f}" in text


def test_the_page_holds_its_pictures_and_loads_nothing(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    page = write_report(evaluation, tmp_path / "report")

    sources: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            sources.extend(v for k, v in attrs if k in ("src", "href") and v)

    Reader().feed(page.read_text(encoding="utf-8"))
    assert len(sources) == 3  # ground truth, bicubic, lanczos
    for source in sources:
        head, data = source.split(",", 1)
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert head == "data:image/png;base64"
        assert picture.size == (192, 192)
    assert sources[0] != sources[1] != sources[2]
    stored = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert stored == evaluation.to_json()


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "a<b>&c"
    folder.mkdir()
    write_clip(folder / "x.mkv", codec="ffv1", count=1)
    evaluation = evaluate(EvaluationJob(set=str(folder), models=("bicubic",), scale=2))

    text = write_report(evaluation, tmp_path / "report").read_text(encoding="utf-8")

    assert "a<b>" not in text
    assert "a&lt;b&gt;&amp;c" in text


def test_an_unwritable_place_is_one_line(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")

    with pytest.raises(OutputError, match="cannot write the report to"):
        write_report(evaluation, tmp_path / "report")


@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_agree_with_swscale(matrix: int) -> None:
    planes = list(draw_planes(3))
    planes[1] = np.repeat(np.repeat(planes[1][::4, ::4], 4, 0), 4, 1)[:24, :32]  # smooth chroma
    planes[2] = np.full_like(planes[2], 150)
    planes[1][:] = 100
    clip = Clip(name="x", planes=(tuple(planes),), format=YUV420P, colour=Colour(matrix=matrix))
    frame = draw_frame(3)
    for plane, values in zip(frame.planes, planes, strict=True):
        memory = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        memory[: values.shape[0], : values.shape[1]] = values
    space = "ITU709" if matrix == 1 else "ITU601"
    expected = frame.reformat(format="rgb24", src_colorspace=space).to_ndarray()

    rgb = to_rgb(clip.planes[0], clip)

    assert np.abs(rgb.astype(int) - expected).max() <= 2


def test_the_busiest_patch_is_found() -> None:
    luma = np.full((300, 400), 90, np.uint8)
    luma[150:240:2, 250:340] = 200

    row, column = busiest_patch(luma)

    assert (row, column) == (144, 240)


def test_small_pictures_are_their_own_patch() -> None:
    assert busiest_patch(np.zeros((20, 30), np.uint8)) == (0, 0)


def test_networks_are_compared_with_every_filter(tmp_path: Path) -> None:
    write_clip(tmp_path / "bees_1.mkv", codec="ffv1", count=1)
    job = EvaluationJob(set=str(tmp_path), models=("repeat-x2", "bicubic", "lanczos"), scale=2)
    evaluation = evaluate(job, backend=StandIn())

    text = summary(evaluation)

    ours, theirs = (evaluation.of_set(m)["psnr_y"] for m in ("repeat-x2", "lanczos"))
    row = next(
        line.split()
        for line in text.splitlines()
        if line.startswith("mean") and "repeat-x2 over lanczos" in line
    )
    assert row[4] == f"{ours - theirs:+.3f}"
    assert text.count(" over ") == 4
