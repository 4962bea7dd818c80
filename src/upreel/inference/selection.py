"""Which engine runs a model: what was asked for, or the best that is there.

Never a silent substitute: what was asked for and is not there is an error.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TypedDict, Unpack

from upreel.errors import BackendUnavailableError, OptionError
from upreel.inference.engine import Cells, DeviceInfo, Session, SessionRequest
from upreel.zoo import FastConfig, ModelCard

__all__ = [
    "Conditions",
    "available_devices",
    "half_bits",
    "open_cells",
    "open_session",
    "session_request",
]

_AUTOMATIC = ("cuda", "cpu")  # the first of these that is there; the rest must be asked for
# Deepest levels that 16-bit arithmetic keeps: at 12 flat fields are one level off; behind a plain
# chain, whose last features are rounded as a whole, at 10, too.
_HALF_BITS, _HALF_BITS_OF_CHAINS = 10, 8
_WHOLE_BITS = 8  # deepest levels that a network in whole numbers takes as they are


def available_devices() -> tuple[DeviceInfo, ...]:
    """Every device that an installed engine can use here."""
    from upreel.inference.openvino import devices as openvino_devices

    found = list(openvino_devices())
    if find_spec("onnxruntime") is not None:
        from upreel.inference.onnxruntime import devices as onnxruntime_devices

        found += onnxruntime_devices()
    return tuple(found)


class Conditions(TypedDict, total=False):
    """How a model is to run; what is left out is as `session_request` has it.

    Attributes:
        bits: significant bits of the code values, 8 to 16.
        depth: of the picture that they were made from; 0 for as many.
        precision: "auto" for the device's default, but int8 of a network that is made for live
            video, up to 8 bits, and f32 for a depth of more than 10 bits, or 8 for a plain chain:
            to shorter numbers some of its levels are the same.
        device: "auto", or one of `available_devices()`.
        threads: 0 for all that this process may use.
    """

    bits: int
    depth: int
    precision: str
    device: str
    threads: int


def open_session(
    card: ModelCard,
    height: int,
    width: int,
    *,
    batch: int = 1,
    **conditions: Unpack[Conditions],
) -> Session:
    """Compile a model for one shape.

    Args:
        card: the model.
        height: rows of the network's grid, margins counted.
        width: columns of it.
        batch: frames or tiles at once.
        conditions: see `Conditions`.

    Raises:
        BackendUnavailableError: no such device or precision here.
        OptionError: a recurrent model, which is run as cells: `open_cells`.
        WeightsError: the weights are missing or not the card's.
    """
    if card.state and not card.network.step_channels:
        raise OptionError(f"{card.name} is recurrent: it is opened by open_cells()")
    engine, request = session_request(card, height, width, batch=batch, **conditions)
    if engine == "openvino":
        from upreel.inference.openvino import OpenVinoSession

        return OpenVinoSession(request)
    from upreel.inference.onnxruntime import OnnxRuntimeSession

    return OnnxRuntimeSession(request)


def open_cells(
    card: ModelCard,
    height: int,
    width: int,
    *,
    only: Sequence[str] = (),
    **conditions: Unpack[Conditions],
) -> Cells:
    """Compile a recurrent model for one shape; see `open_session`.

    What goes in and out is in [0, 1]: bits and depth only say what precision they need.

    Args:
        card: the model.
        height: rows of its grid.
        width: columns of it.
        only: the cells that are wanted; empty for all of them.
        conditions: see `Conditions`.
    """
    engine, request = session_request(card, height, width, **conditions)
    if engine == "openvino":
        from upreel.inference.openvino import OpenVinoCells

        return OpenVinoCells(request, only)
    from upreel.inference.onnxruntime import OnnxRuntimeCells

    return OnnxRuntimeCells(request, only)


def half_bits(card: ModelCard) -> int:
    """Bits of the deepest levels that a model keeps in 16-bit arithmetic."""
    network = card.network
    is_chain = isinstance(network, FastConfig) and not network.skips
    return _HALF_BITS_OF_CHAINS if is_chain else _HALF_BITS


def session_request(
    card: ModelCard,
    height: int,
    width: int,
    *,
    bits: int = 8,
    depth: int = 0,
    batch: int = 1,
    precision: str = "auto",
    device: str = "auto",
    threads: int = 0,
) -> tuple[str, SessionRequest]:
    """The engine for what is asked, and what it is asked for; see `Conditions`."""
    there = {info.device: info for info in available_devices()}
    if device == "auto":
        device = next(d for d in _AUTOMATIC if d in there)
    elif device not in there:
        raise BackendUnavailableError(f"no device {device!r} here; there are: {', '.join(there)}")
    info = there[device]
    default = info.precisions[0]
    reason = ""
    whole = "int8" in card.precisions and "int8" in info.precisions
    if precision == "auto":
        precision = default
        if card.network.step_channels and whole and (depth or bits) <= _WHOLE_BITS:
            precision, reason = "int8", f"{card.name} is made for live video, int8 is fastest"
        elif default not in card.precisions:
            precision, reason = "f32", f"{card.name} is not offered in {default}"
        elif default != "f32" and (depth or bits) > half_bits(card):
            precision, reason = "f32", f"{default} would round levels of {depth or bits} bits"
    elif precision not in info.precisions or precision not in card.precisions:
        allowed = [p for p in info.precisions if p in card.precisions]
        raise BackendUnavailableError(
            f"{card.name} cannot run in {precision} on {device} ({info.reason}); "
            f"it can in: {', '.join(allowed)}"
        )
    elif precision == "int8" and (depth or bits) > _WHOLE_BITS:
        raise OptionError(
            f"int8 is for video of {_WHOLE_BITS} bits, this has {depth or bits}: "
            f"{card.name} can run in "
            + ", ".join(p for p in info.precisions if p in card.precisions and p != "int8")
        )
    elif precision != default:
        reason = f"asked for instead of {default}"
    request = SessionRequest(
        card=card,
        height=height,
        width=width,
        bits=bits,
        batch=batch,
        precision=precision,
        device=device,
        threads=threads,
        reason=reason,
    )
    return info.engine, request
