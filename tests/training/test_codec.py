"""Runs of the codec: they resume exactly, begin where they should, and refuse what they cannot do.

Mutations tried: noise that goes on from where the last step left it; an average that is not kept;
the other stage learning along; a start by any name.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from upreel.datasets.clips import Clip, drawn_clips
from upreel.errors import InputError, OptionError, WeightsError
from upreel.training.codec import (
    CodecProgress,
    CodecRun,
    CodecTrainer,
    load_codec,
    plane_errors,
    train_codec,
)
from upreel.training.run import own_commit
from upreel.zoo.configs.codec import CodecConfig

ALONE = CodecRun(
    name="alone",
    network=CodecConfig(channels=(6, 8, 10), latents=6, hyper=3, prior=4, anchors=2),
    stage="alone",
    steps=4,
    batch=2,
    patch=64,
    warmup=1,
    validation=("drawn1",),
    validate_every=2,
)
NEXT = replace(ALONE, name="next", stage="next", frames=3, steps=2, start="alone")


@pytest.fixture(scope="module")
def material() -> list[Clip]:
    return drawn_clips(2, num_frames=4, height=80, width=96)


def test_a_run_reports_and_can_be_read_back(material: list[Clip], tmp_path: Path) -> None:
    told: list[CodecProgress] = []
    path = train_codec(ALONE, material, tmp_path, on_progress=told.append)
    result = load_codec(path)
    weights = result.weights

    assert result.config == ALONE
    assert (result.step, result.training_data) == (4, ("drawn0",))
    assert result.commit == own_commit()
    assert [(each.step, len(each.points)) for each in told] == [(2, 3), (4, 3)]
    assert all(point.bits > 0 for each in told for point in each.points)
    assert all(0 < point.psnr < 60 for each in told for point in each.points)
    assert weights.keys() == CodecTrainer(ALONE, material).network.state_dict().keys()


def test_stopped_and_resumed_is_as_if_never_stopped(material: list[Clip], tmp_path: Path) -> None:
    whole = train_codec(ALONE, material, tmp_path / "whole")
    train_codec(replace(ALONE, steps=4), material, tmp_path / "cut", minutes=0)
    trainer = CodecTrainer(ALONE, material[:1])
    trainer.train_step()
    groups = {group: dict(values) for group, values in trainer.groups().items()}
    second = CodecTrainer(ALONE, material[:1])
    second.restore(1, groups)
    for _ in range(3):
        trainer.train_step()
        second.train_step()
    cut = train_codec(ALONE, material, tmp_path / "cut", resume=True)

    for name, value in load_codec(whole).weights.items():
        assert torch.equal(load_codec(cut).weights[name], value), name
        assert torch.equal(trainer.ema[name], second.ema[name]), name
        assert torch.equal(trainer.ema[name], value), name


def test_the_next_stage_leaves_the_first_as_it_was(material: list[Clip], tmp_path: Path) -> None:
    first = train_codec(ALONE, material, tmp_path)
    second = train_codec(NEXT, material, tmp_path, start=first)
    before, after = load_codec(first).weights, load_codec(second).weights
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"next"}


def test_errors_of_planes_are_weighted_by_what_is_seen() -> None:
    wanted = torch.zeros(1, 6, 2, 2)
    luma, chroma = wanted.clone(), wanted.clone()
    luma[:, :4] = 1 / 255
    chroma[:, 4] = 1 / 255
    assert float(plane_errors(luma, wanted)) == pytest.approx(6 / 8)
    assert float(plane_errors(chroma, wanted)) == pytest.approx(1 / 8)


def test_what_cannot_be_done_is_refused(material: list[Clip], tmp_path: Path) -> None:
    path = train_codec(ALONE, material, tmp_path)
    with pytest.raises(OptionError, match="is there already: --resume goes on from it"):
        train_codec(ALONE, material, tmp_path)
    with pytest.raises(OptionError, match="belongs to a run with another config"):
        train_codec(replace(ALONE, batch=4), material, tmp_path, resume=True)
    other = drawn_clips(3, num_frames=4, height=80, width=96)
    with pytest.raises(OptionError, match="was trained on drawn0, got drawn0, drawn2"):
        train_codec(ALONE, other, tmp_path, resume=True)
    with pytest.raises(OptionError, match="next starts from alone: --start names its checkpoint"):
        train_codec(NEXT, material, tmp_path)
    with pytest.raises(OptionError, match="other starts from 'else', not 'alone'"):
        train_codec(replace(NEXT, name="other", start="else"), material, tmp_path, start=path)
    with pytest.raises(InputError, match="needs clips of 9 frames and 64x64 with chroma"):
        train_codec(replace(NEXT, frames=9), material, tmp_path / "long", start=path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError):
        load_codec(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stage": "both"}, "stage must be alone or next, got 'both'"),
        ({"frames": 2}, "frames of stage alone must be 1, got 2"),
        ({"stage": "next"}, "frames of stage next must be 2, got 1"),
        ({"patch": 96}, "patch must be a multiple of 64, got 96"),
        ({"rounding": "down"}, "rounding must be one of mixed, noise, straight, got 'down'"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
    ],
)
def test_runs_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ALONE, **values)
