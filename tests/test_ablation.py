"""benchmarks/temporal_adaptive_ablation.py: scores by hand, the table, what is missing.

Mutations tried: the margin not cropped, gains against another stage, seeds mixed up.
"""

from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scripts_as_modules import module_of

from upreel.datasets.clips import drawn_clips
from upreel.degradation.degrade import Degradation
from upreel.errors import InputError
from upreel.evaluation.clips import YUV420P, Clip
from upreel.evaluation.degrade import Degraded
from upreel.metrics.fidelity import psnr
from upreel.zoo import EspcnConfig, TemporalAdaptiveConfig


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    return module_of("benchmarks/temporal_adaptive_ablation.py")


def clip(height: int, width: int, frames: int = 2) -> Clip:
    """Frames of one level each, 60 apart."""
    planes = tuple(
        tuple(np.full((height // step, width // step), 60 * t + 60, np.uint8) for step in (1, 2, 2))
        for t in range(frames)
    )
    return Clip(name="levels", planes=planes, format=YUV420P)


@pytest.mark.parametrize("alignment", ["none", "rectified"])
def test_a_clip_is_scored_frame_by_frame(ablation: ModuleType, alignment: str) -> None:
    """A fresh residual network is bicubic interpolation, which keeps levels: truth is 2 off."""
    from upreel.networks.build import build_network

    branch = EspcnConfig(scale=4, channels=(2, 2), residual=True)
    config = TemporalAdaptiveConfig(branch=branch, branches=2)
    config = replace(config, alignment=alignment)  # type: ignore[arg-type]
    truth = clip(40, 56)
    off = tuple((planes[0] + 2, *planes[1:]) for planes in truth.planes)
    pair = Degraded(truth=replace(truth, planes=off), low=clip(10, 14))

    score = ablation.score(build_network(asdict(config)).eval(), config, pair)

    assert score == pytest.approx(psnr(np.zeros((1, 1)), np.full((1, 1), 2.0)))


def test_the_table_tells_means_spread_and_gains(ablation: ModuleType) -> None:
    results = {
        "b1": {1: {"city": 25.0, "walk": 27.0}, 2: {"city": 25.2, "walk": 27.2}},
        "plain": {1: {"city": 25.1, "walk": 27.1}, 2: {"city": 25.3, "walk": 27.3}},
        "mean": {1: {"city": 25.3, "walk": 27.3}, 2: {"city": 25.5, "walk": 27.5}},
        "t": {1: {"city": 25.4, "walk": 27.4}, 2: {"city": 25.9, "walk": 27.9}},
        "answers-mean": {1: {"city": 25.1, "walk": 27.1}},
        "answers-still": {1: {"city": 25.0, "walk": 27.0}},
        "answers-t": {1: {"city": 25.2, "walk": 27.2}},
        "rectified": {3: {"city": 26.0, "walk": 28.0}},
    }

    rows = {line.split("  ")[0]: line.split() for line in ablation.table(results).splitlines()}

    assert rows["B1: one frame"][-4:] == ["25.10", "27.10", "26.100", "0.141"]
    assert rows["B1,2,3: plain average"][-5:] == ["0.141", "+0.100", "0.000", "over", "b1"]
    assert rows["B1,2,3: average, trained together"][-4:] == ["+0.200", "0.000", "over", "plain"]
    assert rows["B1,2,3 + T, softmax"][-4:] == ["+0.250", "0.212", "over", "mean"]
    both = ["+0.100", "-", "over", "answers-mean", "+0.200", "-", "over", "answers-still"]
    assert rows["B1 + fusions of moved answers + T"][-8:] == both
    # no run of that seed to gain over
    assert rows["B1,2,3 + T + rectified alignment"][-2:] == ["27.000", "-"]
    assert "B2: three frames" not in rows


def test_checkpoints_are_found_by_stage_and_seed(ablation: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ablation-STAGE-seedN\.ckpt in .*stages: b1, b2"):
        ablation.find_runs(tmp_path)
    stages = ("b1-seed1", "b1-seed12", "answers-t-seed2", "x-seed1")
    for name in (*(f"ablation-{stage}" for stage in stages), "tan-x4"):
        (tmp_path / f"{name}.ckpt").touch()

    found = ablation.find_runs(tmp_path)

    assert {stage: sorted(runs) for stage, runs in found.items()} == {
        "b1": [1, 12],
        "answers-t": [2],
    }
    assert found["b1"][12].name == "ablation-b1-seed12.ckpt"


@pytest.mark.parametrize("frames", ["0", "-1", "some"])
def test_numbers_of_frames_are_checked(
    ablation: ModuleType,
    frames: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["ablation", "RUNS", "VID4", "--frames", frames])

    with pytest.raises(SystemExit) as exit_:
        ablation.main()

    assert exit_.value.code == 2
    expected = f"argument --frames: expected 1 or more, got '{frames}'"
    assert expected in capsys.readouterr().err


def test_the_plain_average_is_that_of_the_branches_alone(
    ablation: ModuleType, tmp_path: Path
) -> None:
    import torch

    from upreel.datasets.patches import make_pairs
    from upreel.training.checkpoint import save_checkpoint
    from upreel.training.config import TrainConfig
    from upreel.training.trainer import Trainer

    clean = Degradation(kernels=("bicubic",))
    given = torch.rand(1, 5, 12, 16, generator=torch.Generator().manual_seed(3))
    answers: list[torch.Tensor] = []
    paths: list[Path] = []
    for k in range(3):
        network = EspcnConfig(scale=4, channels=(3, 2), residual=True, frames=2 * k + 1)
        config = TrainConfig(name=f"b{k}", network=network, degradation=clean, seed=k)
        trainer = Trainer(config, make_pairs(drawn_clips(1), 4, clean, variants=1, seed=0))
        for values in trainer.ema.values():
            values += 0.05 * torch.rand_like(values)
        paths.append(tmp_path / f"b{k}.ckpt")
        save_checkpoint(trainer.checkpoint((), ""), paths[-1])
        alone, _ = ablation.load_network(paths[-1])
        with torch.no_grad():
            answers.append(alone(given[:, : 2 * k + 1]))

    average, config = ablation.load_average(paths)

    assert config.offsets == (0, -1, 1, -2, 2)
    with torch.no_grad():
        torch.testing.assert_close(average(given), torch.stack(answers).mean(dim=0))
    assert (answers[0] - answers[1]).abs().max() > 0.01


def test_scores_are_kept_and_taken_from_the_file(
    ablation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {
        stage: {seed: tmp_path / f"{stage}-{seed}" for seed in (1, 2)} for stage in ("b1", "t")
    }
    for by_seed in paths.values():
        for path in by_seed.values():
            path.write_text(path.name)
    scored: list[str] = []

    def load(path: Path) -> tuple[str, None]:
        scored.append(path.name)
        return path.name, None

    monkeypatch.setattr(ablation, "load_network", load)
    monkeypatch.setattr(ablation, "score", lambda network, *_: float(len(network)))
    pairs = [Degraded(truth=clip(40, 56), low=clip(10, 14))]
    known = tmp_path / "known.json"

    first = ablation.score_all(paths, pairs, known)
    paths["t"][2].write_text("trained further")
    again = ablation.score_all(paths, pairs, known)

    assert scored == ["b1-1", "b1-2", "t-1", "t-2", "t-2"]
    assert first == again
    levels = {"b1": 4.0, "t": 3.0}
    assert first == {k: {seed: {"levels": v} for seed in (1, 2)} for k, v in levels.items()}
    known.write_text("[]")
    with pytest.raises(InputError, match=r"known\.json holds no scores of this program"):
        ablation.score_all(paths, pairs, known)
