"""Write the networks that browsers run: `NAME.web` beside each card of the packed fast family.

    python scripts/make_browser_models.py [NAME ...]

The steps of activations are chosen on frames of `examples/media/city.mp4`. A file is tied to its
card's SHA-256: whoever exports a card anew runs this again. A test checks that all are current.
"""

import sys
from pathlib import Path

import av
import numpy as np
import torch

from upreel.inference.browser import Planes
from upreel.inference.export_browser import browser_model
from upreel.zoo import FastConfig, ModelCard, card_names, load_card
from upreel.zoo.stored import read_stored

CLIP = Path(__file__).parent.parent / "examples" / "media" / "city.mp4"
CHOSEN = (5, 25, 45, 65, 85)


def clip_frames(path: Path = CLIP) -> list[Planes]:
    """Planes of all frames of a clip."""
    found: list[Planes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            y, u, v = (
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[
                    :, : plane.width
                ]
                for plane in frame.planes
            )
            found.append((y, u, v))
    return found


def packed_cards() -> list[ModelCard]:
    """Bundled cards that browsers can run."""
    cards = [load_card(name) for name in card_names()]
    return [
        card
        for card in cards
        if isinstance(card.network, FastConfig)
        and card.layout == "packed"
        and card.network.frames <= 2
    ]


def made(card: ModelCard, frames: list[Planes]) -> bytes:
    """A card's file."""
    _, weights = read_stored(card.folder / f"{card.name}.safetensors")
    count = len(card.network.offsets)
    material = [tuple(frames[n - back] for back in range(count)) for n in CHOSEN]
    return browser_model(card, weights, material).to_bytes()


def main() -> None:
    """Write them all, or those named."""
    torch.set_num_threads(1)  # sums in another order are others in their last bits
    frames = clip_frames()
    wanted = sys.argv[1:]
    for card in packed_cards():
        if not wanted or card.name in wanted:
            path = card.folder / f"{card.name}.web"
            path.write_bytes(made(card, frames))
            print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
