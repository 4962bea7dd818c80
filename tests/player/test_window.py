"""The window with SDL's dummy drivers: what is drawn, in the right colours and places."""

from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clips import draw_planes
from playing import clip, repeating

from upreel.player import PlayConfig, play
from upreel.player.commands import Command
from upreel.player.presenter import View
from upreel.player.shelf import Picture
from upreel.player.window import WindowPresenter
from upreel.video.display import DISPLAY
from upreel.video.frame import Frame, Plane

# Y, Cb, Cr of limited range and what they are in R'G'B' (H.273): red and blue of both matrices.
RED = {False: (81, 90, 240), True: (63, 102, 240)}
BLUE = {False: (41, 240, 110), True: (32, 240, 118)}


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Generator[WindowPresenter]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    presenter = WindowPresenter((256, 192))
    yield presenter
    presenter.close()


def flat(levels: tuple[int, int, int], width: int, height: int) -> tuple[Plane, ...]:
    half = (height // 2, width // 2)
    sizes = ((height, width), half, half)
    return tuple(np.full(size, v, np.uint8) for size, v in zip(sizes, levels, strict=True))


def picture(
    planes: tuple[Plane, ...], enlarged: tuple[Plane, ...] | None = None, *, bt709: bool = False
) -> Picture:
    frame = Frame(planes=planes, format=DISPLAY, index=0, pts=0, time_base=Fraction(1, 25))
    return Picture(
        frame=frame, window=(planes,), bt709=bt709, media=0, duration=0.04, arrived=0, decoded=0,
        enlarged=enlarged, rung="fast-x2" if enlarged else "",
    )  # fmt: skip


def mean(pixels: np.ndarray) -> list[float]:
    return list(pixels.reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize("bt709", [False, True])
def test_colours_are_those_of_the_matrix(window: WindowPresenter, bt709: bool) -> None:
    window.show(picture(flat(RED[bt709], 64, 48), bt709=bt709), View())
    assert mean(window.pixels()) == pytest.approx([255, 0, 0], abs=6)
    window.show(picture(flat(BLUE[bt709], 64, 48), bt709=bt709), View())
    assert mean(window.pixels()) == pytest.approx([0, 0, 255], abs=6)


def test_black_and_white_are_black_and_white(window: WindowPresenter) -> None:
    window.show(picture(flat((16, 128, 128), 64, 48)), View())
    assert window.pixels().max() <= 1
    window.show(picture(flat((235, 128, 128), 64, 48)), View())
    assert window.pixels().min() >= 254


def test_another_shape_has_black_bars(window: WindowPresenter) -> None:
    white = picture(flat((235, 128, 128), 64, 24))
    window.show(white, View())
    drawn = window.pixels()
    assert drawn[:48].max() == 0
    assert drawn[144:].max() == 0
    assert drawn[50:142].min() > 250

    window.show(None, View(aspect=0.5))  # samples that are half as wide as high
    drawn = window.pixels()
    assert drawn.min() > 250 or drawn[2:-2, 2:-2].min() > 250


def test_a_picture_that_is_to_be_turned_is_turned(window: WindowPresenter) -> None:
    planes = flat((16, 128, 128), 64, 48)
    planes[0][:, :32] = 235  # the left half is white
    window.show(picture(planes), View(rotation=90))  # counter-clockwise: left goes down

    drawn = window.pixels().mean(axis=2)
    columns = slice(64, 192)
    assert drawn[8:80, columns].mean() < 10
    assert drawn[112:184, columns].mean() > 245
    assert drawn[:, :52].max() == 0  # 192 rows high, 144 columns wide


def test_the_slider_shows_the_plain_picture_at_its_left(window: WindowPresenter) -> None:
    shown = picture(flat(RED[False], 64, 48), flat(BLUE[False], 256, 192))
    window.show(shown, View())
    assert mean(window.pixels()) == pytest.approx([0, 0, 255], abs=6)

    window.show(None, View(compare=0.25, rung="fast-x2"))
    drawn = window.pixels()
    below = drawn[64:]  # above are the words
    assert mean(below[:, :60]) == pytest.approx([255, 0, 0], abs=6)
    assert mean(below[:, 68:]) == pytest.approx([0, 0, 255], abs=6)
    assert below[:, 63:65].min() == 255  # the line
    words = drawn[:64, 68:].astype(int)
    assert (words.min(axis=2) > 150).sum() > 20


def test_words_are_drawn_and_go_away(window: WindowPresenter) -> None:
    black = picture(flat((16, 128, 128), 64, 48))
    view = View(overlay=("1.0 fps", "fast-x2"), caption="Hello", message="volume 70%")
    window.show(black, view)
    drawn = window.pixels().max(axis=2)
    assert (drawn[:60, :100] > 200).any()  # statistics
    assert (drawn[:60, 150:] > 200).any()  # the message
    assert (drawn[140:, 60:200] > 200).any()  # the subtitle
    assert not (drawn[70:130] > 20).any()

    window.show(None, replace(view, overlay=(), caption="", message=""))
    assert window.pixels().max() <= 1


def test_keys_and_mouse_ask_for_what_they_should(window: WindowPresenter) -> None:
    import sdl2

    def key(name: bytes, *, repeat: int = 0) -> sdl2.SDL_Event:
        event = sdl2.SDL_Event()
        event.type = sdl2.SDL_KEYDOWN
        event.key.keysym.sym = sdl2.SDL_GetKeyFromName(name)
        event.key.repeat = repeat
        return event

    def mouse(kind: int, x: int) -> sdl2.SDL_Event:
        event = sdl2.SDL_Event()
        event.type = kind
        event.button.button, event.button.clicks, event.button.x = sdl2.SDL_BUTTON_LEFT, 1, x
        if kind == sdl2.SDL_MOUSEMOTION:
            event.motion.x = x
        return event

    window.show(picture(flat((16, 128, 128), 64, 48)), View(compare=0.5))
    window.commands(0)  # what opening the window gave
    events = [
        key(b"Space"), key(b"Space", repeat=1), key(b"Right", repeat=1), key(b"Z"), key(b"PageUp"),
        mouse(sdl2.SDL_MOUSEMOTION, 10), mouse(sdl2.SDL_MOUSEBUTTONDOWN, 64),
        mouse(sdl2.SDL_MOUSEMOTION, 128), mouse(sdl2.SDL_MOUSEBUTTONUP, 128),
        mouse(sdl2.SDL_MOUSEMOTION, 200), key(b"Escape"),
    ]  # fmt: skip
    for event in events:
        assert sdl2.SDL_PushEvent(event) == 1

    assert list(window.commands(0)) == [
        Command("pause"), Command("seek", 5.0), Command("previous"), Command("slide-to", 0.25),
        Command("slide-to", 0.5), Command("quit"),
    ]  # fmt: skip


def test_a_film_plays_in_a_window_with_sound(
    window: WindowPresenter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    film = clip(tmp_path_factory.mktemp("window") / "film.mp4", count=30)
    config = PlayConfig(sources=(str(film),), compare=True, overlay=True)

    (stats,) = play(config, window, opened=repeating()).titles

    assert stats.shown + stats.skipped == 30
    assert stats.notices == []
    assert stats.shown_size == (256, 192)
    assert len(stats.offset_ms) > 5
    assert abs(stats.offset_ms.summary()["median"]) < 40
    drawn = window.pixels()
    expected = draw_planes(29)[0]
    assert abs(float(drawn.mean()) - float(expected.mean())) < 40
    assert drawn.std() > 30


def test_without_a_screen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from upreel.errors import BackendUnavailableError

    monkeypatch.setenv("SDL_VIDEODRIVER", "nonesuch")
    with pytest.raises(BackendUnavailableError, match=r"no screen.*--no-window"):
        WindowPresenter()
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sdl2.SDL_GetCurrentVideoDriver", lambda: b"offscreen")
    monkeypatch.setattr("sdl2.SDL_Init", lambda _flags: 0)
    with pytest.raises(BackendUnavailableError, match="there is no screen; --no-window"):
        WindowPresenter()
