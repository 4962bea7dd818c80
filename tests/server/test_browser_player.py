"""The browser player from end to end: Chromium, driven by playwright-core, on a server here.

Mutations tried: Cb and Cr exchanged in the shader, the slider without effect.
"""

import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import SubtitleTrack, write_clip
from PIL import Image
from serving import Running
from web_build import WAIT, built, chromium, done, node

from upreel.inference.browser import BrowserModel, Planes, read_model, run
from upreel.zoo import ladder, load_card

ROOT = Path(__file__).parents[2]
CITY = ROOT / "examples" / "media" / "city.mp4"
AUTO = ladder("fast", 2)
OTHERS = ("fast-x2-s", "fast-x2-clean", "fast-x3")


def scenario(running: Running, name: str, title: str, *arguments: object) -> Any:  # noqa: ANN401
    """What a scenario of `web/tests/run_player.ts` found; a complaint of the page fails it."""
    web = built()
    address = f"{running.address}/watch/{running.titles()[title]['id']}"
    script = web / "build" / "run_player.mjs"
    command = [node(), str(script), chromium(), address, name, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    if name not in ("survives", "library"):  # where requests fail on purpose
        assert found["complaints"] == []
    return found["result"]


def planes_of(file: Path, width: int, height: int) -> list[np.ndarray]:
    flat = np.fromfile(file, np.uint8)
    luma, rest = flat[: width * height], flat[width * height :]
    return [luma.reshape(height, width), *rest.reshape(2, height // 2, width // 2)]


def frames_of(path: Path) -> list[Planes]:
    from scripts_as_modules import module_of

    return module_of("scripts/make_browser_models.py").clip_frames(path)


def nearest(shown: list[np.ndarray], frames: list[Planes]) -> int:
    """Number of the frame that a picture was made of, by its luma at a quarter of the size."""
    small = shown[0][::2, ::2].astype(np.int32)
    return int(np.argmin([np.abs(small - frame[0]).mean() for frame in frames]))


def rgb(planes: Planes | list[np.ndarray]) -> np.ndarray:
    """Limited-range BT.709 planes as colours, chroma sited left, bilinear: as swscale has it."""
    luma, *chroma = planes
    height, width = luma.shape
    y = (luma.astype(np.float64) - 16) / 219
    columns = np.clip(np.arange(width) / 2, 0, chroma[0].shape[1] - 1)
    rows = np.clip((np.arange(height) - 0.5) / 2, 0, chroma[0].shape[0] - 1)

    def whole(plane: np.ndarray) -> np.ndarray:
        value = (plane.astype(np.float64) - 128) / 224
        left, above = np.floor(columns).astype(int), np.floor(rows).astype(int)
        right = np.minimum(left + 1, plane.shape[1] - 1)
        below = np.minimum(above + 1, plane.shape[0] - 1)
        wide = value[:, left] + (value[:, right] - value[:, left]) * (columns - left)
        return wide[above] + (wide[below] - wide[above]) * (rows - above)[:, None]

    cb, cr = (whole(plane) for plane in chroma)
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1) * 255


@pytest.fixture(autouse=True)
def page() -> None:
    """A server reads the built page when it begins: it must be there before any is started."""
    built()


@pytest.fixture
def city(start: Callable[..., Running]) -> Running:
    return start(CITY, rungs=(90,))


def test_the_sources_are_formatted_and_typed_and_their_units_right() -> None:
    web = built()

    done(["npx", "--no-install", "biome", "check", "--error-on-warnings", "."], web)
    done(["npx", "--no-install", "tsc", "--noEmit"], web)
    done(["npx", "--no-install", "vitest", "run"], web)


def test_it_plays_pauses_and_seeks_and_shows_the_expected_frame(
    city: Running, tmp_path: Path
) -> None:
    file, picture = tmp_path / "shown.yuv", tmp_path / "stage.png"

    found = scenario(city, "plays", "city", file, picture)

    playing, after = found["playing"], found["after"]
    assert playing["plain"] is None
    assert playing["stats"]["backend"].startswith("WASM")
    assert playing["stats"]["answer"] == "640×360"  # noqa: RUF001
    assert playing["upscaled"] > 0
    assert not playing["paused"]
    assert after["paused"]
    assert found["pausedAt"] > 0.5
    shown = planes_of(file, 640, 360)
    frames = frames_of(CITY)
    number = nearest(shown, frames)
    assert abs(number / 25 - found["shown"]["mediaTime"]) < 0.15
    model = network_of(found["after"])
    # None before it, since it was sought; a busy browser may have shown the one before on the way.
    differences = [
        [
            int(np.abs(a.astype(int) - b).max())
            for a, b in zip(shown, run(model, [frames[number], frames[before]]), strict=True)
        ]
        for before in (number, number - 1)
    ]
    assert [0, 0, 0] in differences, differences
    with Image.open(picture) as image:
        seen = np.asarray(image.convert("RGB").resize((640, 360), Image.Resampling.BOX), float)
    colours = rgb(shown)
    assert np.abs(seen.mean(axis=(0, 1)) - colours.mean(axis=(0, 1))).max() < 1.5
    assert np.abs(seen - colours).mean() < 6  # it was resized to the window and back


def network_of(state: dict[str, Any]) -> BrowserModel:
    """The network that a page showed: which one keeps up is the machine's to say."""
    name = state["stats"]["model"]
    return read_model((load_card(name).folder / f"{name}.web").read_bytes())


def test_the_slider_divides_the_picture_and_everything_has_a_name(
    city: Running, tmp_path: Path
) -> None:
    found = scenario(city, "looks", "city", tmp_path)

    assert all(found["names"])
    assert len(set(found["names"])) == len(found["names"])
    assert found["wide"] <= 390
    pictures = {}
    for name in ("whole", "half", "quarter"):
        with Image.open(tmp_path / f"{name}.png") as image:
            pictures[name] = np.asarray(image.convert("L"), float)
    whole, half, quarter = (pictures[name] for name in ("whole", "half", "quarter"))
    width = whole.shape[1]
    middle = slice(whole.shape[0] // 4, whole.shape[0] // 2 - 40)  # beside labels and handle

    def apart(one: np.ndarray, other: np.ndarray, begin: float, end: float) -> float:
        part = middle, slice(round(width * begin), round(width * end))
        return float(np.abs(one[part] - other[part]).mean())

    assert apart(whole, half, 0.05, 0.45) < 0.1
    assert apart(whole, half, 0.55, 0.95) > 1
    assert apart(half, quarter, 0.3, 0.45) > 1
    assert apart(half, quarter, 0.55, 0.95) < 0.1


def test_versions_and_networks_change_in_the_middle(city: Running) -> None:
    wanted = [f"{name}={name}" for name in OTHERS]

    found = scenario(city, "switches", "city", *wanted, "off=bilinear", f"auto={'|'.join(AUTO)}")

    assert [stats["source"] for stats in found[:2]] == ["320×180", "160×90"]  # noqa: RUF001
    assert [stats["model"] for stats in found[2:-1]] == [*OTHERS, "bilinear"]
    assert found[-1]["model"] in AUTO
    assert found[4]["answer"] == "480×270"  # noqa: RUF001
    assert found[5]["reason"] == "upscaling is switched off"


def test_stopped_pages_and_lost_networks_come_back(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    long = write_clip(
        tmp_path / "long.mp4", count=25 * 90, options={"g": "100", "preset": "ultrafast"}
    )
    running = start(CITY, long, rungs=())
    address = f"{running.address}/watch/{running.titles()['long']['id']}"

    found = scenario(running, "survives", "city", address)

    assert found["gap"] > 0.4  # seconds of which no frame was drawn
    assert found["back"]["plain"] is None
    assert "lost" in found["lost"]["message"]
    assert found["again"]["message"] == ""
    assert found["again"]["time"] == pytest.approx(found["target"], abs=0.1)


def test_a_page_that_is_hidden_goes_on_at_the_present(city: Running) -> None:
    """The sound plays on and nothing is drawn; what was missed is not made up for."""
    found = scenario(city, "hides", "city")

    hidden, still, back = found["hidden"], found["still"], found["back"]
    assert still["drawn"] == hidden["drawn"]
    assert still["time"] != hidden["time"]
    assert not still["paused"]
    assert still["message"] == hidden["message"]
    assert back["drawn"] >= still["drawn"] + 5
    assert back["plain"] is None
    assert found["late"] < 0.5


def test_full_screen_is_filled_and_left(city: Running) -> None:
    found = scenario(city, "fills", "city")

    for name in ("byKey", "byButton"):
        (width, height), (columns, rows) = found[name]["canvas"], found[name]["screen"]
        assert 0.9 * columns < width <= columns  # what the controls below it leave
        assert 0.8 * rows < height <= rows
        assert width > found["before"]["canvas"][0]
        assert width / height == pytest.approx(16 / 9, rel=0.01)
        assert found[name]["hasControls"]  # beside the picture there is still something to click
    for name in ("after", "left"):
        assert found[name] == found["before"]
    assert found["state"]["upscaled"] > 0


def test_captions_are_above_the_picture_and_a_title_goes_on_where_it_was_left(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    words = SubtitleTrack(lines=((Fraction(2), Fraction(4), "so it begins"),))
    film = write_clip(
        tmp_path / "spoken.mkv", count=25 * 40, options={"g": "50"}, subtitles=[words]
    )

    found = scenario(start(film, rungs=()), "reads", "spoken", 3)

    assert found["shown"] == ["so it begins"]
    assert found["state"]["time"] == pytest.approx(20, abs=1)
    assert found["state"]["message"] == "Goes on at 0:20"


def test_a_title_that_cannot_be_read_says_so_in_the_library(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "broken.mp4").write_bytes(b"no video at all" * 100)
    write_clip(tmp_path / "films" / "good.mp4")

    found = scenario(start(tmp_path / "films", rungs=()), "library", "good")

    assert len(found["broken"]) == 1
    assert "not playable" in found["broken"][0]
    assert found["pictures"] == [""]  # the good one's


def test_without_a_network_the_picture_is_bilinear_and_says_so(
    city: Running, tmp_path: Path
) -> None:
    file = tmp_path / "shown.yuv"

    found = scenario(city, "bilinear", "city", file)

    assert found["state"]["stats"]["reason"] == "bilinear was asked for"
    assert found["state"]["upscaled"] == 0
    frames = frames_of(CITY)
    shown = planes_of(file, 320, 180)
    assert min(int(np.abs(shown[0].astype(int) - frame[0]).max()) for frame in frames) == 0


def test_webgpu_gives_the_float_network_on_tiny_frames(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "tiny.mp4", width=48, height=32, count=12)
    file = tmp_path / "shown.yuv"

    found = scenario(start(clip, rungs=()), "webgpu", "tiny", file)

    trial = found["trials"][0]
    assert trial["backend"].startswith("WebGPU"), trial
    assert trial["milliseconds"] is not None, trial["reason"]
    model = network_of(found)
    shown, frames = planes_of(file, 96, 64), frames_of(clip)
    answers = [run(model, [frame, frame]) for frame in frames]
    apart = [np.abs(shown[0].astype(int) - answer[0]).mean() for answer in answers]
    assert min(apart) < 1.5


def test_a_clip_is_really_what_the_tests_think() -> None:
    with av.open(str(CITY)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (320, 180, 25.0)
