"""Processes that share a run: what they come to is what one process comes to.

Mutations tried: gradients not averaged, every process with the same patches.
"""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from processes import ENVIRONMENT

from upreel.datasets.clips import Clip
from upreel.errors import OptionError
from upreel.training.checkpoint import load_checkpoint
from upreel.training.config import TrainConfig
from upreel.training.run import train
from upreel.training.team import Team, joined
from upreel.training.trainer import Trainer

SCRIPT = """
import pickle, sys
from pathlib import Path
import torch
from upreel.datasets.clips import drawn_clips
from upreel.training.run import train

torch.set_num_threads(1)
torch.cpu._is_avx512_bf16_supported = lambda: False  # rounding would differ
config = pickle.loads(Path(sys.argv[1]).read_bytes())
clips = drawn_clips(3, num_frames=3, height=96, width=96)
train(config, clips, Path(sys.argv[2]), on_progress=lambda p: print("step", p.step, flush=True))
"""


def test_two_processes_make_what_one_makes(
    config: TrainConfig, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    network = replace(config.network, layout="luma")  # chroma is weighed within a process
    config = replace(config, batch=4, network=network)
    alone = load_checkpoint(train(config, clips, tmp_path / "alone"))
    (tmp_path / "config").write_bytes(pickle.dumps(config))
    (tmp_path / "script.py").write_text(SCRIPT)

    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(tmp_path / "script.py"), str(tmp_path / "config"), str(tmp_path / "team"),
        ],
        env={**ENVIRONMENT, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step") == 2  # of the first process alone
    together = load_checkpoint(tmp_path / "team" / "tiny.ckpt")
    assert together.step == alone.step == 6
    # Adam makes much of gradients that are next to nothing: single weights may differ by more.
    begun = Trainer(config, []).network.state_dict()
    learned, apart = (
        sum((one[name] - other[name]).square().sum() for name in begun)
        for one, other in ((alone.network, begun), (alone.network, together.network))
    )
    assert apart < 1e-3 * learned


def test_a_team_shares_everything_once() -> None:
    items = list(range(8))
    shares = [Team(rank=rank, size=3).share(items) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == items
    assert [Team(rank=rank, size=3).leads for rank in range(3)] == [True, False, False]


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "3")
    with pytest.raises(OptionError, match="WORLD_SIZE is 3 without RANK: begin processes by torch"):
        joined("cpu", 3)
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.setitem(os.environ, name, "1")
    with pytest.raises(OptionError, match="a batch of 4 cannot be shared by 3 processes"):
        joined("cpu", 4)
