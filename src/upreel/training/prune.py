"""Structured pruning: whole features leave a network of the fast family, and it learns on.

How much a feature matters is told by the first-order change of the loss if its weights were zero
(Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, section 3.1).
Features leave in groups of `GROUP`, as many as a register of the CPU holds, for fewer of which its
convolutions take no less time: the group first that matters least for the arithmetic that it costs,
of one pair's inner features, or of the stream that all convolutions share, which the residual sums
tie together. What still fits in the end comes back.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair, make_pairs
from upreel.errors import OptionError
from upreel.inference import open_session
from upreel.inference.export import export_card
from upreel.inference.export_quantized import add_quantized
from upreel.networks.build import build_network
from upreel.networks.fast import FastNetwork
from upreel.networks.sizes import CHANNELS
from upreel.training.checkpoint import Result, load_checkpoint, load_result
from upreel.training.config import TrainConfig
from upreel.training.run import Progress, check_device, check_sizes, divided, train
from upreel.training.team import check_alone
from upreel.training.trainer import Trainer
from upreel.training.validation import score
from upreel.training.widths import widths_of, with_widths
from upreel.zoo import FastConfig, QuantizedConfig

__all__ = [
    "GROUP",
    "Cut",
    "importances",
    "milliseconds",
    "prune",
    "refilled",
    "removals",
    "thinned",
]

GROUP = 16
_BATCHES = 16  # that importance is told by
_CLIPS = 24  # that these come from, spread over the material
_TIMED = 15  # runs, of which the median counts


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What is left of a network.

    Attributes:
        config: of what is left.
        kept: numbers of the stream's features, then of each pair's inner ones, rising.
    """

    config: FastConfig
    kept: tuple[tuple[int, ...], ...]


def prune(
    config: TrainConfig,
    clips: Sequence[Clip],
    folder: Path,
    *,
    fits: Callable[[FastConfig], bool],
    rounds: int = 3,
    start: Sequence[Path] = (),
    resume: bool = False,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
    report_every: int = 100,
) -> Path:
    """Make a network smaller, in rounds of cutting and learning.

    Args:
        config: of the run, its network as it begins; each round takes its share of the steps.
        clips: material, see `upreel.training.run.train`, as all that follows.
        folder: for a checkpoint of each round, the last one named as the run.
        fits: whether a network is small enough.
        rounds: in which features leave, about as many in each.
        start: results of other runs, as `config.starts` names them.
        resume: go on from the checkpoints that are there.
        device: "cpu" or "cuda".
        on_progress: called while it learns.
        on_notice: called with what each group of features is worth, with what leaves, and with what
            else is to be known.
        report_every: steps between two reports.

    Returns:
        The last checkpoint's path.

    Raises:
        OptionError: another kind of network, one that is small enough or cannot become so, nothing
            trained before, several processes, or as `upreel.training.run.train` says.
    """
    if not isinstance(config.network, FastConfig):
        raise OptionError(f"{config.name} is a run of kind {config.network.kind}: fast is pruned")
    if config.branches:
        raise OptionError(f"{config.name} has branches: what is pruned learns without them")
    if not 1 <= rounds <= config.steps:
        raise OptionError(f"rounds must be 1 to the {config.steps} steps, got {rounds}")
    check_alone("pruning")
    check_device(device)
    begun = folder / f"{config.name if rounds == 1 else f'{config.name}-1'}.ckpt"
    if not start and not (resume and begun.exists()):
        raise OptionError(f"{config.name} is pruned from what was trained: --start names it")
    config = replace(with_widths(config, start, None, on_notice), widths="own")
    assert isinstance(config.network, FastConfig)
    if fits(config.network):
        raise OptionError(f"nothing is to be cut: {widths_of(config.network)} fit as they are")
    now, path = config, Path()
    result: Result | None = None
    for number in range(1, rounds + 1):
        name = config.name if number == rounds else f"{config.name}-{number}"
        path = folder / f"{name}.ckpt"
        steps = config.steps * number // rounds - config.steps * (number - 1) // rounds
        run = replace(now, name=name, steps=steps, start="", parts=())
        if resume and path.exists():
            run = replace(run, network=load_checkpoint(path).config.network)
            assert isinstance(run.network, FastConfig)
            if number == rounds and not fits(run.network):
                raise OptionError(f"{path} has {widths_of(run.network)}, which do not fit")
            train(
                run, clips, folder, resume=True, device=device, on_progress=on_progress,
                on_notice=on_notice, report_every=report_every,
            )  # fmt: skip
        else:
            trainer, held_back = _looked_at(now, clips, device, start, result)
            matter = importances(trainer)
            if number == 1:
                _tell_sensitivity(trainer, matter, held_back, on_notice)
            assert isinstance(now.network, FastConfig)
            cut = _next_cut(now.network, matter, fits, rounds + 1 - number)
            on_notice(f"{name}: {widths_of(now.network)} become {widths_of(cut.config)}")
            run = replace(run, network=cut.config)
            train(
                run, clips, folder, device=device, on_progress=on_progress,
                on_notice=on_notice, report_every=report_every,
                prepare=_beginning_with(thinned(trainer.ema, cut), trainer.taught_by),
            )  # fmt: skip
        now, result = replace(now, network=run.network), load_result(path)
    return path


def _looked_at(
    config: TrainConfig,
    clips: Sequence[Clip],
    device: str,
    start: Sequence[Path],
    result: Result | None,
) -> tuple[Trainer, list[Pair]]:
    """A trainer on some of the material, with a result's weights, and what is held back."""

    def pairs_of(which: Sequence[Clip]) -> list[Pair]:
        chosen = which[:: -(-len(which) // _CLIPS)] if which else []
        return make_pairs(
            chosen, config.network.scale, config.degradation, variants=1, seed=config.seed
        )

    learning, held_back = divided(config, clips)
    pairs = pairs_of(learning)
    check_sizes(pairs, config.patch)
    trainer = Trainer(config, pairs, device=device)
    if result is not None:
        left = trainer.start_from(result.weights)
        trainer.taught_by = result.teacher
    else:
        left = trainer.start_from_runs([load_result(file) for file in start])
    if left:
        raise OptionError(f"what {config.name} is pruned from has no {', '.join(left)}")
    return trainer, pairs_of(held_back)


def _beginning_with(
    weights: Mapping[str, Tensor], taught_by: str
) -> Callable[[Trainer, Sequence[Pair], Sequence[Pair]], bool]:
    """What `upreel.training.run.train` prepares a run with: these weights."""

    def prepare(trainer: Trainer, _pairs: Sequence[Pair], _held_back: Sequence[Pair]) -> bool:
        left = trainer.start_from(dict(weights))
        assert not left, left
        trainer.taught_by = taught_by
        return True

    return prepare


def importances(trainer: Trainer) -> list[Tensor]:
    """How much each feature matters: of the stream, then within each pair.

    Means over batches of the squared sum of weight times gradient, of all weights that make a
    feature or read it.
    """
    network = trainer.network
    assert isinstance(network, FastNetwork)
    total: list[Tensor] = []
    for _ in range(_BATCHES):
        trainer.learn()
        products = {
            name: (p.detach() * p.grad).double()
            for name, p in network.named_parameters()
            if p.grad is not None
        }
        found = [_sums(products, parts) for parts in _features(len(network.body) // 2)]
        squares = [each.square() / _BATCHES for each in found]
        total = [a + b for a, b in zip(total, squares, strict=True)] if total else squares
        trainer.step += 1  # other patches
    return total


def _features(pairs: int) -> list[list[tuple[str, int]]]:
    """By group the parameters of its features, and the axis that these lie along."""
    stream = [("head.weight", 0), ("head.bias", 0), ("tail.weight", 1)]
    inner: list[list[tuple[str, int]]] = []
    for k in range(pairs):
        first, second = f"body.{2 * k}", f"body.{2 * k + 1}"
        stream += [(f"{first}.weight", 1), (f"{second}.weight", 0), (f"{second}.bias", 0)]
        inner.append([(f"{first}.weight", 0), (f"{first}.bias", 0), (f"{second}.weight", 1)])
    return [stream, *inner]


def _sums(products: Mapping[str, Tensor], parts: Sequence[tuple[str, int]]) -> Tensor:
    """Of each feature, over all its weights."""
    return torch.stack(
        [products[name].movedim(axis, 0).flatten(1).sum(dim=1)
         if products[name].ndim > 1 else products[name] for name, axis in parts]
    ).sum(dim=0)  # fmt: skip


def removals(config: FastConfig, matter: Sequence[Tensor]) -> Iterator[Cut]:
    """Ever smaller networks: the first is the whole, each next one has lost a group of features.

    Args:
        config: of the whole.
        matter: `importances`.
    """
    left = [len(each) for each in matter]
    while True:
        now = _cut_to(config, matter, left)
        yield now
        prices: dict[int, float] = {}
        for group, count in enumerate(left):
            fewer = _fewer(count)
            if fewer >= GROUP:
                after = _cut_to(config, matter, _with(left, group, fewer))
                prices[group] = _price(matter[group], now, after)
        if not prices:
            return
        chosen = min(prices, key=prices.__getitem__)
        left[chosen] = _fewer(left[chosen])


def refilled(
    config: FastConfig, matter: Sequence[Tensor], cut: Cut, fits: Callable[[FastConfig], bool]
) -> Cut:
    """A cut that fits, with groups back that fit as well: the dearest for their arithmetic first.

    A group of the stream goes with much arithmetic at once, and may leave room for what went
    before it.

    Args:
        config: of the whole.
        matter: `importances`.
        cut: one of `removals`.
        fits: whether a network is small enough.
    """
    left = [len(numbers) for numbers in cut.kept]
    while True:
        prices: dict[int, float] = {}
        for group, count in enumerate(left):
            more = min(count // GROUP * GROUP + GROUP, len(matter[group]))
            larger = _cut_to(config, matter, _with(left, group, more))
            if more > count and fits(larger.config):
                prices[group] = _price(matter[group], larger, _cut_to(config, matter, left))
        if not prices:
            return _cut_to(config, matter, left)
        chosen = max(prices, key=prices.__getitem__)
        left[chosen] = min(left[chosen] // GROUP * GROUP + GROUP, len(matter[chosen]))


def _cut_to(config: FastConfig, matter: Sequence[Tensor], left: Sequence[int]) -> Cut:
    """So many features of the stream and within each pair, those that matter most."""
    orders = (torch.argsort(each, descending=True, stable=True).tolist() for each in matter)
    widths = () if all(n == left[0] for n in left[1:]) else tuple(left[1:])
    kept = (tuple(sorted(order[:n])) for order, n in zip(orders, left, strict=True))
    return Cut(config=replace(config, channels=left[0], widths=widths), kept=tuple(kept))


def _price(matter: Tensor, larger: Cut, smaller: Cut) -> float:
    """What the features of a group that only the larger one has matter, for their arithmetic."""
    (gone,) = (
        set(more) - set(fewer)
        for more, fewer in zip(larger.kept, smaller.kept, strict=True)
        if len(more) > len(fewer)
    )
    saved = larger.config.macs_per_position - smaller.config.macs_per_position
    return matter[sorted(gone)].sum().item() / saved


def _with(sizes: Sequence[int], group: int, size: int) -> list[int]:
    return [size if k == group else n for k, n in enumerate(sizes)]


def _fewer(count: int) -> int:
    """The next smaller number of features that fills the engine's registers."""
    return (count - 1) // GROUP * GROUP


def _next_cut(
    config: FastConfig, matter: Sequence[Tensor], fits: Callable[[FastConfig], bool], rounds: int
) -> Cut:
    """This round's share of the way to what fits; all of it is left where it fits already."""
    cuts = list(removals(config, matter))
    if fits(config):
        return cuts[0]
    if not fits(cuts[-1].config):
        raise OptionError(f"nothing that fits is left: {widths_of(cuts[-1].config)} do not")
    low, high = 0, len(cuts) - 1  # the first does not fit, the last does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(cuts[middle].config) else (middle, high)
    cut = cuts[-(-high // rounds)]
    return refilled(config, matter, cut, fits) if rounds == 1 else cut


def thinned(weights: Mapping[str, Tensor], cut: Cut) -> dict[str, Tensor]:
    """Those weights of a network that are left.

    Args:
        weights: by name.
        cut: says which.
    """
    result = dict(weights)
    for kept, parts in zip(cut.kept, _features(len(cut.kept) - 1), strict=True):
        for name, axis in parts:
            index = torch.tensor(kept, device=result[name].device)
            result[name] = result[name].index_select(axis, index)
    return result


def _tell_sensitivity(
    trainer: Trainer,
    matter: Sequence[Tensor],
    pairs: Sequence[Pair],
    tell: Callable[[str], None],
) -> None:
    """What the validation sources lose by one group of features, if nothing is learned."""
    config = trainer.config.network
    assert isinstance(config, FastConfig)
    if not pairs:
        return
    whole = _mean_score(trainer, Cut(config=config, kept=_all(matter)), pairs)
    names = ["the stream", *(f"pair {k}" for k in range(1, len(matter)))]
    for group, (name, each) in enumerate(zip(names, matter, strict=True)):
        lost: list[str] = []
        sizes_then = [_fewer(len(each)), _fewer(_fewer(len(each)))]
        for left in (n for n in sizes_then if n >= GROUP):
            kept = list(_all(matter))
            order = torch.argsort(each, descending=True, stable=True).tolist()
            kept[group] = tuple(sorted(order[:left]))
            sizes = [len(numbers) for numbers in kept]
            smaller = replace(config, channels=sizes[0], widths=tuple(sizes[1:]))
            score_then = _mean_score(trainer, Cut(config=smaller, kept=tuple(kept)), pairs)
            lost.append(f"{score_then - whole:+.3f} dB with {left}")
        tell(f"{name}, {len(each)} features: {', '.join(lost) or 'too few to be cut'}")


def milliseconds(
    config: FastConfig, width: int, height: int, *, precision: str = "auto", threads: int = 0
) -> float:
    """What a network takes for a frame on this machine, alone: the median of some runs.

    Args:
        config: architecture; weights do not matter.
        width: of the input, in luma samples.
        height: of it.
        precision: see `upreel.inference.open_session`; also "int8".
        threads: 0 for all that this process may use.

    Raises:
        BackendUnavailableError: there is no such precision here.
    """
    with TemporaryDirectory() as folder:
        card = export_card(
            name="timed", summary="", config=config, training_data=(), degradation="", steps=0,
            weights=build_network(asdict(config)).state_dict(), commit="", folder=Path(folder),
        )  # fmt: skip
        if precision == "int8":
            whole = QuantizedConfig(network=config)
            card = add_quantized(
                card, config=whole, weights=build_network(asdict(whole)).state_dict(),
                training_data=(), degradation="", steps=0, commit="",
            )  # fmt: skip
        rows, columns = (-(-side // card.block) + 2 * config.margin for side in (height, width))
        session = open_session(card, rows, columns, precision=precision, threads=threads)
    batch = np.zeros((1, rows, columns, CHANNELS[config.layout] * config.frames), np.uint8)
    taken: list[float] = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        session.run(batch)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _all(matter: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(len(each))) for each in matter)


def _mean_score(trainer: Trainer, cut: Cut, pairs: Sequence[Pair]) -> float:
    network = build_network(asdict(cut.config)).to(trainer.device).eval()
    network.load_state_dict(thinned(trainer.ema, cut))
    scores, _ = score(network, cut.config, pairs, trainer.device)
    return sum(scores.values()) / len(scores)
