"""The JSON interface: true to its OpenAPI document, and to the folder as it changes."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import schemathesis
from clips import AudioTrack, SubtitleTrack, write_clip
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.openapi import from_dict
from serving import Running

from upreel import __version__
from upreel.errors import DiskFullError
from upreel.server.library import Library
from upreel.server.openapi import OPERATIONS, document
from upreel.zoo import card_names, load_card

Start = Callable[..., Running]
PAGES = {"/", "/watch/live", "/watch/{id}", "/static/{version}/{name}", "/openapi.json"}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    write_clip(folder / "film.mkv", count=30, width=192, height=108, audio=[AudioTrack()],
               subtitles=[SubtitleTrack()])  # fmt: skip
    return folder


def test_the_document_lists_what_is_answered(films: Path, start: Start) -> None:
    server = start(films)

    assert server.get("/openapi.json").json() == json.loads(json.dumps(document(__version__)))
    assert set(server.server.paths) == PAGES | {operation.path for operation in OPERATIONS}
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_answers_are_as_the_document_says_whatever_is_asked(films: Path, start: Start) -> None:
    server = start(films, rungs=(54,))
    title = server.title("film")
    known = {
        "id": [title["id"]],
        "version": [title["version"]],
        "track": ["source", "54p", "audio1", "text2"],
        "piece": ["init.mp4", "0.m4s", "words.vtt", "file.vtt"],
        "name": ["fast-x2"],
        "file": ["fast-x2.onnx", "fast-x2.json"],
    }
    schema = from_dict(server.get("/openapi.json").json())
    statuses: set[int] = set()
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        names = [p["name"] for p in operation.definition.raw["parameters"] if p["in"] == "path"]
        cases = operation.as_strategy()
        chosen = st.fixed_dictionaries({name: st.sampled_from(known[name]) for name in names})

        @settings(max_examples=6, deadline=None, database=None, derandomize=True,
                  phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=cases, real=chosen, is_real=st.booleans())
        def ask(case: schemathesis.Case, real: dict[str, str], is_real: bool) -> None:
            nonlocal count
            if is_real:
                case.path_parameters = dict(real)
            response = case.call(base_url=server.address)
            case.validate_response(response)
            again = server.get(response.request.path_url, if_none_match="*", range="bytes=0-0")
            assert str(again.status) in case.operation.definition.raw["responses"]
            assert (again.status == 304) == (response.status_code == 200)
            statuses.add(response.status_code)
            count += 1

        ask()
    assert count > 60
    assert {200, 404} <= statuses


def test_changed_files_are_noticed(
    films: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(films, rungs=())
    monkeypatch.setattr(server.server.catalog.library, "_fresh_seconds", 0)
    before = server.title("film")
    assert before["state"] == "ready"
    piece = f"/titles/{before['id']}/{before['version']}/source/0.m4s"
    assert server.get(piece).status == 200

    write_clip(films / "other.mp4", count=3)
    assert set(server.titles()) == {"film", "other"}

    write_clip(films / "film.mkv", count=5)
    after = server.title("film")
    assert after["id"] == before["id"]
    assert after["version"] != before["version"]
    assert after["seconds"] == pytest.approx(0.2)
    assert server.get(piece).status == 404

    (films / "film.mkv").unlink()
    assert set(server.titles()) == {"other"}
    assert server.get(f"/api/titles/{before['id']}").status == 404
    assert server.get(before["file"]).status == 404


def test_folders_are_not_looked_at_for_every_question(tmp_path: Path) -> None:
    library = Library([tmp_path], fresh_seconds=3600)
    assert library.titles() == ()

    write_clip(tmp_path / "a.mp4", count=2)

    assert library.titles() == ()
    assert len(Library([tmp_path]).titles()) == 1


@pytest.mark.parametrize("damage", ["garbage", "empty", "text", "short", "sound"])
def test_a_broken_title_is_told_in_one_line_and_harms_no_other(
    films: Path, start: Start, damage: str
) -> None:
    broken = films / "broken.mp4"
    if damage == "short":
        write_clip(films / "whole.mp4", count=2, audio=[AudioTrack()])
        (films / "whole.mp4").rename(broken)
        broken.write_bytes(broken.read_bytes()[:300])
    elif damage == "sound":
        with av.open(str(broken), "w") as container:
            stream = container.add_stream("aac", rate=48000)
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            silence.sample_rate = 48000
            container.mux([*stream.encode(silence), *stream.encode(None)])
    else:
        broken.write_bytes({"garbage": bytes(range(256)) * 99, "empty": b"", "text": b"a"}[damage])
    server = start(films, rungs=())

    title = server.title("broken")

    assert title["state"] == "broken"
    assert "\n" not in title["reason"]
    assert str(films) not in title["reason"]
    assert server.get(f"/api/titles/{title['id']}/rungs").status == 502
    assert server.get(title["master"]).status == 502
    assert server.get(title["poster"]).json()["error"] == title["reason"]
    page = server.get(title["page"])
    assert page.status == 200
    assert b"not playable" in page.body
    assert b"not playable" in server.get("/").body
    assert server.title("film")["state"] == "ready"
    assert server.get(server.title("film")["master"]).status == 200


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere_is_an_answer_and_no_bug(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture, ending: str, seed: int
) -> None:
    clip = write_clip(tmp_path / f"a.{ending}", count=50, audio=[AudioTrack(seconds=Fraction(2))],
                      options={"g": "10", "keyint_min": "10"})  # fmt: skip
    rng = random.Random(f"{ending} {seed}")
    data = bytearray(clip.read_bytes())
    for _ in range(12):
        place = rng.randrange(len(data))
        data[place : place + 40] = rng.randbytes(len(data[place : place + 40]))
    if seed == 2:
        del data[len(data) * 2 // 3 :]
    clip.write_bytes(data)
    server = start(clip, rungs=(36,), segment_seconds=1)

    rungs = server.get(f"/api/titles/{server.titles()['a']['id']}/rungs")
    statuses = {rungs.status}
    for track in rungs.json().get("tracks", []):
        base = track["playlist"].removesuffix("index.m3u8")
        names = ["init.mp4", *(f"{n}.m4s" for n in range(rungs.json()["segments"]))]
        statuses |= {server.get(base + name).status for name in names}

    assert statuses <= {200, 502}
    assert server.get("/api/health").status == 200
    assert caplog.records == []


def test_a_full_disk_is_not_the_titles_fault(
    films: Path, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(films, rungs=())
    rungs = f"/api/titles/{server.titles()['film']['id']}/rungs"

    def full(*_: object) -> None:
        raise DiskFullError("no room left for /somewhere/secret")

    with monkeypatch.context() as patch:
        patch.setattr("upreel.server.cache._write", full)
        answer = server.get(rungs)
    assert answer.status == 503
    assert b"somewhere" not in answer.body
    assert [record.getMessage() for record in caplog.records] == [
        "no room left for /somewhere/secret"
    ]
    assert server.title("film")["state"] == "ready"
    assert server.get(rungs).status == 200


def test_pages_work_without_script(films: Path, start: Start) -> None:
    server = start(films)
    title = server.title("film")

    library = server.get("/").body.decode()
    watch = server.get(title["page"]).body.decode()

    assert f'href="{title["page"]}"' in library
    assert "0:01 · 108p" in library
    assert f'<source src="{title["master"]}" type="application/vnd.apple.mpegurl">' in watch
    assert f'<source src="{title["file"]}" type="video/x-matroska">' in watch
    for place in (title["poster"], *_linked(library), *_linked(watch)):
        answer = server.get(place)
        assert (answer.status, bool(answer.body)) == (200, True), place
    poster = server.get(title["poster"])
    assert poster.headers["content-type"] == "image/jpeg"
    assert "immutable" in poster.headers["cache-control"]


def _linked(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/[^"]*)"', page)


def test_models_are_the_bundled_ones_with_their_hashes(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path)

    models = server.get("/api/models").json()["models"]

    assert [model["name"] for model in models] == list(card_names())
    model = next(model for model in models if model["name"] == "fast-x2")
    assert model == server.get("/models/fast-x2.json").json()
    assert model == server.get("/api/models/fast-x2").json()
    answer = server.get(model["files"][0]["url"])
    assert hashlib.sha256(answer.body).hexdigest() == model["files"][0]["sha256"]
    assert model["files"][0]["sha256"] == model["sha256"] == load_card("fast-x2").sha256
    assert answer.headers["etag"] == f'"{model["sha256"]}"'
    assert server.get(model["files"][0]["url"], if_none_match=answer.headers["etag"]).status == 304
    assert "/" not in json.dumps([m["name"] for m in models])


def test_metrics_count(films: Path, start: Start) -> None:
    server = start(films, rungs=(54,))
    track = server.tracks("film")["54p"]["playlist"].replace("index.m3u8", "0.m4s")
    size = len(server.get(track).body)
    server.get(track)
    server.get("/nothing")

    told = server.get("/api/metrics").json()
    text = server.get("/metrics").body.decode()

    assert told["answers"]["404"] == 1
    assert told["values"]["bytes_sent_total"] == 2 * size
    assert told["values"]["encodings_total"] == 1
    assert told["values"]["cache_hits_total"] >= 1
    assert f"# TYPE upreel_bytes_sent_total counter\nupreel_bytes_sent_total {2 * size}\n" in text
    assert 'upreel_answers_total{status="404"} 1' in text


def test_pages_of_titles(tmp_path: Path, start: Start) -> None:
    for n in range(205):
        (tmp_path / f"{n:03}.mp4").touch()
    server = start(tmp_path)

    assert server.get("/api/titles?limit=2&offset=204").json()["titles"][0]["name"] == "204"
    assert server.get("/api/titles?limit=0").status == 400
    assert server.get("/api/titles?offset=-1").status == 400
    assert b">204<" not in server.get("/").body
    assert b">204<" in server.get("/?page=2").body
    assert server.get("/?page=3").status == 404
    assert server.get("/?page=x").status == 404
