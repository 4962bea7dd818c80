"""What every request must pass, and what every answer carries.

A page elsewhere on the web must not reach a server on this machine through its viewer's browser:
the name that was asked for must be one of ours (a rebound DNS name is none), and no answer may be
read by other origins. Viewers show a token or a password where one is set.
"""

import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upreel.server.config import ServeConfig
from upreel.server.responses import error_answer

__all__ = ["OPEN_PATHS", "Guard"]

OPEN_PATHS = ("/api/health",)
"""Answered to anyone: they tell no more than that the server runs."""

COOKIE = "upreel"
_LONGEST_URL = 4096
_LONGEST_HEADERS = 16 << 10
_METHODS = ("GET", "HEAD")
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; img-src 'self' data: blob:; media-src 'self' blob: data:; "
        "style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
        "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]


class Guard:
    """An application behind the rules of the house.

    Args:
        app: the application.
        config: who may ask, and under which names.
        on_answer: told the status of every answer.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, on_answer: Callable[[int], None]) -> None:
        self._app = app
        self._on_answer = on_answer
        self._token = config.token
        self._user = config.user
        self._names = {"localhost", config.host.lower(), *(name.lower() for name in config.hosts)}
        host = socket.gethostname().lower()
        if host:
            self._names |= {host, f"{host.partition('.')[0]}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_RAW_HEADERS]
                self._on_answer(message["status"])
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in
                   scope["headers"]}  # fmt: skip
        refusal = self._refusal(scope, headers)
        await (self._app if refusal is None else refusal)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        if not self._is_ours(headers.get("host", "")):
            return error_answer(421, "this server is not known under that name: see --allow-host")
        if scope["method"] not in _METHODS:
            return error_answer(405, "only GET and HEAD are answered", {"allow": "GET, HEAD"})
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return error_answer(413, "requests have no body here", {"connection": "close"})
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEADERS:
            return error_answer(431, f"headers have at most {_LONGEST_HEADERS} bytes here")
        query: bytes = scope["query_string"]
        if len(query) + len(scope["raw_path"]) > _LONGEST_URL:
            return error_answer(414, f"URLs have at most {_LONGEST_URL} bytes here")
        if scope["path"] in OPEN_PATHS or (self._token is None and self._user is None):
            return None
        if self._shows_cookie(headers.get("cookie", "")) or self._shows_password(
            headers.get("authorization", "")
        ):
            return None
        given = dict(parse_qsl(query.decode("latin-1"), max_num_fields=20)).get("token")
        if given is not None and self._is_token(given):
            return self._welcome(scope, query)
        return error_answer(
            401,
            "a token or a password is needed",
            {"www-authenticate": 'Basic realm="upreel", charset="UTF-8"'},
        )

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this server: an address, or a name that is known."""
        name = host.strip().lower()
        if name.startswith("["):
            name, _, port = name[1:].partition("]")
        else:
            name, _, port = name.partition(":")
            port = f":{port}" if port else ""
        if port and not (port[0] == ":" and port[1:].isdigit()):
            return False
        name = name.removesuffix(".")
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _shows_password(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(value.strip())
        if scheme.lower() != "basic":
            return False
        try:
            shown = base64.b64decode(value.strip(), validate=True)
        except ValueError:
            return False
        name, _, password = shown.partition(b":")
        known = self._user is not None and hmac.compare_digest(
            shown, f"{self._user[0]}:{self._user[1]}".encode()
        )
        token = self._token is not None and hmac.compare_digest(password, self._token.encode())
        return known or (token and bool(name))

    def _cookie(self) -> str:
        return hashlib.sha256(f"upreel cookie {self._token}".encode()).hexdigest()

    def _shows_cookie(self, cookies: str) -> bool:
        if self._token is None:
            return False
        shown = [part.strip().partition("=") for part in cookies.split(";")]
        return any(
            name == COOKIE and hmac.compare_digest(value.encode(), self._cookie().encode())
            for name, _, value in shown
        )

    def _welcome(self, scope: Scope, query: bytes) -> Response:
        """To the same page without the token in its address, which a cookie keeps instead."""
        rest = [(k, v) for k, v in parse_qsl(query.decode("latin-1")) if k != "token"]
        path = "/" + scope["raw_path"].decode("ascii").lstrip("/")
        place = path + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(place, 303, {"cache-control": "no-store"})
        response.set_cookie(COOKIE, self._cookie(), httponly=True, samesite="strict", path="/")
        return response
