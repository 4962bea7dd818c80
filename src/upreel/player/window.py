# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# pysdl2 is not typed: its structures are made by ctypes.
"""A window by SDL2: planes go up as they are, and the renderer makes colours of them.

The picture is a texture of Y'CbCr; beside the compare slider lies the picture as decoded, another
one. Text is small images on top. With SDL's dummy drivers all of this works without a screen.
"""

import ctypes
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from upreel.errors import BackendUnavailableError
from upreel.player.commands import KEYS, Command
from upreel.player.overlay import text_image
from upreel.player.presenter import Samples, SoundDevice, View
from upreel.player.shelf import Picture
from upreel.video.frame import Plane
from upreel.video.pieces import SOUND_RATE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it tells where its library is
    import sdl2
    import sdl2.surface

__all__ = ["WindowPresenter"]

_BLOCK = 512  # samples that the sound device takes at once: 11 ms
_BORDER = 0.9  # share of the screen that a window takes, at most
_MATRICES = {
    False: sdl2.surface.SDL_YUV_CONVERSION_BT601,
    True: sdl2.surface.SDL_YUV_CONVERSION_BT709,
}
_UNSEEN = ("dummy", "offscreen", "evdev")  # what SDL takes where there is no screen
_BYTES = ctypes.POINTER(ctypes.c_ubyte)


def _error() -> str:
    return (sdl2.SDL_GetError() or b"?").decode("utf-8", "replace")


class _Texture:
    """A texture of planes, made anew where its size or matrix changes."""

    def __init__(self, renderer: Any) -> None:  # noqa: ANN401 - pysdl2 has no types
        self._renderer = renderer
        self._kind: tuple[int, int, bool] | None = None
        self.handle: Any = None

    def fill(self, planes: Sequence[Plane], *, bt709: bool) -> None:
        """Upload Y, Cb and Cr."""
        height, width = planes[0].shape
        kind = (width, height, bt709)
        if kind != self._kind:
            self.close()
            sdl2.SDL_SetYUVConversionMode(_MATRICES[bt709])
            self.handle = sdl2.SDL_CreateTexture(
                self._renderer, sdl2.SDL_PIXELFORMAT_IYUV, sdl2.SDL_TEXTUREACCESS_STREAMING,
                width, height,
            )  # fmt: skip
            if not self.handle:
                raise BackendUnavailableError(f"no picture of {width}x{height} fits: {_error()}")
            self._kind = kind
        arguments: list[Any] = []
        rows = [p if p.strides[1] == 1 else np.ascontiguousarray(p) for p in planes]
        for plane in rows:
            arguments += [plane.ctypes.data_as(_BYTES), plane.strides[0]]
        if sdl2.SDL_UpdateYUVTexture(self.handle, None, *arguments):
            raise BackendUnavailableError(f"a picture cannot be shown: {_error()}")

    def choose_matrix(self) -> None:
        """SDL has one conversion for all textures and looks at it when it draws."""
        if self._kind is not None:
            sdl2.SDL_SetYUVConversionMode(_MATRICES[self._kind[2]])

    def close(self) -> None:
        """Give it back."""
        if self.handle:
            sdl2.SDL_DestroyTexture(self.handle)
        self.handle, self._kind = None, None


class _Label:
    """A piece of text as a texture, drawn anew where the words change."""

    def __init__(self, renderer: Any, *, boxed: bool, centred: bool = False) -> None:  # noqa: ANN401
        self._renderer = renderer
        self._look = {"boxed": boxed, "centred": centred}
        self._words: tuple[str, int] = ("", 0)
        self._handle: Any = None
        self.size = (0, 0)

    def prepare(self, text: str, letters: int) -> bool:
        """Have it ready; False: there is nothing to draw."""
        if (text, letters) != self._words:
            self.close()
            self._words = (text, letters)
            if text:
                pixels = text_image(text, letters, **self._look)
                rows, columns = pixels.shape[:2]
                self.size = (columns, rows)
                self._handle = sdl2.SDL_CreateTexture(
                    self._renderer, sdl2.SDL_PIXELFORMAT_ARGB8888,
                    sdl2.SDL_TEXTUREACCESS_STATIC, columns, rows,
                )  # fmt: skip
                sdl2.SDL_SetTextureBlendMode(self._handle, sdl2.SDL_BLENDMODE_BLEND)
                sdl2.SDL_UpdateTexture(
                    self._handle, None, pixels.ctypes.data_as(_BYTES), columns * 4
                )
        return bool(self._handle)

    def draw(self, x: int, y: int) -> None:
        """Put its upper left corner there."""
        place = sdl2.SDL_Rect(x, y, *self.size)
        sdl2.SDL_RenderCopy(self._renderer, self._handle, None, place)

    def close(self) -> None:
        """Give it back."""
        if self._handle:
            sdl2.SDL_DestroyTexture(self._handle)
        self._handle = None


class _SdlSound:
    """A sound device of SDL."""

    def __init__(self, device: int, block: int) -> None:
        self._device = device
        self._delay = block / SOUND_RATE

    @property
    def queued(self) -> float:
        """See `SoundDevice`: what the device took last is being heard."""
        waiting = sdl2.SDL_GetQueuedAudioSize(self._device) / (8 * SOUND_RATE)
        return waiting + self._delay if waiting else 0.0

    def queue(self, samples: Samples, media: float) -> None:
        """See `SoundDevice`."""
        del media
        data = np.ascontiguousarray(samples, np.float32)
        sdl2.SDL_QueueAudio(self._device, data.ctypes.data, data.nbytes)

    def play(self) -> None:
        """See `SoundDevice`."""
        sdl2.SDL_PauseAudioDevice(self._device, 0)

    def pause(self) -> None:
        """See `SoundDevice`."""
        sdl2.SDL_PauseAudioDevice(self._device, 1)

    def clear(self) -> None:
        """See `SoundDevice`."""
        sdl2.SDL_ClearQueuedAudio(self._device)

    def close(self) -> None:
        """See `SoundDevice`."""
        sdl2.SDL_CloseAudioDevice(self._device)


class WindowPresenter:
    """A window.

    Args:
        size: columns and rows of it; None: as large as the screen allows in 16:9.
        full_screen: begin with all of the screen.

    Raises:
        BackendUnavailableError: there is no screen, or no renderer.
    """

    def __init__(self, size: tuple[int, int] | None = None, *, full_screen: bool = False) -> None:
        if sdl2.SDL_Init(sdl2.SDL_INIT_VIDEO):
            raise BackendUnavailableError(
                f"there is no screen ({_error()}); --no-window plays without one"
            )
        driver = (sdl2.SDL_GetCurrentVideoDriver() or b"").decode()
        if driver in _UNSEEN and "SDL_VIDEODRIVER" not in os.environ:
            sdl2.SDL_Quit()
            raise BackendUnavailableError("there is no screen; --no-window plays without one")
        self.notices: tuple[str, ...] = ()
        self._window: Any = None
        self._renderer: Any = None
        try:
            self._open(size or self._usual_size(), full_screen=full_screen)
        except BaseException:
            self.close()
            raise
        self._full = full_screen
        self._begun_full = full_screen
        self._picture: Picture | None = None
        self._large, self._small = _Texture(self._renderer), _Texture(self._renderer)
        self._small_of: Picture | None = None
        self._labels = {
            name: _Label(self._renderer, boxed=boxed, centred=name == "caption")
            for name, boxed in (
                ("overlay", True), ("caption", False), ("message", True), ("left", True),
                ("right", True),
            )
        }  # fmt: skip
        self._keys = {sdl2.SDL_GetKeyFromName(k.encode()): command for k, command, _ in KEYS}
        self._title = ""
        self._place = (0, 0, 1, 1)
        self._drawn_room = self.room
        self._dragging = False

    def _open(self, size: tuple[int, int], *, full_screen: bool) -> None:
        sdl2.SDL_SetHint(sdl2.SDL_HINT_RENDER_SCALE_QUALITY, b"linear")
        sdl2.SDL_SetHint(sdl2.SDL_HINT_VIDEO_HIGHDPI_DISABLED, b"0")
        flags = sdl2.SDL_WINDOW_RESIZABLE | sdl2.SDL_WINDOW_ALLOW_HIGHDPI
        if full_screen:
            flags |= sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP
        centre = sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(b"upreel", centre, centre, *size, flags)
        if not self._window:
            raise BackendUnavailableError(f"no window can be opened: {_error()}")
        # Not waiting for the screen: pictures come at their own times, and sound must be fed.
        self._renderer = sdl2.SDL_CreateRenderer(self._window, -1, 0)
        if not self._renderer:
            raise BackendUnavailableError(f"nothing can be drawn: {_error()}")

    def _usual_size(self) -> tuple[int, int]:
        area = sdl2.SDL_Rect()
        if sdl2.SDL_GetDisplayUsableBounds(0, area) or area.w < 1 or area.h < 1:
            return 1280, 720
        width = min(area.w * _BORDER, area.h * _BORDER * 16 / 9)
        return int(width), int(width * 9 / 16)

    @property
    def room(self) -> tuple[int, int]:
        """See `Presenter`."""
        width, height = ctypes.c_int(), ctypes.c_int()
        sdl2.SDL_GetRendererOutputSize(self._renderer, width, height)
        return max(width.value, 2), max(height.value, 2)

    def open_sound(self) -> SoundDevice | None:
        """See `Presenter`."""
        if not sdl2.SDL_WasInit(sdl2.SDL_INIT_AUDIO) and sdl2.SDL_InitSubSystem(
            sdl2.SDL_INIT_AUDIO
        ):
            self.notices = (f"no sound: {_error()}",)
            return None
        wanted = sdl2.SDL_AudioSpec(SOUND_RATE, sdl2.AUDIO_F32SYS, 2, _BLOCK)
        got = sdl2.SDL_AudioSpec(0, 0, 0, 0)
        device = sdl2.SDL_OpenAudioDevice(None, 0, wanted, got, 0)
        if not device:
            self.notices = (f"no sound: {_error()}",)
            return None
        self.notices = ()
        return _SdlSound(device, got.samples or _BLOCK)

    def commands(self, media: float) -> Sequence[Command]:
        """See `Presenter`."""
        del media
        given: list[Command] = []
        event = sdl2.SDL_Event()
        while sdl2.SDL_PollEvent(event):
            given += self._asked(event)
        return given

    def _asked(self, event: Any) -> list[Command]:  # noqa: ANN401 - an event of pysdl2
        kind = event.type
        if kind == sdl2.SDL_QUIT:
            return [Command("quit")]
        if kind == sdl2.SDL_KEYDOWN:
            return self._pressed(event.key)
        if kind == sdl2.SDL_WINDOWEVENT:
            word = event.window.event
            if word in (sdl2.SDL_WINDOWEVENT_SIZE_CHANGED, sdl2.SDL_WINDOWEVENT_EXPOSED):
                return [Command("resized")]
        if kind == sdl2.SDL_MOUSEBUTTONDOWN and event.button.button == sdl2.SDL_BUTTON_LEFT:
            if event.button.clicks == 2:
                self._dragging = False
                return [Command("full-screen")]
            self._dragging = True
            return [self._slid(event.button.x)]
        if kind == sdl2.SDL_MOUSEBUTTONUP:
            self._dragging = False
        if kind == sdl2.SDL_MOUSEMOTION and self._dragging:
            return [self._slid(event.motion.x)]
        return []

    def _pressed(self, key: Any) -> list[Command]:  # noqa: ANN401 - an event of pysdl2
        name = key.keysym.sym
        if name == sdl2.SDLK_ESCAPE:
            return [Command("full-screen" if self._full else "quit")]
        command = self._keys.get(name)
        once = ("pause", "mute", "full-screen", "compare", "statistics", "captions", "screenshot")
        if command is None or (key.repeat and command.word in once):
            return []
        return [command]

    def _slid(self, x: int) -> Command:
        """A place in the window as a share of the picture's width."""
        width = ctypes.c_int()
        sdl2.SDL_GetWindowSize(self._window, width, None)
        left, _, columns, _ = self._place
        pixels = x * self.room[0] / max(width.value, 1)
        return Command("slide-to", (pixels - left) / max(columns, 1))

    def show(self, picture: Picture | None, view: View) -> None:
        """See `Presenter`."""
        self._follow(view)
        if picture is not None:
            self._picture = picture
            self._large.fill(picture.planes, bt709=picture.bt709)
        shown = self._picture
        if shown is None:
            return
        compares = view.compare is not None and shown.enlarged is not None
        if compares and self._small_of is not shown:
            self._small.fill(shown.frame.planes, bt709=shown.bt709)
            self._small_of = shown
        if self.room != self._drawn_room:  # SDL may still draw into the part it had before
            self._drawn_room = self.room
            sdl2.SDL_RenderSetViewport(self._renderer, None)
        sdl2.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        sdl2.SDL_RenderClear(self._renderer)
        self._place = self._placed(shown, view)
        self._draw(self._large, view)
        if view.compare is not None:
            self._draw_compared(view, view.compare, plain=not compares)
        self._draw_words(view)
        sdl2.SDL_RenderPresent(self._renderer)

    def _follow(self, view: View) -> None:
        """Title and full screen."""
        if view.title != self._title:
            self._title = view.title
            sdl2.SDL_SetWindowTitle(self._window, f"{view.title} - upreel".encode())
        full = view.full_screen != self._begun_full  # "full-screen" turns it over
        if full != self._full:
            self._full = full
            flag = sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP if full else 0
            sdl2.SDL_SetWindowFullscreen(self._window, flag)

    def _placed(self, picture: Picture, view: View) -> tuple[int, int, int, int]:
        """Where the picture lies, as it is seen: left, top, columns, rows."""
        columns, rows = self.room
        frame = picture.frame
        shape = frame.width * view.aspect / frame.height
        shape = 1 / shape if view.rotation % 180 else shape
        if columns / rows > shape:
            width, height = round(rows * shape), rows
        else:
            width, height = columns, round(columns / shape)
        return (columns - width) // 2, (rows - height) // 2, width, height

    def _draw(self, texture: _Texture, view: View) -> None:
        """A picture, turned as it should be."""
        texture.choose_matrix()
        left, top, width, height = self._place
        if view.rotation % 180:  # SDL turns about the middle of what is drawn upright
            left, top = left + (width - height) // 2, top + (height - width) // 2
            width, height = height, width
        place = sdl2.SDL_Rect(left, top, width, height)
        sdl2.SDL_RenderCopyEx(
            self._renderer, texture.handle, None, place, -view.rotation, None, sdl2.SDL_FLIP_NONE
        )

    def _draw_compared(self, view: View, share: float, *, plain: bool) -> None:
        """The plain picture left of the slider, a line, and what is what."""
        left, top, width, height = self._place
        border = left + round(width * share)
        if not plain and border > left:
            sdl2.SDL_RenderSetClipRect(
                self._renderer, sdl2.SDL_Rect(left, top, border - left, height)
            )
            self._draw(self._small, view)
            sdl2.SDL_RenderSetClipRect(self._renderer, None)
        sdl2.SDL_SetRenderDrawColor(self._renderer, 255, 255, 255, 255)
        sdl2.SDL_RenderFillRect(self._renderer, sdl2.SDL_Rect(border - 1, top, 2, height))
        letters = self._letters()
        for name, words in (("left", "plain"), ("right", "plain" if plain else view.rung)):
            label = self._labels[name]
            if label.prepare(words, letters):
                x = border - label.size[0] - letters if name == "left" else border + letters
                label.draw(x, top + letters)

    def _letters(self) -> int:
        return max(self.room[1] // 45, 12)

    def _draw_words(self, view: View) -> None:
        columns, rows = self.room
        letters = self._letters()
        overlay = self._labels["overlay"]
        if overlay.prepare("\n".join(view.overlay), letters):
            overlay.draw(letters, letters)
        message = self._labels["message"]
        if message.prepare(view.message, letters):
            message.draw(columns - message.size[0] - letters, letters)
        caption = self._labels["caption"]
        if caption.prepare(view.caption, max(rows // 18, 14)):
            width, height = caption.size
            caption.draw((columns - width) // 2, rows - height - rows // 16)

    def wait(self, seconds: float) -> None:
        """See `Presenter`."""
        sdl2.SDL_Delay(int(seconds * 1000))

    def pixels(self) -> npt.NDArray[np.uint8]:
        """What is drawn, (rows, columns, 3) of red, green and blue: for tests."""
        columns, rows = self.room
        found = np.zeros((rows, columns, 4), np.uint8)
        sdl2.SDL_RenderReadPixels(
            self._renderer, None, sdl2.SDL_PIXELFORMAT_ARGB8888,
            found.ctypes.data_as(ctypes.c_void_p), columns * 4,
        )  # fmt: skip
        return found[..., [2, 1, 0]]

    def close(self) -> None:
        """See `Presenter`."""
        if self._renderer:
            for texture in (self._large, self._small, *self._labels.values()):
                texture.close()
            sdl2.SDL_DestroyRenderer(self._renderer)
        if self._window:
            sdl2.SDL_DestroyWindow(self._window)
        self._renderer = self._window = None
        sdl2.SDL_Quit()
