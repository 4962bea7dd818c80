"""A job in pieces gives what a job at once gives, wherever its folder has been moved."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from clips import AudioTrack, write_clip
from stand_in import Repeater, Report, StandIn

from upreel.errors import OutputError, StaleWorkError
from upreel.pipeline import (
    UpscaleJob,
    join_job,
    num_parts,
    plan_job,
    run_part,
    upscale,
)


def job(folder: Path, output: str) -> UpscaleJob:
    return UpscaleJob(
        source=str(folder / "a.mp4"),
        output=str(folder / output),
        part_seconds=Fraction(1, 5),
        end=Fraction(4, 5),
    )


def test_parts_in_any_order_after_a_move_join_to_the_same_bytes(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    write_clip(here / "a.mp4", count=23, options={"g": "6"}, audio=[AudioTrack()])
    expected = upscale(job(here, "at_once.mp4"), backend=StandIn(seen=(1, 1)))
    folder = plan_job(job(here, "b.mp4"), backend=StandIn(seen=(1, 1)))
    there = here.rename(tmp_path / "there")
    folder = there / folder.name

    with pytest.raises(OutputError, match="not finished: 0, 1, 2"):
        join_job(folder, backend=StandIn(seen=(1, 1)))
    for number in reversed(range(num_parts(folder))):
        done = run_part(folder, number, backend=StandIn(seen=(1, 1)))
        unused = StandIn(seen=(1, 1))
        assert run_part(folder, number, backend=unused) == done
        assert not unused.opened
    result = join_job(folder, backend=StandIn(seen=(1, 1)))

    at_once = there / Path(expected.output).name
    assert Path(result.output).read_bytes() == at_once.read_bytes()
    assert result.resumed_frames == result.frames == 20
    assert not folder.exists()


def test_a_worker_that_would_give_other_bytes_refuses(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", count=23)
    folder = plan_job(job(tmp_path, "b.mp4"), backend=StandIn())

    with pytest.raises(StaleWorkError, match="other precision"):
        run_part(folder, 0, backend=OtherPrecision())


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_worker_with_too_little_memory_refuses_where_tiles_show(
    recurrent: bool,
    tmp_path: Path,
) -> None:
    write_clip(tmp_path / "a.mp4", count=23)
    folder = plan_job(job(tmp_path, "b.mp4"), backend=StandIn(recurrent=recurrent))
    small = StandIn(recurrent=recurrent)

    def smaller(_number: int) -> None:
        small.opened[-1].tile = (16, 32)

    small.on_submit = smaller
    if not recurrent:
        assert run_part(folder, 0, backend=small).frames == 5
        return
    with pytest.raises(
        StaleWorkError, match=r"part 0 is planned in tiles of \(48, 64\), .* for \(16, 32\)"
    ):
        run_part(folder, 0, backend=small)
    assert not list(folder.glob("part-*"))
    assert run_part(folder, 0, backend=StandIn(recurrent=True)).frames == 5


@dataclass(frozen=True)
class Bf16(Report):
    precision: str = "bf16"


class OtherPrecision(StandIn):
    def open(self, *arguments: object, **options: object) -> Repeater:
        repeater = super().open(*arguments, **options)
        repeater.report = Bf16()
        return repeater
