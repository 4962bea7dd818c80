"""A network layer by layer, by OpenVINO's own counters, beside what the CPU can do at best.

At best: multiply-adds a clock cycle of the instructions that the precision would use
(`best_macs_a_cycle`), times clock and cores. The clock is what the system says while the network
runs, which on a virtual machine is the nominal one: a share above 1 says that it runs faster.
Where the system does not say, there is no share.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from upreel.errors import OptionError
from upreel.evaluation.tables import text_table
from upreel.inference.engine import EngineReport
from upreel.inference.selection import session_request
from upreel.inference.tiles import grid_size
from upreel.pipeline.machine import Machine, clock_hz, describe_machine
from upreel.zoo import ModelCard

if TYPE_CHECKING:
    import openvino as ov

    from upreel.inference.openvino import OpenVinoSession

__all__ = ["Layer", "Layers", "best_macs_a_cycle", "measure_layers", "summary"]

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What the engine runs as one step.

    Attributes:
        name: as the engine calls it.
        kind: of work, such as "Convolution" or "Reorder".
        kernel: that does it, with its arithmetic, such as "brgconv_avx512_bf16".
        ms: a frame, the median.
        macs: multiply-adds a frame, margins counted; 0 of what is no convolution.
    """

    name: str
    kind: str
    kernel: str
    ms: float
    macs: int


@dataclass(frozen=True, kw_only=True)
class Layers:
    """A network's layers on this machine.

    Attributes:
        model: name of the card.
        size: (width, height) of the picture.
        report: what ran it.
        machine: where.
        layers: in the order that they run.
        best_macs_a_second: of all threads, at most; None where it is not known.
    """

    model: str
    size: tuple[int, int]
    report: EngineReport
    machine: Machine
    layers: tuple[Layer, ...]
    best_macs_a_second: float | None

    @property
    def ms(self) -> float:
        """Of all layers."""
        return sum(layer.ms for layer in self.layers)

    @property
    def share_of_best(self) -> float | None:
        """Multiply-adds a second over the best, all layers' time counted."""
        if not self.best_macs_a_second:
            return None
        macs = sum(layer.macs for layer in self.layers)
        return 1000 * macs / self.ms / self.best_macs_a_second

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"ms": self.ms, "share_of_best": self.share_of_best}


def best_macs_a_cycle(flags: Sequence[str], precision: str) -> int | None:
    """Multiply-adds that a core finishes each cycle with its widest instructions, two units of it.

    AMX: a tile product of 16x16 (Intel's optimisation manual: 16 cycles for 64 bytes of depth).
    AVX-512 and AVX2: two units. bf16 without AMX: VDPBF16PS, two products in each 32-bit lane.

    Args:
        flags: as `Machine.flags`.
        precision: "f32", "bf16" or "int8".

    Returns:
        None where nothing is known of such a CPU.

    Example:
        >>> best_macs_a_cycle(("avx512f", "avx512_vnni"), "int8")
        128
    """
    lanes = 16 if "avx512f" in flags else 8 if "avx2" in flags else 0
    if precision == "bf16":
        if "amx_bf16" in flags:
            return 512
        return 4 * lanes if lanes and "avx512_bf16" in flags else None
    if precision == "int8":
        if "amx_int8" in flags:
            return 1024
        return 8 * lanes if lanes and {"avx512_vnni", "avx_vnni"} & set(flags) else None
    return 2 * lanes or None


def measure_layers(
    card: ModelCard,
    *,
    size: tuple[int, int],
    precision: str = "auto",
    threads: int = 0,
    rounds: int = 9,
) -> Layers:
    """Run a network with the engine's counters on.

    Args:
        card: a model whose frames are answered one by one; of a frame-recurrent one it is the
            step, without the motion that it is given.
        size: (width, height) of the picture, as in `upreel benchmark --network-only`.
        precision: as ``--precision``.
        threads: of the engine, 0 for its choice.
        rounds: frames that are run, after two that do not count.

    Raises:
        OptionError: a model that is run as several networks.
        BackendUnavailableError: no such precision here.
    """
    from upreel.inference.openvino import OpenVinoSession

    cells = len(card.cells) > 1 and not card.network.step_channels
    if cells or card.network.each_frame:
        raise OptionError(f"{card.name} is run as several networks: it has no one list of layers")
    width, height = size
    rows, columns, margin = grid_size(card, height, width)
    _, request = session_request(
        card,
        rows + 2 * margin,
        columns + 2 * margin,
        precision=precision,
        device="cpu",
        threads=threads,
    )
    session = OpenVinoSession(request, counters=True)
    shape = (1, request.height, request.width, request.in_channels)
    batch = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    times: dict[str, list[float]] = defaultdict(list)
    nodes: dict[str, tuple[str, str]] = {}
    clocks: list[float] = []
    for turn in range(rounds + 2):
        session.run(batch)
        for node in session.counters():
            if turn > 1 and node.real_time:
                times[node.node_name].append(1000 * node.real_time.total_seconds())
                nodes[node.node_name] = (node.node_type, node.exec_type)
        clocks.append(clock_hz() or 0.0)
    macs = _macs(session)
    report, machine = session.describe(), describe_machine()
    best = best_macs_a_cycle(machine.flags, report.precision)
    clock = statistics.median(clocks)
    return Layers(
        model=card.name,
        size=size,
        report=report,
        machine=machine,
        layers=tuple(
            Layer(
                name=name,
                kind=kind,
                kernel=kernel,
                ms=statistics.median(times[name]),
                macs=macs.get(name, 0),
            )
            for name, (kind, kernel) in nodes.items()
        ),
        best_macs_a_second=best * clock * report.threads if best and clock else None,
    )


def _macs(session: "OpenVinoSession") -> Mapping[str, int]:
    """Multiply-adds by the name of what runs: several nodes of the graph may have become one."""
    of_graph = {
        node.get_friendly_name(): prod(node.input_value(1).get_shape())
        * prod(node.output(0).get_shape()[2:])
        for node in session.graph.get_ordered_ops()
        if node.get_type_name() in _CONVOLUTIONS
    }
    found: dict[str, int] = {}
    for node in session.compiled.get_runtime_model().get_ordered_ops():
        names = _text(node, "originalLayersNames").split(",")
        found[node.get_friendly_name()] = sum(of_graph.get(name, 0) for name in names)
    return found


def _text(node: "ov.Node", key: str) -> str:
    info = node.get_rt_info()
    return info[key].astype(str) if key in info else ""


def summary(result: Layers) -> str:
    """The layers as they run, then the time by kind, for a terminal."""
    report = result.report
    lines = [
        result.machine.text,
        f"{result.model}, {result.size[0]}x{result.size[1]}, {report.engine}, {report.precision}, "
        f"threads {report.threads}",
        "",
    ]
    rows = [
        [
            layer.name[:44],
            layer.kernel,
            f"{layer.ms:.2f}",
            f"{layer.ms / result.ms:.0%}",
            f"{layer.macs / 1e9:.2f}" if layer.macs else "",
            f"{layer.macs / layer.ms / 1e6:.0f}" if layer.macs else "",
        ]
        for layer in result.layers
    ]
    lines.append(text_table(("layer", "kernel", "ms", "", "G", "G a second"), rows))
    kinds: dict[str, float] = defaultdict(float)
    for layer in result.layers:
        kinds[layer.kind] += layer.ms
    lines += ["", text_table(("kind", "ms", ""), [
        [kind, f"{ms:.2f}", f"{ms / result.ms:.0%}"]
        for kind, ms in sorted(kinds.items(), key=lambda item: -item[1])
    ])]  # fmt: skip
    lines += ["", f"all layers: {result.ms:.2f} ms"]
    if result.best_macs_a_second and result.share_of_best is not None:
        lines[-1] += (
            f", {result.share_of_best:.0%} of the {result.best_macs_a_second / 1e9:.0f} G "
            f"multiply-adds a second that these cores can do in {report.precision} "
            "at the clock that the system tells"
        )
    return "\n".join(lines)
