"""What must not get in or out: paths, names, other origins, bodies, strangers."""

import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from clips import write_clip
from serving import Running

Start = Callable[..., Running]
SECRET = "not for the world"
TOKEN = "correct-horse-battery"
UPWARD = (
    "../secret.mp4", "..%2fsecret.mp4", "%2e%2e/secret.mp4", "%2e%2e%2fsecret.mp4",
    "..%5csecret.mp4", "..\\secret.mp4", "%252e%252e%252fsecret.mp4", "..%c0%afsecret.mp4",
    "....//secret.mp4", "./../secret.mp4", "/secret.mp4", "//secret.mp4", "secret.mp4%00.mp4",
    "%00", "..;/secret.mp4", "C:%5csecret.mp4", "C:/secret.mp4", "%5c%5chost%5cshare", "CON",
    "secret.mp4::$DATA", "~/secret.mp4", "%ff%fe", "a" * 3000, "..%ef%bc%8fsecret.mp4",
    "file:///etc/passwd", "concat:a|b", "{id}", "%7b%7d", "-1.m4s", "1e3.m4s", "٣.m4s", "00.m4s",
    "99999999999999999999.m4s", "init.mp4/", "init.mp4%20", ".tmp", "0.m4s.tmp",
)  # fmt: skip


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    write_clip(folder / "film.mp4", count=5)
    write_clip(tmp_path / "secret.mp4", count=3, metadata={"title": SECRET})
    return folder


def test_no_path_leads_out_of_the_library(films: Path, start: Start) -> None:
    server = start(films, rungs=())
    title = server.title("film")
    place = f"/titles/{title['id']}/{title['version']}/source/"
    assert server.get(place + "0.m4s").status == 200

    roots = ("/", "/titles/", f"/titles/{title['id']}/", place, "/models/", "/watch/", "/live/",
             "/api/titles/", "/api/models/", f"/static/{'0' * 16}/")  # fmt: skip
    for root in roots:
        for path in UPWARD:
            answer = server.get(quote(root + path, safe="/%\\:;|~{}$.-_"))
            assert answer.status in (400, 404, 414, 421), (root, path, answer.status)
            assert SECRET.encode() not in answer.body


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_lead_nowhere_outside(films: Path, start: Start) -> None:
    (films / "link.mp4").symlink_to(films.parent / "secret.mp4")
    (films / "folder").symlink_to(films.parent)
    (films / "inside.mp4").symlink_to(films / "film.mp4")
    (films / "loop").symlink_to(films)
    os.mkfifo(films / "pipe.mp4")

    server = start(films)

    assert set(server.titles()) == {"film", "inside"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_file_that_becomes_a_link_is_gone(films: Path, start: Start) -> None:
    server = start(films)
    place = server.titles()["film"]["file"]
    (films / "film.mp4").rename(films.parent / "moved.mp4")  # the same bytes, of the same time
    (films / "film.mp4").symlink_to(films.parent / "moved.mp4")

    assert server.get(place).status == 404


def test_a_playlist_that_is_called_a_film_is_not_followed(films: Path, start: Start) -> None:
    secret = films.parent / "secret.mp4"
    (films / "evil.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    (films / "evil.mkv").write_text("ffconcat version 1.0\nfile film.mp4\n")
    (films / "evil.avi").write_text("ffconcat version 1.0\nfile film.mp4\n")

    server = start(films)

    for title in server.get("/api/titles").json()["titles"]:
        found = server.get(f"/api/titles/{title['id']}").json()
        assert found["state"] == ("ready" if found["name"] == "film" else "broken")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_hostile_names_are_shown_and_served(tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    clip = write_clip(tmp_path / "clip.mp4", count=3).read_bytes()
    names = (b"<script>alert(1)<script>.mp4", b"\"'&.mp4", b"%2e%2e%2f.mp4", b"bad\xff\xfe.mp4",
             b"new\nline.mp4", b"a b%06d.mp4", b"CON.mp4", b"-.mp4", b"http:x.mp4",
             "\u202egpj.mp4".encode())  # fmt: skip
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(clip)

    server = start(folder, rungs=())

    page = server.get("/").body.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    titles = server.get("/api/titles").json()["titles"]
    assert len(titles) == len(names)
    for title in titles:
        assert server.get(f"/api/titles/{title['id']}").json()["state"] == "ready", title
        assert server.get(title["page"]).status == 200
        assert server.get(title["file"]).body == clip


def test_hidden_files_and_other_endings_are_not_there(films: Path, start: Start) -> None:
    (films / ".hidden.mp4").write_bytes(b"x")
    (films / ".git").mkdir()
    (films / ".git" / "a.mp4").write_bytes(b"x")
    (films / "passwords.txt").write_bytes(b"x")

    assert set(start(films).titles()) == {"film"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost", 200), ("LOCALHOST:8080", 200), ("[::1]:80", 200),
        ("192.168.1.7:8080", 200), ("films.example", 200), ("evil.example", 421),
        ("127.0.0.1.evil.example", 421), ("localhost:x", 421), ("", 421), ("localhost@evil", 421),
    ],
)  # fmt: skip
def test_only_own_names_are_answered(films: Path, start: Start, host: str, status: int) -> None:
    server = start(films, hosts=("films.example",))

    assert server.get("/api/titles", host=host).status == status


def test_every_answer_carries_the_headers(films: Path, start: Start) -> None:
    server = start(films)

    for path in ("/", "/nothing", "/api/titles", server.titles()["film"]["file"], "/openapi.json"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    answer = server.get("/api/titles", origin="https://evil.example")
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_pages_hold_nothing_that_the_policy_forbids(films: Path, start: Start) -> None:
    server = start(films)

    for path in ("/", server.titles()["film"]["page"]):
        page = server.get(path).body.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "onclick" not in page
        assert "//" not in page.replace("<!doctype", "")  # nothing from elsewhere
        assert page.count("<script") == page.count('<script type="module" src="/static/')


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"])
def test_only_get_and_head(films: Path, start: Start, method: str) -> None:
    answer = start(films).get("/api/titles", method=method)

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_bodies_long_urls_and_long_headers_are_refused(films: Path, start: Start) -> None:
    server = start(films)

    assert server.get("/", content_length="1000000000000").status == 413
    assert server.get("/", transfer_encoding="chunked").status == 413
    assert server.get("/?x=" + "a" * 5000).status == 414
    assert server.get("/", cookie="a" * 100_000).status == 431
    assert server.get("/api/health").status == 200


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_token_and_password(films: Path, start: Start) -> None:
    server = start(films, token=TOKEN, user=("ann", "pässword-1"))

    def status(path: str = "/api/titles", **headers: str) -> int:
        return server.get(path, **headers).status

    assert status("/api/health") == 200
    assert status() == 401
    assert status("/") == 401
    assert status("/openapi.json") == 401
    assert server.get("/").headers["www-authenticate"].startswith("Basic ")
    assert status(authorization=f"Bearer {TOKEN}") == 200
    assert status(authorization=f"Bearer {TOKEN}x") == 401
    assert status(authorization="Bearer ") == 401
    assert status(authorization=basic("ann:pässword-1")) == 200
    assert status(authorization=basic("bob:pässword-1")) == 401
    assert status(authorization=basic("ann:wrong")) == 401
    assert status(authorization=basic(f"anyone:{TOKEN}")) == 200
    assert status(authorization="Basic ???") == 401
    assert status(authorization="Basic") == 401
    assert status(cookie="upreel=" + "0" * 64) == 401
    assert status("/api/titles?token=wrong") == 401
    assert status("/api/titles?token=%ff") == 401


def test_a_token_in_the_address_becomes_a_cookie(films: Path, start: Start) -> None:
    server = start(films, token=TOKEN)

    answer = server.get(f"//evil.example/..?page=1&token={TOKEN}")

    assert answer.status == 303
    assert answer.headers["location"] == "/evil.example/..?page=1"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert server.get("/", cookie=f"a=b; {cookie.partition(';')[0]}").status == 200
