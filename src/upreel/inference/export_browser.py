"""A card of the fast family as a file for the browser (needs PyTorch): `upreel.inference.browser`.

Activations have 7 bits, weights 8: what WebAssembly's relaxed dot product multiplies. The steps of
the activations are chosen on frames that are handed in, as for int8 (`upreel.networks.quantized`).

With 7 bits the stream of residual pairs is what costs most (`docs/decisions.md`). So its channels
are made alike first: each is scaled and shifted to the middle of what it is on those frames, and
the weights around it take that back. In floating point that is the same network.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.errors import OptionError
from upreel.inference.browser import BrowserLayer, BrowserModel, Planes, answer_planes, run
from upreel.inference.packing import pack_frame, pad_margins
from upreel.networks.fast import FastNetwork
from upreel.networks.quantized import Layer, QuantizedNetwork
from upreel.zoo import FastConfig, ModelCard

__all__ = ["batch_of", "browser_model", "drawn_frames", "evened", "quantized_model"]

_BITS = 7
_SEEN = 100_000  # positions of a frame that the stream is judged by, at most
_TAIL = 0.001  # of a channel's values beyond either end of what it is judged by
_LEAST_SCALE = 1 / 64
_TEST_SIZE = (26, 36)  # no multiple of what kernels take at once
_CODE_VALUES = 255


def browser_model(
    card: ModelCard, weights: Mapping[str, Tensor], material: Sequence[Sequence[Planes]]
) -> BrowserModel:
    """A card's network for the browser, with a self-test.

    Args:
        card: of a packed network of the fast family.
        weights: of the float network, by name.
        material: low-resolution frames that the steps of activations are chosen on: of each window
            as many as the network takes, the current one first.

    Raises:
        OptionError: the card is of another kind of network, or there is no material.
    """
    config = card.network
    if not isinstance(config, FastConfig) or config.layout != "packed" or config.frames > 2:
        raise OptionError(
            f"browsers run packed networks of the fast family with one or two frames; {card.name} "
            f"is {config.kind}, {config.layout}, {len(config.offsets)} frames"
        )
    if not material:
        raise OptionError("no frames to choose the steps of activations on")
    batches = [batch_of(window, config.radius) for window in material]
    float_network = FastNetwork(**{k: v for k, v in vars(config).items() if k != "kind"})
    float_network.load_state_dict(dict(weights))
    network = QuantizedNetwork(network=vars(config), activation_bits=_BITS)
    network.network.load_state_dict(evened(float_network, batches))
    network.eval().calibrate(batches)
    return quantized_model(card, network)


def quantized_model(card: ModelCard, network: QuantizedNetwork) -> BrowserModel:
    """A network in whole numbers of 7 bits as the file for the browser.

    Args:
        card: of the float network.
        network: that was made of it, its steps chosen.
    """
    layers = network.layers()
    frames = network.network.head.in_channels // 6
    kernel = np.rint(network.network.interpolation.numpy() * 256).astype(np.int16)
    model = BrowserModel(
        name=card.name,
        card=card.sha256,
        summary=card.summary,
        scale=card.scale,
        frames=frames,
        layers=tuple(_layer(network, layers, k) for k in range(len(layers))),
        interpolation=np.ascontiguousarray(kernel.transpose(0, 2, 3, 1)),
    )
    seen = tuple(drawn_frames(*_TEST_SIZE, frames))
    with torch.no_grad():
        exact = network.network(batch_of(seen, model.radius))
    answer = np.clip(np.rint(exact[0].permute(1, 2, 0).numpy() * _CODE_VALUES), 0, _CODE_VALUES)
    inside = slice(model.radius, -model.radius)
    ideal = answer_planes(answer.astype(np.uint8)[inside, inside], model.scale, *_TEST_SIZE)
    return replace(model, seen=seen, answer=run(model, seen), ideal=ideal)


@torch.no_grad()
def evened(network: FastNetwork, batches: Sequence[Tensor]) -> dict[str, Tensor]:
    """Weights of the same function with channels of the stream that are alike.

    Args:
        network: in floating point.
        batches: what its channels are judged by, (1, 6 T, H, W).

    Returns:
        A state for `FastNetwork`; without what lies beyond the border, as in a batch with its
        margin, the answers are those of `network`.
    """
    body = cast("list[nn.Conv2d]", list(network.body))
    if not body or not network.body.skips:
        return network.state_dict()  # there is no stream
    pairs = list(zip(body[::2], body[1::2], strict=True))
    seen: list[Tensor] = []
    for batch in batches:
        features = F.relu(F.conv2d(batch, network.head_weight(), network.head.bias))
        for first, second in pairs:
            change = F.relu(F.conv2d(features, first.weight, first.bias))
            change = F.conv2d(change, second.weight, second.bias)
            features = features[:, :, 2:-2, 2:-2] + change
            values = features[0].flatten(1)
            seen.append(values[:, :: -(-values.shape[1] // _SEEN)])
    values = torch.cat(seen, dim=1).sort(dim=1).values
    last = values.shape[1] - 1
    low, high = values[:, round(last * _TAIL)], values[:, round(last * (1 - _TAIL))]
    scale = ((high - low) / (high - low).max().clamp(min=1e-6)).clamp(min=_LEAST_SCALE)
    shift = -(low + high) / 2

    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["head.weight"] /= scale[:, None, None, None]
    state["head.bias"] /= scale
    for k in range(0, len(network.body), 2):
        first, second = f"body.{k}", f"body.{k + 1}"
        if k:  # what the first pair sees is behind a ReLU, and not shifted
            state[f"{first}.bias"] -= state[f"{first}.weight"].sum(dim=(2, 3)) @ shift
        else:
            state[f"{second}.bias"] += shift
        state[f"{first}.weight"] *= scale[None, :, None, None]
        state[f"{second}.weight"] /= scale[:, None, None, None]
        state[f"{second}.bias"] /= scale
    state["tail.weight"] *= scale[None, :, None, None]
    return state


def _layer(network: QuantizedNetwork, layers: Sequence[Layer], k: int) -> BrowserLayer:
    """Convolution `k` with what its answer is made of, in whole numbers."""
    layer = layers[k]
    carry = 0.0
    if k == len(layers) - 1:
        factor, least, most = layer.meaning * _CODE_VALUES, 0, _CODE_VALUES
    else:
        step, span = layers[k + 1].step, network.ranges[k]
        factor, least, most = layer.meaning / step, span.least, span.most
        if network.skips and k and k % 2 == 0:  # the second of a residual pair
            carry = float(np.float32(layers[k - 1].step / step))
    return BrowserLayer(
        weight=np.ascontiguousarray(layer.weight.numpy().transpose(0, 2, 3, 1)),
        bias=layer.bias.numpy(),
        factor=factor.numpy().astype(np.float32),
        least=least,
        most=most,
        carry=carry,
    )


def batch_of(window: Sequence[Planes], margin: int) -> Tensor:
    """Frames as the float network takes them, (1, 6 T, H + 2 margin, W + 2 margin) in [0, 1].

    Args:
        window: frames, the current one first.
        margin: positions around the picture.
    """
    rows, columns = window[0][0].shape
    height, width = -(-rows // 2) + 2 * margin, -(-columns // 2) + 2 * margin
    batch = np.zeros((height, width, 6 * len(window)), np.uint8)
    for slot, (luma, *chroma) in enumerate(window):
        pack_frame(batch, luma, (chroma[0], chroma[1]), slot, margin)
    pad_margins(batch, margin)
    return torch.from_numpy(batch.astype(np.float32) / _CODE_VALUES).permute(2, 0, 1)[None]


def drawn_frames(rows: int, columns: int, frames: int) -> list[Planes]:
    """A drawn window, the current frame first: waves that move, edges, and a little noise.

    Args:
        rows: of luma.
        columns: of luma.
        frames: how many.
    """
    noise = np.random.default_rng(7)
    found: list[Planes] = []
    for back in range(frames):
        planes: list[np.ndarray] = []
        for height, width, grain in (
            (rows, columns, 1.0),
            (-(-rows // 2), -(-columns // 2), 2.0),
            (-(-rows // 2), -(-columns // 2), 2.0),
        ):
            y, x = np.mgrid[:height, :width] * grain
            x = x + 1.5 * back + 5.0 * len(planes)
            wave = 60 * np.sin(x / 3.1 + y / 7.3) + 40 * np.sin(y / 2.3 - x / 11.7)
            edge = 70.0 * (((x // 9 + y // 7) % 2) * 2 - 1)
            values = 128 + wave + edge + noise.normal(0, 4, (height, width))
            planes.append(np.clip(np.rint(values), 0, _CODE_VALUES).astype(np.uint8))
        found.append((planes[0], planes[1], planes[2]))
    return found
