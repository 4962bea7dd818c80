"""What a temporal adaptive network weighs: which branch won where (needs PyTorch).

One sheet for each frame: the answer, a map of the branch with the largest weight at each sample
in that branch's colour, and each branch's weights from black (0) to white (1), as figure 5 of Liu
et al. (ICCV 2017). Windows end at scene cuts and at the ends of the video, as in the pipeline.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from upreel.errors import InputError, OptionError, WeightsError
from upreel.evaluation.clips import luma_plane
from upreel.pipeline.enhance import Window, windows
from upreel.video.frame import PixelFormat, Plane
from upreel.video.info import SourceInfo, Timeline
from upreel.video.read import read_frames
from upreel.zoo import (
    ModelCard,
    TemporalAdaptiveConfig,
    card_names,
    load_card,
    network_config,
    read_stored,
)

if TYPE_CHECKING:
    from upreel.networks.temporal_adaptive import TemporalAdaptiveNetwork

__all__ = ["COLOURS", "Inspection", "choose_card", "inspect_frames", "sheet"]

COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115))
"""Of the branches on 1, 3 and 5 frames: apart for every eye (Okabe and Ito, 2008)."""

_PANEL = 640  # columns of a panel at most
_CAPTION = 28
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """One frame.

    Attributes:
        index: of the frame in the video.
        answer: (s H, s W) luma in [0, 1].
        weights: (N, s H, s W), of the branches from the one on one frame on.
    """

    index: int
    answer: _Values
    weights: _Values

    @property
    def winners(self) -> npt.NDArray[np.intp]:
        """(s H, s W): the branch with the largest weight."""
        return cast("npt.NDArray[np.intp]", np.argmax(self.weights, axis=0))

    def facts(self) -> list[dict[str, float]]:
        """For each branch: the share of samples that it won, and its mean weight."""
        winners = self.winners
        return [
            {"won": float(np.mean(winners == k)), "mean_weight": float(np.mean(weights))}
            for k, weights in enumerate(self.weights)
        ]


def choose_card(model: str, scale: int | None = None) -> ModelCard:
    """A temporal adaptive network by its name, its family's name (``tan``), or its card's path.

    Args:
        model: the name.
        scale: of a family; None for the largest that there is.

    Raises:
        OptionError: it weighs nothing, or the family has no such scale.
        UnknownModelError: there is no such model.
    """
    family = [load_card(name) for name in card_names() if name.rpartition("-x")[0] == model]
    if family:
        found = {card.scale: card for card in family}
        if scale is not None and scale not in found:
            raise OptionError(f"no {model} for x{scale}; there are: {_names(family)}")
        card = found[max(found) if scale is None else scale]
    else:
        card = load_card(model)
        if scale not in (None, card.scale):
            raise OptionError(f"{card.name} is for x{card.scale}, not x{scale}")
    network = card.network
    if not isinstance(network, TemporalAdaptiveConfig) or network.modulation == "mean":
        able = [card for card in map(load_card, card_names()) if _weighs(card)]
        raise OptionError(f"{card.name} weighs no branches; models that do: {_names(able)}")
    if card.layout != "luma":
        raise OptionError(f"{card.name} sees packed planes; only luma can be inspected")
    return card


def _weighs(card: ModelCard) -> bool:
    network = card.network
    return isinstance(network, TemporalAdaptiveConfig) and network.modulation != "mean"


def _names(cards: Sequence[ModelCard]) -> str:
    return ", ".join(card.name for card in cards) or "none"


def inspect_frames(
    card: ModelCard, info: SourceInfo, timeline: Timeline, indices: Sequence[int]
) -> Iterator[Inspection]:
    """Run the network on some frames of a video.

    Frames and weights are checked at once, the video is decoded as the answers are asked for.

    Args:
        card: from `choose_card`.
        info: of the video.
        timeline: of the video.
        indices: of frames, from 0.

    Raises:
        OptionError: the video has no such frame.
        WeightsError: the weights are missing, damaged or not those of the card.
        InputError: a frame cannot be decoded.
    """
    count = len(timeline.pts)
    for index in indices:
        if not 0 <= index < count:
            raise OptionError(f"frame must be 0 to {count - 1}, got {index}")
    return _inspections(_load(card), card, info, timeline, indices)


def _inspections(
    network: "TemporalAdaptiveNetwork",
    card: ModelCard,
    info: SourceInfo,
    timeline: Timeline,
    indices: Sequence[int],
) -> Iterator[Inspection]:
    count = len(timeline.pts)
    past, future = card.window
    for index in indices:
        # One frame more before: it shows whether the first neighbour is of another scene.
        first, stop = max(index - past - 1, 0), min(index + future + 1, count)
        frames = read_frames(info, timeline=timeline, first=first, stop=stop)
        for window in windows(frames, past, future):
            if window.frame.index == index:
                yield _inspected(network, card, window)
                break
        else:
            raise InputError(f"{info.path}: frame {index} cannot be read")


def _load(card: ModelCard) -> "TemporalAdaptiveNetwork":
    """The PyTorch network of a card."""
    from upreel.networks.build import build_network

    path = card.folder / f"{card.name}.safetensors"
    header, stored = read_stored(path)
    _check_header(path, header, card)
    network = build_network(asdict(card.network)).eval()
    try:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
        )
    except RuntimeError as error:
        raise WeightsError(f"{path}: its weights do not fit the network of its card") from error
    return cast("TemporalAdaptiveNetwork", network)


def _check_header(path: Path, header: Mapping[str, str], card: ModelCard) -> None:
    """Refuse weights that were not exported with this card."""
    if not {"name", "network"} <= header.keys():
        raise WeightsError(f"{path} says nothing of its network: no weights of a card")
    if header["name"] != card.name:
        raise WeightsError(f"{path} holds the weights of {header['name']}, not of {card.name}")
    try:
        network = network_config(json.loads(header["network"]))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path} does not say what network it holds: {error}") from error
    if network != card.network:
        raise WeightsError(f"{path} holds another network than its card describes")


def _inspected(network: "TemporalAdaptiveNetwork", card: ModelCard, window: Window) -> Inspection:
    import torch

    from upreel.networks.planes import luma_of

    config, past = card.network, card.window[0]
    frame = window.frame
    planes = [_luma(window.planes[past + k], frame.format) for k in config.offsets]
    rows, columns = planes[0].shape
    before = -(-config.margin // config.period) * config.period
    borders = [(before, before + -side % config.period) for side in (rows, columns)]
    stack = np.stack([np.pad(plane, borders, mode="edge") for plane in planes])
    inner = (..., slice(before, before + rows), slice(before, before + columns))
    with torch.inference_mode():
        seen = torch.from_numpy(stack)[None]
        frames = network.aligned(seen)
        answer = network.combined(seen, frames)[inner]
        weights = network.weights(frames)
        assert weights is not None  # `choose_card` has seen to it
        weights = weights[inner]
        luma = luma_of(answer, config.scale, "luma")[0, 0].clamp(0, 1)
        maps = [luma_of(weights[:, k], config.scale, "luma")[0, 0] for k in range(weights.shape[1])]
    return Inspection(index=frame.index, answer=luma.numpy(), weights=torch.stack(maps).numpy())


def _luma(planes: tuple[Plane, ...], fmt: PixelFormat) -> _Values:
    """In [0, 1]; BT.709's of R'G'B'."""
    return luma_plane(planes, fmt).astype(np.float32) / np.float32(fmt.max_value)


def sheet(found: Inspection) -> Image.Image:
    """The picture of one frame: answer and winners above, each branch's weights below."""
    grey = np.clip(np.rint(found.answer * 255), 0, 255).astype(np.uint8)
    colours = np.array(COLOURS, np.float32)[found.winners]
    winners = np.clip(np.rint(colours * (0.35 + 0.65 * found.answer[..., None])), 0, 255)
    facts = found.facts()
    panels: list[tuple[str, Image.Image, tuple[int, int, int] | None]] = [
        (f"frame {found.index}, enlarged", Image.fromarray(grey), None),
        ("the branch with the largest weight", Image.fromarray(winners.astype(np.uint8)), None),
    ]
    for k, weights in enumerate(found.weights):
        levels = np.clip(np.rint(weights * 255), 0, 255).astype(np.uint8)
        frames = 2 * k + 1
        text = (
            f"{frames} frame{'s' * (frames > 1)}: won {facts[k]['won']:.0%}, "
            f"mean weight {facts[k]['mean_weight']:.2f}"
        )
        panels.append((text, Image.fromarray(levels), COLOURS[k]))
    rows, columns = found.answer.shape
    width = min(columns, _PANEL)
    height = max(round(rows * width / columns), 1)
    across = max(2, len(found.weights))
    picture = Image.new("RGB", (across * width, 2 * (height + _CAPTION)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for number, (text, panel, colour) in enumerate(panels):
        row, column = (0, number) if number < 2 else (1, number - 2)
        x, y = column * width, row * (height + _CAPTION)
        if colour is not None:
            draw.rectangle((x + 6, y + 7, x + 20, y + 21), fill=colour)
        draw.text((x + (26 if colour else 6), y + 5), text, fill="black", font=font)
        smaller = panel.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        picture.paste(smaller, (x, y + _CAPTION))
    return picture
