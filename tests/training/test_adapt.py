"""Adaptation to a video: what is looked at, what is learned, and what is left behind."""

# pyright: reportUnknownMemberType=false

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clips import write_clip
from small_cards import torch_network

from upreel.errors import ExistsError, LockedError, OptionError, StaleWorkError
from upreel.inference import PlaneUpscaler
from upreel.pipeline import UpscaleJob
from upreel.pipeline.work import Work
from upreel.training import adapt as adapting
from upreel.training.adapt import Adapted, adapt, adapted_job, stretches
from upreel.training.checkpoint import load_result
from upreel.training.turning import mean_answer
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.zoo import ModelCard

Cards = Callable[[str], ModelCard]


@pytest.fixture
def card(small_cards: Cards) -> ModelCard:
    return small_cards("fast-two")


def counting(seconds_a_look: float = 0.02) -> Callable[[], float]:
    """A clock that goes on by as much whenever it is looked at."""
    looks = itertools.count()
    return lambda: next(looks) * seconds_a_look


def material(side: int = 64) -> list[torch.Tensor]:
    """Stretches of a drifting texture."""
    random = np.random.default_rng(4)
    texture = random.random((side + 8, side + 8)).astype(np.float32)
    return [
        torch.from_numpy(np.stack([texture[t : t + side, t + n : t + n + side] for t in range(3)]))
        for n in range(5)
    ]


def test_stretches_lie_all_over_the_video_and_share_nothing(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "is_cut", lambda *_: False)  # the drawn clip has many
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=40)
    info = probe(clip)
    lumas = np.stack([frame.planes[0] for frame in read_frames(info)])

    found = stretches(card, info, scan(info), first=0, stop=40)

    assert [len(stretch) for stretch in found] == [8] * 5
    starts: list[int] = []
    for stretch in found:
        levels = np.rint(stretch.numpy() * 255).astype(np.uint8)
        first = next(n for n, luma in enumerate(lumas) if np.array_equal(luma, levels[0]))
        np.testing.assert_array_equal(levels, lumas[first : first + len(levels)])
        starts.append(first)
    assert starts == [0, 8, 16, 24, 32]


def test_a_stretch_ends_at_a_cut(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=8)
    info = probe(clip)
    looks = itertools.count()

    def first_look(_: object, __: object) -> bool:
        return next(looks) == 0

    monkeypatch.setattr(adapting, "is_cut", first_look)

    first, second = stretches(card, info, scan(info), first=0, stop=8)

    assert (len(first), len(second)) == (3, 4)


@pytest.mark.parametrize(("frames", "lengths"), [(48, [8] * 6), (32, [8] * 4), (13, [3] * 4)])
def test_memory_is_bounded_on_large_pictures(
    frames: int,
    lengths: list[int],
    card: ModelCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapting, "is_cut", lambda *_: False)
    info = probe(write_clip(tmp_path / "a.mkv", codec="ffv1", count=64))
    monkeypatch.setattr(adapting, "_BYTES", frames * 4 * 64 * 48)

    found = stretches(card, info, scan(info), first=0, stop=64)

    assert [len(stretch) for stretch in found] == lengths


def test_too_few_frames_are_refused(card: ModelCard, tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mkv", count=8))

    with pytest.raises(OptionError, match="adapting needs 4 frames and more, got 3"):
        stretches(card, info, scan(info), first=2, stop=5)


@pytest.mark.parametrize("name", ["fast-two", "recurrent"])
def test_the_network_comes_nearer_to_its_self_ensemble(
    name: str, small_cards: Cards, tmp_path: Path
) -> None:
    card = small_cards(name)
    shares: list[float] = []

    found = adapt(
        card, material(), tmp_path, seconds=1, clock=counting(), on_progress=shares.append
    )

    assert found.card is not None
    assert found.after > found.before
    assert found.steps > 10
    assert shares[-1] == 1
    assert found.card.name == f"{name}-adapted"
    found.card.verified_onnx(found.card.cells[0])
    old, new = (load_result(c.folder / f"{c.name}.safetensors").weights for c in (card, found.card))
    assert any(not torch.equal(old[key], new[key]) for key in old)


def test_the_same_steps_give_the_same_weights(card: ModelCard, tmp_path: Path) -> None:
    one, other = (
        adapt(card, material(), tmp_path / name, seconds=1, clock=counting()) for name in "ab"
    )

    assert one.card is not None
    assert other.card is not None
    assert one.card.sha256 == other.card.sha256


def test_mean_answers_are_those_to_all_eight_turned_pictures(card: ModelCard) -> None:
    network = torch_network(card)
    frames = material()[0][:2, :40, :50]
    total = np.zeros((4 * 40, 4 * 50))
    for turns in range(4):
        for mirrored in (False, True):
            turned = np.rot90(frames.numpy(), turns, axes=(1, 2))
            turned = turned[:, :, ::-1] if mirrored else turned
            with torch.no_grad():
                answer = network(torch.from_numpy(turned.copy())[None])
            picture = F.pixel_shuffle(answer, 4)[0, 0].numpy()
            total += np.rot90(picture[:, ::-1] if mirrored else picture, -turns) / 8

    found = F.pixel_shuffle(mean_answer(network, frames, 4)[None], 4)[0, 0].numpy()

    np.testing.assert_allclose(found, total, atol=1e-5)


def test_where_nothing_is_gained_there_is_no_card(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adapting, "_LEARNING_RATE", 0.0)

    found = adapt(card, material(), tmp_path / "none", seconds=1, clock=counting())

    assert found.card is None
    assert found.after == found.before
    assert not (tmp_path / "none").exists()


def test_small_pictures_and_packed_networks_are_refused(
    small_cards: Cards, card: ModelCard, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="40x40 and more, got 39x39"):
        adapt(card, material(39), tmp_path, seconds=1)
    with pytest.raises(OptionError, match="fast-packed cannot be asked about a picture"):
        adapt(small_cards("fast-packed"), material(), tmp_path, seconds=1)


@pytest.fixture
def job(card: ModelCard, tmp_path: Path) -> UpscaleJob:
    clip = write_clip(tmp_path / "a.mkv", count=8)
    return UpscaleJob(source=str(clip), model=str(card.folder / f"{card.name}.json"))


@pytest.fixture
def adaptations(monkeypatch: pytest.MonkeyPatch, card: ModelCard) -> list[float]:
    """Seconds of those that were asked for; none trains."""
    asked: list[float] = []

    def stand_in(_: ModelCard, __: object, folder: Path, **options: float) -> Adapted:
        asked.append(options["seconds"])
        folder.mkdir()
        other = replace(card, folder=folder, name="other")
        for ending in ("json", "onnx", "safetensors"):
            text = (card.folder / f"{card.name}.{ending}").read_bytes()
            text = text.replace(b'"fast-two"', b'"other"') if ending == "json" else text
            (folder / f"other.{ending}").write_bytes(text)
        return Adapted(steps=3, before=40, after=41, card=other)

    monkeypatch.setattr(adapting, "adapt", stand_in)
    return asked


def interrupted(job: UpscaleJob, seconds: float) -> None:
    """Adapted, and stopped before it was done."""
    with suppress(KeyboardInterrupt), adapted_job(job, seconds=seconds):
        raise KeyboardInterrupt


def test_an_interrupted_job_finds_its_adaptation_again(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    folder = tmp_path / ".a_x4.mkv.adapted"
    said: list[str] = []
    interrupted(job, seconds=5)
    assert (folder / "other.json").exists()

    with adapted_job(job, seconds=5, on_notice=said.append) as again:
        assert again == replace(job, model=str(folder / "other.json"))

    assert adaptations == [5]
    assert not folder.exists()
    assert said == [
        "fast-two adapted to this video for 5 s (3 steps): 41.00 dB from its self-ensemble on "
        "frames held back, was 40.00"
    ]


def test_another_wish_is_another_adaptation(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    for seconds, changed in ((5, job), (6, job), (6, replace(job, start=0, end=1))):
        interrupted(changed, seconds)

    assert adaptations == [5, 6, 6]
    assert len(list(tmp_path.glob(".*.adapted"))) == 1


def begun(job: UpscaleJob, folder: Path) -> None:
    """Adapted for five seconds, and stopped with a plan."""
    interrupted(job, 5)
    with Work(folder / "a_x4.mkv") as work:
        (work.folder / "plan.json").write_text("{}")
        work.keep = True


def test_a_job_stopped_while_it_moves_its_output_goes_on(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    begun(job, tmp_path)
    (tmp_path / "a_x4.mkv").write_bytes(b"half of it")

    with adapted_job(job, seconds=5) as prepared:
        assert prepared.model.endswith("other.json")
        assert (tmp_path / ".a_x4.mkv.upreel" / "plan.json").exists()
    assert adaptations == [5]


def test_parts_keep_the_adaptation_that_they_depend_on(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    begun(job, tmp_path)

    with pytest.raises(StaleWorkError, match="not adapted so; run that"):
        interrupted(job, 6)
    interrupted(job, 5)
    interrupted(replace(job, overwrite=True), 6)

    assert adaptations == [5, 6]


def test_one_at_a_time_adapts_to_an_output(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    with (
        Work(tmp_path / "a_x4.mkv"),
        pytest.raises(LockedError, match=r"another process is working on .*a_x4\.mkv"),
        adapted_job(job, seconds=5),
    ):
        pass

    assert adaptations == []
    assert not list(tmp_path.glob(".*.adapted"))


def test_without_a_gain_the_job_stays_as_it_is(
    job: UpscaleJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nothing(*_: object, **__: object) -> Adapted:
        return Adapted(steps=3, before=40, after=40, card=None)

    monkeypatch.setattr(adapting, "adapt", nothing)
    said: list[str] = []

    with adapted_job(job, seconds=5, on_notice=said.append) as same:
        assert same == job

    assert "brought it no nearer" in said[-1]
    assert not list(tmp_path.glob(".*.adapted"))


def test_what_cannot_be_is_refused_before_the_work(
    job: UpscaleJob, adaptations: list[float], tmp_path: Path
) -> None:
    (tmp_path / "a_x4.mkv").write_bytes(b"there")
    for refused, line in (
        (replace(job, source="-"), "can be read twice"),
        (
            replace(job, model="fast-x2", output=str(tmp_path / "b.mkv")),
            "asked about a picture turned over",
        ),
    ):
        with pytest.raises(OptionError, match=line), adapted_job(refused, seconds=5):
            pass
    with pytest.raises(ExistsError, match=r"a_x4\.mkv exists"), adapted_job(job, seconds=5):
        pass
    with (
        pytest.raises(OptionError, match="more than 0 seconds, got 0"),
        adapted_job(job, seconds=0),
    ):
        pass
    assert adaptations == []


def test_an_adapted_card_is_one_that_the_engine_takes(card: ModelCard, tmp_path: Path) -> None:
    found = adapt(card, material(), tmp_path, seconds=1, clock=counting())
    assert found.card is not None
    info = probe(write_clip(tmp_path / "a.mkv"))

    upscaler = PlaneUpscaler(
        found.card, pixel_format=info.format, colour=info.colour, width=64, height=48
    )

    assert upscaler.describe().precision in found.card.precisions
