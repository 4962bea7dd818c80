"""How many features a run's network has: its recipe says so, or what it starts from.

Pruning leaves other numbers than recipes have, and only its checkpoint tells them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from upreel.errors import OptionError
from upreel.training.checkpoint import load_checkpoint, load_result
from upreel.training.config import TrainConfig
from upreel.zoo import FastConfig, NetworkConfig, QuantizedConfig

__all__ = ["widths_of", "with_widths"]


def with_widths(
    config: TrainConfig,
    starts: Sequence[Path],
    kept: Path | None,
    tell: Callable[[str], None],
) -> TrainConfig:
    """A run with the features of what it goes on from, where its `widths` is "start".

    Args:
        config: the run.
        starts: results of other runs, as ``--start`` names them; of several the first counts, or
            that which fills a quantised network's float one. Without any its own features stay.
        kept: the run's own checkpoint, if it is to be gone on from.
        tell: told which features these are, one line.

    Raises:
        OptionError: what it goes on from is of another kind, or not as deep.
        WeightsError: a file that cannot be read.
    """
    if config.widths == "own" or not (starts or kept):
        return config
    if kept is not None:
        name, network = config.name, load_checkpoint(kept).config.network
    else:
        runs = [run for part, run in config.parts if part == "network"]
        place = config.starts.index(runs[0]) if runs else 0
        result = load_result(starts[min(place, len(starts) - 1)])  # their number is checked later
        name, network = result.name, result.network
    own, other = _fast(config.network), _fast(network)
    assert own is not None
    if other is None or other.depth != own.depth:
        found = f"kind {network.kind}" if other is None else f"depth {other.depth}"
        raise OptionError(
            f"{config.name} takes its widths from a network of kind fast of depth {own.depth}, "
            f"{name} is of {found}"
        )
    tell(f"{config.name}: {widths_of(other)}, as {name} has")
    taken = replace(own, channels=other.channels, widths=other.widths)
    if isinstance(config.network, QuantizedConfig):
        return replace(config, network=replace(config.network, network=taken))
    return replace(config, network=taken)


def widths_of(config: FastConfig) -> str:
    """Its features: of the stream, and within pairs."""
    inner = "/".join(map(str, config.inner))
    return f"{config.channels} features and {inner or 'none'} within pairs"


def _fast(network: NetworkConfig) -> FastConfig | None:
    """The network of the fast family that it is, or that is quantised in it."""
    inner = network.network if isinstance(network, QuantizedConfig) else network
    return inner if isinstance(inner, FastConfig) else None
