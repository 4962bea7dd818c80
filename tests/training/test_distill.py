"""Distillation: what a teacher answers, what a student learns of it, what is kept on disk.

Mutations tried: border samples of a teacher's clip beside zeros, a teacher's answer to one frame
for all, windows of a patch's second frame not moved on, taught planes not turned over with the
patch, the identity of a teacher without its weights, features without their means taken off.
"""

# pyright: reportUnknownMemberType=false

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_cards import CONFIGS, luma_of_network, random_network

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair, Place, make_pairs
from upreel.degradation.degrade import Degradation, shrink
from upreel.errors import OptionError, UnknownModelError
from upreel.networks.planes import luma_of
from upreel.training.checkpoint import load_checkpoint
from upreel.training.config import Distillation, Loss, TrainConfig
from upreel.training.distill import Lessons, Teacher, load_teacher, taught_pairs, unexplained
from upreel.training.run import Progress, train
from upreel.training.trainer import Trainer
from upreel.zoo import FastConfig

CPU = torch.device("cpu")
LUMA = FastConfig(scale=2, channels=6, depth=2, frames=2, layout="luma")


def teacher_of(name: str, *, ensemble: bool = False) -> Teacher:
    weights = random_network(name).state_dict()
    return Teacher(name=name, config=CONFIGS[name], weights=weights, ensemble=ensemble)


def pairs_of(clips: list[Clip], scale: int = 2, kernel: str = "area") -> list[Pair]:
    degradation = Degradation(kernels=(kernel,))  # pyright: ignore[reportArgumentType]
    return make_pairs(clips, scale, degradation, variants=1, seed=0)


def taught(pairs: list[Pair], teacher: Teacher, folder: Path | None = None) -> list[Pair]:
    return taught_pairs(pairs, teacher, Distillation(), folder=folder, device=CPU)


@pytest.fixture
def distilled(config: TrainConfig) -> TrainConfig:
    """A student of luma that sees two frames."""
    return replace(
        config, network=LUMA, losses=(Loss(kind="mse"),), variants=1, distillation=Distillation()
    )


@pytest.mark.parametrize("name", ["fast-luma", "fast-two", "espcn-relu"])
def test_a_teacher_answers_each_frame_as_it_is_run(name: str, clips: list[Clip]) -> None:
    teacher = teacher_of(name)
    (pair, *_) = taught(pairs_of(clips, teacher.config.scale), teacher)

    network, low = teacher.network(CPU), pair.low.luma
    assert pair.taught is not None
    assert pair.taught.shape == pair.high.luma.shape
    for t, answer in enumerate(pair.taught):
        seen = [low[min(max(t + k, 0), len(low) - 1)] for k in teacher.config.offsets]
        expected = luma_of_network(network, teacher.config, seen)
        assert np.abs(answer - np.clip(expected, 0, 255)).max() <= 0.51


def test_a_recurrent_teacher_goes_through_the_whole_clip(clips: list[Clip]) -> None:
    teacher = teacher_of("recurrent")
    (pair, *_) = taught(pairs_of(clips), teacher)

    frames = torch.from_numpy(pair.low.luma[None]).float() / 255
    with torch.no_grad():
        answers = F.pixel_shuffle(teacher.network(CPU)(frames)[0], 2)[:, 0]
    assert pair.taught is not None
    expected = answers.mul(255).round().clamp(0, 255).numpy()
    np.testing.assert_array_equal(pair.taught, expected)


def test_a_packed_teacher_teaches_luma(clips: list[Clip]) -> None:
    (pair, *_) = taught(pairs_of(clips), teacher_of("fast-packed"))

    assert pair.taught is not None
    assert pair.taught.shape == pair.high.luma.shape


def test_an_ensemble_answers_otherwise_and_by_little(clips: list[Clip]) -> None:
    one, mean = (
        taught(pairs_of(clips), teacher_of("fast-luma", ensemble=ensemble))[0].taught
        for ensemble in (False, True)
    )

    assert one is not None
    assert mean is not None
    difference = np.abs(one.astype(int) - mean.astype(int))
    assert 0 < difference.mean() < 8


def test_a_teacher_may_see_clean_video_that_its_student_does_not(clips: list[Clip]) -> None:
    teacher, clean = teacher_of("fast-luma"), Distillation(given="clean")
    pairs = pairs_of(clips)

    (pair, *_) = taught_pairs(pairs, teacher, clean, folder=None, device=CPU)

    bicubic = shrink(pair.high.luma, pair.high.chroma, 2, "bicubic")
    low = replace(pair.low, luma=bicubic[0], chroma=bicubic[1])
    (expected,) = taught([replace(pair, low=low)], teacher)
    np.testing.assert_array_equal(pair.taught, expected.taught)
    assert not np.array_equal(pair.taught, taught(pairs, teacher)[0].taught)


def test_answers_are_found_again(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, pairs = teacher_of("fast-luma"), pairs_of(clips)
    first = taught(pairs, teacher, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [path.suffix for path in files] == [".npy"] * 3

    with monkeypatch.context() as patched:
        patched.setattr(Teacher, "network", None)  # it is not asked again
        again = taught(pairs, teacher, tmp_path)
    taught(pairs, replace(teacher, ensemble=True), tmp_path)
    other = {name: 2 * weight for name, weight in teacher.weights.items()}
    taught(pairs, replace(teacher, weights=other), tmp_path)

    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.taught, two.taught)
        np.testing.assert_array_equal(one.taught, taught([one], teacher)[0].taught)
    assert len(list(tmp_path.iterdir())) == 9


def test_who_answers_like_the_teacher_has_nothing_to_learn(distilled: TrainConfig) -> None:
    everything = Distillation(output=1, temporal=2, features=3)
    config = replace(distilled, distillation=everything, network=CONFIGS["fast-two"])
    teacher = teacher_of("fast-two")
    student = teacher.network(CPU)
    lessons = Lessons(config, student, teacher, CPU)
    inputs = torch.rand(4, 2, 24, 24)
    answer = student(inputs)

    assert lessons.loss(answer, luma_of(answer, 4, "luma"), inputs) < 1e-6
    answer = student(inputs)
    assert lessons.loss(answer, luma_of(answer, 4, "luma") + 0.1, inputs) == pytest.approx(0.01)


def test_changes_from_frame_to_frame_are_compared(distilled: TrainConfig) -> None:
    config = replace(distilled, distillation=Distillation(output=0, temporal=2), border=1)
    lessons = Lessons(config, torch.nn.Identity(), teacher_of("fast-luma"), CPU)
    answer, wanted = torch.rand(6, 4, 8, 8), torch.rand(6, 1, 16, 16)

    found = lessons.loss(answer, wanted, answer)

    luma = F.pixel_shuffle(answer, 2)[..., 2:-2, 2:-2].numpy()
    other = wanted[..., 2:-2, 2:-2].numpy()
    squares = [
        ((luma[k + 1] - luma[k]) - (other[k + 1] - other[k])) ** 2 for k in (0, 2, 4)
    ]  # two frames of each of three patches
    assert found.item() == pytest.approx(2 * np.mean(squares), rel=1e-5)


def test_features_count_for_what_no_1x1_convolution_explains() -> None:
    torch.manual_seed(1)
    own = torch.rand(2, 5, 9, 9)
    mixed = torch.einsum("dc,nchw->ndhw", torch.rand(7, 5), own) + 3
    noise = torch.randn(2, 7, 9, 9)

    assert unexplained(own, mixed) < 1e-6
    assert 0.9 < unexplained(own, noise) < 1
    half = mixed - mixed.mean(dim=(0, 2, 3), keepdim=True)
    half = half / half.std() + noise / noise.std()
    assert 0.4 < unexplained(own, half) < 0.6
    # Against a solver of others, a column of ones beside the features.
    columns = np.concatenate([own.movedim(1, -1).reshape(-1, 5).numpy(), np.ones((162, 1))], axis=1)
    goal = half.movedim(1, -1).reshape(-1, 7).numpy()
    residual = goal - columns @ np.linalg.lstsq(columns, goal, rcond=None)[0]
    expected = (residual**2).mean() / ((goal - goal.mean(axis=0)) ** 2).mean()
    assert unexplained(own, half).item() == pytest.approx(expected, rel=1e-3)
    own.requires_grad_()
    unexplained(own, noise).backward()
    assert own.grad is not None
    assert own.grad.abs().max() > 0


def test_each_answered_frame_is_given_its_own_window(
    distilled: TrainConfig, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(distilled, distillation=Distillation(temporal=1))
    assert (config.answered, config.seen) == ((0, 1), (0, -1, 1))
    teacher = teacher_of("fast-luma")
    pairs = taught(pairs_of(clips), teacher)
    trainer = Trainer(config, pairs, teacher=teacher)
    given: list[torch.Tensor] = []
    trainer.network.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    places = trainer._places()  # pyright: ignore[reportPrivateUsage]

    trainer.train_step()

    windows = given[0].unflatten(0, (len(places), 2))
    for place, both in zip(places, windows, strict=True):
        now, before, after = (
            torch.from_numpy(np.ascontiguousarray(_cut(pairs[place.pair].low.luma[t], place)))
            for t in place.low
        )
        torch.testing.assert_close(both[0], torch.stack((now, before)).float() / 255)
        torch.testing.assert_close(both[1], torch.stack((after, now)).float() / 255)


def _cut(plane: np.ndarray, place: Place) -> np.ndarray:
    part = plane[*place.window(1, 24)]
    part = part[:, ::-1] if place.mirror else part
    part = part[::-1] if place.flip else part
    return part.T if place.transpose else part


@pytest.mark.parametrize("layout", ["luma", "packed"])
def test_a_student_becomes_more_like_its_teacher(
    layout: str, distilled: TrainConfig, clips: list[Clip]
) -> None:
    config = replace(
        distilled,
        network=replace(LUMA, layout=layout),  # pyright: ignore[reportArgumentType]
        steps=30,
        distillation=Distillation(output=20, temporal=1),
    )
    teacher = teacher_of("fast-luma")
    pairs = taught(pairs_of(clips), teacher)
    trainer = Trainer(config, pairs, teacher=teacher)
    fixed = trainer._places()  # pyright: ignore[reportPrivateUsage]
    trainer._places = lambda: fixed  # type: ignore[method-assign]

    losses = [trainer.train_step().item() for _ in range(30)]

    assert losses[-1] < 0.8 * losses[0]


def test_a_killed_run_with_a_teacher_goes_on_exactly(
    distilled: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    config = replace(distilled, distillation=Distillation(temporal=1, features=1))
    teacher = Teacher(
        name="like",
        config=LUMA,
        weights=Trainer(replace(config, distillation=None, seed=9), pairs_of(clips)).ema,
    )
    whole = train(config, clips, tmp_path / "whole", teacher=teacher)
    folder, answers = tmp_path / "cut", tmp_path / "answers"

    def kill(progress: Progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            config, clips, folder, teacher=teacher, answers=answers, on_progress=kill,
            report_every=1,
        )  # fmt: skip
    stranger = replace(teacher, name="stranger")
    with pytest.raises(OptionError, match=r"learned from like \([0-9a-f]{12}\), got stranger \("):
        train(config, clips, folder, teacher=stranger, answers=answers, resume=True)
    resumed = train(config, clips, folder, teacher=teacher, answers=answers, resume=True)

    one, other = load_checkpoint(whole), load_checkpoint(resumed)
    assert one.config == other.config == config
    assert one.teacher == other.teacher == teacher.label
    assert replace(teacher, ensemble=True).label.startswith("like in eight ways (")
    for name, weights in one.network.items():
        assert torch.equal(weights, other.network[name]), name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"given": "noise"}, "a teacher is given input or clean, got 'noise'"),
        ({"temporal": -1.0}, "temporal must be at least 0, got -1.0"),
        ({"output": 0.0}, "needs a weight: output, temporal or features"),
        ({"given": "clean", "features": 1.0}, "features need .* given input, got 'clean'"),
    ],
)
def test_impossible_lessons_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Distillation(**values)  # pyright: ignore[reportArgumentType]


def test_teachers_that_do_not_fit_are_refused(
    distilled: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="teacher fast-x4 is x4, the student x2"):
        load_teacher("fast-x4", scale=2)
    with pytest.raises(OptionError, match="ensemble is for networks of luma, fast-x2 is packed"):
        load_teacher("fast-x2", scale=2, ensemble=True)
    with pytest.raises(UnknownModelError, match="no model 'slow'"):
        load_teacher("slow", scale=2)
    features = replace(distilled, distillation=Distillation(features=1))
    for name, message in (
        ("srcnn", "networks of kind fast, the teacher is of kind srcnn"),
        ("fast-luma", r"fast-luma sees luma of frames \(0,\), the student luma of \(0, -1\)"),
    ):
        with pytest.raises(OptionError, match=message):
            Trainer(features, pairs_of(clips), teacher=teacher_of(name))
    with pytest.raises(OptionError, match="tiny learns from a teacher: upreel distill"):
        Trainer(distilled, pairs_of(clips))
    plain = replace(distilled, distillation=None)
    with pytest.raises(OptionError, match="tiny has nothing from a teacher: upreel distill"):
        Trainer(plain, pairs_of(clips), teacher=teacher_of("fast-luma"))


def test_a_checkpoint_and_a_card_can_teach(
    config: TrainConfig, clips: list[Clip], tmp_path: Path
) -> None:
    path = train(config, clips, tmp_path)

    one, other = load_teacher(str(path), scale=2), load_teacher("fast-x2", scale=2)

    assert (one.name, one.config) == ("tiny", config.network)
    assert other.name == "fast-x2"
    assert other.config != one.config
