"""train(): files, exact resume after a kill, what it refuses, and how it ends.

Mutations tried: moments not restored, the average not restored, the step of Adam left at 0.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from upreel.datasets.clips import Clip, drawn_clips
from upreel.errors import (
    BackendUnavailableError,
    InputError,
    OptionError,
    UpreelError,
    WeightsError,
)
from upreel.training import run as run_module
from upreel.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from upreel.training.config import TrainConfig
from upreel.training.run import Progress, train
from upreel.training.trainer import Trainer
from upreel.zoo import load_card


class Killed(BaseException):
    """Stands for a signal."""


def assert_equal_runs(one: Checkpoint, other: Checkpoint) -> None:
    assert (one.step, one.config) == (other.step, other.config)
    for group in ("network", "ema", "first_moment", "second_moment"):
        left, right = getattr(one, group), getattr(other, group)
        assert set(left) == set(right)
        for name in left:
            assert torch.equal(left[name], right[name]), (group, name)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_killed_run_goes_on_exactly(
    optimizer: Literal["adam", "muon"], config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    config = replace(config, optimizer=optimizer)
    whole = train(config, clips, tmp_path / "whole")

    def kill(progress: Progress) -> None:
        if progress.step == 5:
            raise Killed

    with pytest.raises(Killed):
        train(config, clips, tmp_path / "cut", on_progress=kill, report_every=1)
    assert load_checkpoint(tmp_path / "cut" / "tiny.ckpt").step == 3
    resumed = train(config, clips, tmp_path / "cut", resume=True)

    assert resumed == tmp_path / "cut" / "tiny.ckpt"
    assert_equal_runs(load_checkpoint(whole), load_checkpoint(resumed))
    assert load_checkpoint(whole).step == 6
    assert load_checkpoint(whole).training_data == ("drawn0", "drawn1")
    assert not list(tmp_path.rglob("*.tmp"))
    assert list((tmp_path / "whole" / "tensorboard" / "tiny").glob("events.*"))


def test_progress_is_reported(config: TrainConfig, clips: list[Clip], tmp_path: Path) -> None:
    seen: list[Progress] = []

    train(config, clips, tmp_path, on_progress=seen.append, report_every=2)

    assert [(p.step, p.steps, bool(p.scores)) for p in seen] == [
        (2, 6, False), (3, 6, True), (4, 6, False), (6, 6, True),
    ]  # fmt: skip
    assert seen[1].scores is not None
    assert set(seen[1].scores) == {"drawn2"}
    assert all(p.patches_per_second > 0 and 0 < p.loss < 1 for p in seen)
    # Twice for a multiplication and an addition, three times for what goes back twice.
    most = 6 * config.network.macs_per_position * (config.patch // 2) ** 2
    for progress in seen:
        assert 0.6 * most < 1e12 * progress.teraflops / progress.patches_per_second < most


def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the time is a second later."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))


def test_long_intervals_are_kept_in_between(
    config: TrainConfig, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_KEEP_SECONDS", 0)
    found: list[bool] = []

    def look(progress: Progress) -> None:
        path = tmp_path / "tiny.ckpt"
        found.append(path.exists() and load_checkpoint(path).step == progress.step - 2)

    config = replace(config, validate_every=1000)
    train(config, clips, tmp_path, on_progress=look, report_every=2)

    assert found == [False, True, True]


def test_minutes_end_a_run_that_can_go_on(
    config: TrainConfig, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, validate_every=1000)
    whole = train(config, clips, tmp_path / "whole")
    with monkeypatch.context() as patched:
        clock(patched)
        stopped = train(config, clips, tmp_path / "cut", minutes=4 / 60)

    assert 0 < load_checkpoint(stopped).step < 6
    resumed = train(config, clips, tmp_path / "cut", resume=True)
    assert_equal_runs(load_checkpoint(whole), load_checkpoint(resumed))


def test_no_time_at_all_still_leaves_a_checkpoint(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    whole = train(config, clips, tmp_path / "whole")

    begun = train(config, clips, tmp_path / "begun", minutes=0)

    assert load_checkpoint(begun).step == 0
    resumed = train(config, clips, tmp_path / "begun", resume=True)
    assert_equal_runs(load_checkpoint(whole), load_checkpoint(resumed))


def test_a_run_is_not_overwritten_nor_mixed(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    config = replace(config, steps=1)
    path = train(config, clips, tmp_path)
    before = path.read_bytes()

    with pytest.raises(OptionError, match=r"tiny\.ckpt is there already: --resume goes on"):
        train(config, clips, tmp_path)
    with pytest.raises(OptionError, match=r"tiny\.ckpt belongs to a run with another batch"):
        train(replace(config, batch=4), clips, tmp_path, resume=True)
    assert path.read_bytes() == before
    assert load_checkpoint(train(replace(config, steps=2), clips, tmp_path, resume=True)).step == 2


def test_a_run_goes_on_with_the_material_that_it_had(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    path = train(replace(config, steps=3), clips, tmp_path)
    before = path.read_bytes()

    others = [replace(clip, name=f"other{k}_1") for k, clip in enumerate(clips)]
    with pytest.raises(OptionError, match="trained on drawn0, drawn1, got other0, other1, other2"):
        train(config, others, tmp_path, resume=True)

    assert path.read_bytes() == before


def test_films_are_named_and_photographs_counted(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    names = ("holiday", "drawn2", "photo", "beach_17")
    shots = [
        replace(clips[k % 2], name=name, **({} if k < 2 else _single(clips[k % 2])))
        for k, name in enumerate(names)
    ]

    path = train(replace(config, steps=1), shots, tmp_path)

    assert load_checkpoint(path).training_data == ("beach", "holiday", "1 photographs")


def _single(clip: Clip) -> dict[str, Any]:
    return {"luma": clip.luma[:1], "chroma": clip.chroma[:1]}


def test_another_runs_result_is_where_it_starts(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    first = train(config, clips, tmp_path)
    second = replace(config, name="next", start="tiny", steps=1, learning_rate=1e-12)

    made = load_checkpoint(train(second, clips, tmp_path, start=first))

    for name, weights in load_checkpoint(first).ema.items():
        torch.testing.assert_close(made.network[name], weights, rtol=0, atol=1e-9)
    (tmp_path / "next.ckpt").unlink()
    with pytest.raises(OptionError, match="next starts from the result of tiny: --start names"):
        train(second, clips, tmp_path)


@pytest.mark.parametrize("minutes", [None, 4 / 60])
def test_a_run_that_diverges_ends_and_keeps_its_checkpoint(
    minutes: float | None, config: TrainConfig, clips: list[Clip], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    config = replace(config, validate_every=1000)
    path = train(replace(config, steps=3), clips, tmp_path)
    kept = load_checkpoint(path)
    broken = dict(kept.network)
    broken["tail.weight"] = torch.full_like(broken["tail.weight"], torch.nan)
    save_checkpoint(replace(kept, network=broken), path)
    before = path.read_bytes()
    clock(monkeypatch)

    with pytest.raises(OptionError, match="tiny: loss is nan at step"):
        train(config, clips, tmp_path, resume=True, minutes=minutes)

    assert path.read_bytes() == before


def test_a_step_that_breaks_the_weights_is_not_kept(
    config: TrainConfig, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = train(replace(config, steps=3), clips, tmp_path)
    before = path.read_bytes()
    step = Trainer.train_step

    def broken(trainer: Trainer) -> Tensor:
        if trainer.step == 5:  # the loss of the last step is still a number, its gradient is not
            parameter = next(iter(trainer.network.parameters()))
            parameter.register_hook(lambda gradient: gradient * float("inf"))
        return step(trainer)

    monkeypatch.setattr(Trainer, "train_step", broken)
    with pytest.raises(OptionError, match="tiny: loss is nan at step 6"):
        train(config, clips, tmp_path, resume=True)

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (OptionError, "every source is one of the validation sources", {"validation": True}),
        (
            InputError,
            "drawn0_0 is 24x24 at low resolution, smaller than a patch of 26",
            {"patch": 26},
        ),
        (
            BackendUnavailableError,
            "no device 'tpu' for training; there are: cpu",
            {"device": "tpu"},
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    error: type[UpreelError], message: str, options: dict[str, object], config: TrainConfig,
    tmp_path: Path,
) -> None:  # fmt: skip
    small = drawn_clips(2, num_frames=1, height=48, width=48)
    validation = ("drawn0", "drawn1") if "validation" in options else ()
    patch = options.get("patch", 24)
    assert isinstance(patch, int)

    with pytest.raises(error, match=message):
        train(
            replace(config, validation=validation, patch=patch),
            small,
            tmp_path,
            device=str(options.get("device", "cpu")),
        )


def test_resuming_needs_a_checkpoint(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"cannot read .*tiny\.ckpt"):
        train(config, clips, tmp_path, resume=True)


def test_a_bundled_card_can_be_trained_further(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    card = load_card("fast-x2")
    weights = card.folder / "fast-x2.safetensors"
    further = replace(config, network=card.network, start="fast-x2", steps=1, learning_rate=1e-12)

    made = load_checkpoint(train(further, clips, tmp_path, start=weights))

    for name, stored in load_file(weights).items():
        torch.testing.assert_close(made.network[name], stored.float(), rtol=0, atol=1e-9)


def test_what_is_no_result_is_no_start(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, file)

    with pytest.raises(WeightsError, match=r"other\.safetensors is neither a checkpoint nor"):
        train(replace(config, start="other"), clips, tmp_path, start=file)
