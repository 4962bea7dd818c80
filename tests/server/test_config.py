"""What a server may be told, and what `upreel serve` says when it may not."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from clips import write_clip
from processes import ENVIRONMENT
from typer.testing import CliRunner

from upreel.cli import app
from upreel.errors import InputError, OptionError
from upreel.server.config import ServeConfig, parse_bytes, parse_rungs

COMMAND = [sys.executable, "-m", "upreel", "serve"]


def config(folder: Path, **options: object) -> ServeConfig:
    return ServeConfig(**{"sources": (folder,), "cache": folder, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "films.example"])
def test_other_machines_need_a_token_or_a_password(tmp_path: Path, host: str) -> None:
    with pytest.raises(OptionError, match="can be reached from other machines: give --token"):
        config(tmp_path, host=host)
    assert config(tmp_path, host=host, token="long-enough").host == host
    assert config(tmp_path, host=host, user=("a", "long-enough")).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_none(tmp_path: Path, host: str) -> None:
    assert config(tmp_path, host=host).token is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ()}, "nothing to serve"),
        ({"token": "short"}, "--token takes 8 or more"),
        ({"token": "with a space"}, "--token takes 8 or more"),
        ({"user": ("ann", "short")}, "--user takes NAME:PASSWORD"),
        ({"user": ("", "long-enough")}, "--user takes NAME:PASSWORD"),
        ({"cache_bytes": 1000}, "--cache-size must be 64M or more, not 1000 bytes"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        config(tmp_path, **options)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file or folder: .*nowhere"):
        config(tmp_path, sources=(tmp_path / "nowhere",))


def test_rungs() -> None:
    assert parse_rungs("540, 180,180") == (180, 540)
    assert parse_rungs("") == ()
    for wrong in ("181", "20", "4000", "-180", "x", "180;270", "1e3", "²", ",".join(["180"] * 9)):
        with pytest.raises(OptionError, match="--rungs takes"):
            parse_rungs(wrong)


def test_sizes() -> None:
    assert parse_bytes("500M") == 500 << 20
    assert parse_bytes("2gb") == 2 << 30
    for wrong in ("", "G", "x", "1Q", "inf", "nan"):
        with pytest.raises(OptionError, match="--cache-size takes"):
            parse_bytes(wrong)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 1, "upreel: nothing to serve: give folders or videos, or --live"),
        (["nowhere"], 1, "upreel: no such file or folder: nowhere"),
        ([".", "--live", "x"], 1, "upreel: --live takes an address"),
        ([".", "--host", "0.0.0.0"], 1, "upreel: 0.0.0.0 can be reached"),
        ([".", "--host", "no.such.host.invalid", "--token", "long-enough"], 1,
         "upreel: cannot listen on no.such.host.invalid port 8080: "),
        ([".", "--user", "ann"], 1, "upreel: --user takes NAME:PASSWORD"),
        ([".", "--port", "99999"], 2, "Usage: "),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, line: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    done = CliRunner().invoke(app, ["serve", *arguments])

    assert done.exit_code == code
    assert done.stdout == ""
    assert done.stderr.startswith(line)
    if code == 1:
        assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    write_clip(tmp_path / "a.mp4", count=2)
    arguments = [str(tmp_path), "--port", "0", "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE
    ) as server:
        assert server.stderr is not None
        address = server.stderr.readline().decode().split()[2]
        with urllib.request.urlopen(f"{address}api/titles") as answer:
            assert b'"total": 1' in answer.read()
        server.send_signal(number)
        rest = server.stderr.read()

    assert server.returncode == code
    assert rest == b"upreel: stopped\n"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["serve", str(tmp_path), "--port", str(port), "--cache", str(tmp_path)]
        done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 1
    assert done.stderr.startswith(f"upreel: cannot listen on 127.0.0.1 port {port}: ")
