"""The OpenAPI 3.1 document: one table of operations, from which it is made."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["FILE_TYPES", "OPERATIONS", "Operation", "document"]

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One path that is answered.

    Attributes:
        path: with parameters in braces.
        name: of the operation.
        summary: what it gives.
        content: media types that the answer may have.
        schema: of a JSON answer, by name; "" for other answers.
        query: query parameters by name.
        ranges: whether Range headers are answered.
        title: whether it is about a title, which may not be playable.
    """

    path: str
    name: str
    summary: str
    content: tuple[str, ...] = ("application/json",)
    schema: str = ""
    query: dict[str, Schema] = field(default_factory=dict[str, Schema])
    ranges: bool = False
    title: bool = False


FILE_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".ts": "video/mp2t",
    ".avi": "video/x-msvideo",
    ".upv": "video/x-upv",
}
"""Media types of plain files by their endings; others are told as bytes."""

_HLS = "application/vnd.apple.mpegurl"
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000}
_OFFSET = {"type": "integer", "minimum": 0, "maximum": 1_000_000}

OPERATIONS: tuple[Operation, ...] = (
    Operation(path="/api/health", name="health", summary="Whether it runs", schema="Health"),
    Operation(
        path="/api/titles",
        name="titles",
        summary="Titles of the library",
        schema="Titles",
        query={"limit": _COUNT, "offset": _OFFSET},
    ),
    Operation(path="/api/titles/{id}", name="title", summary="One title", schema="Title"),
    Operation(
        path="/api/titles/{id}/rungs",
        name="rungs",
        summary="Its versions, sounds and subtitles",
        schema="Rungs",
        title=True,
    ),
    Operation(path="/api/models", name="models", summary="Networks for players", schema="Models"),
    Operation(path="/api/models/{name}", name="model", summary="A network's card", schema="Model"),
    Operation(path="/api/live", name="live", summary="The live stream", schema="Live"),
    Operation(path="/api/metrics", name="metrics", summary="What is counted", schema="Metrics"),
    Operation(
        path="/metrics",
        name="prometheus",
        summary="The same for Prometheus",
        content=("text/plain",),
    ),
    Operation(
        path="/titles/{id}/file",
        name="file",
        summary="A title's file",
        content=("application/octet-stream", *FILE_TYPES.values()),
        ranges=True,
    ),
    Operation(
        path="/titles/{id}/file.upv",
        name="upv_file",
        summary="A title's file, if it is an .upv file",
        content=(FILE_TYPES[".upv"],),
        ranges=True,
    ),
    Operation(
        path="/titles/{id}/master.m3u8",
        name="master",
        summary="A title as HLS",
        content=(_HLS,),
        title=True,
    ),
    Operation(
        path="/titles/{id}/{version}/poster.jpg",
        name="poster",
        summary="A title's poster",
        content=("image/jpeg",),
        ranges=True,
        title=True,
    ),
    Operation(
        path="/titles/{id}/{version}/{track}/index.m3u8",
        name="playlist",
        summary="A rendition's segments",
        content=(_HLS,),
        title=True,
    ),
    Operation(
        path="/titles/{id}/{version}/{track}/{piece}",
        name="piece",
        summary="init.mp4, NUMBER.m4s, words.vtt or file.vtt of a rendition",
        content=("video/mp4", "audio/mp4", "text/vtt"),
        ranges=True,
        title=True,
    ),
    Operation(
        path="/models/{file}",
        name="model_file",
        summary="A network's weights (.onnx, .web for browsers) or card (.json)",
        content=("application/octet-stream", "application/json"),
        ranges=True,
    ),
    Operation(
        path="/live/master.m3u8",
        name="live_master",
        summary="The live stream as HLS",
        content=(_HLS,),
    ),
    Operation(
        path="/live/{track}/index.m3u8",
        name="live_playlist",
        summary="Its last segments",
        content=(_HLS,),
    ),
    Operation(
        path="/live/{track}/{piece}",
        name="live_piece",
        summary="init-NUMBER.mp4 or NUMBER.m4s of a live rendition",
        content=("video/mp4", "audio/mp4"),
    ),
)
"""All that is answered beside pages, static files and this document."""


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(of: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_YES: Schema = {"type": "boolean"}
_MAYBE_WHOLE: Schema = {"type": ["integer", "null"], "minimum": 0}
_MAYBE_NUMBER: Schema = {"type": ["number", "null"], "minimum": 0}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}

_SCHEMAS: dict[str, Schema] = {
    "Error": _object(error=_TEXT),
    "Health": _object(status={"const": "ok"}, version=_TEXT),
    "Title": _object(
        id={"type": "string", "pattern": "^[a-z2-7]{16}$"},
        version=_TEXT,
        name=_TEXT,
        folder=_TEXT,
        bytes=_WHOLE,
        modified={"type": "string", "format": "date-time"},
        state={"enum": ["new", "ready", "broken"]},
        reason=_MAYBE_TEXT,
        seconds=_MAYBE_NUMBER,
        width=_MAYBE_WHOLE,
        height=_MAYBE_WHOLE,
        codec=_MAYBE_TEXT,
        damaged_frames=_MAYBE_WHOLE,
        page=_TEXT,
        master=_TEXT,
        file=_TEXT,
        poster=_TEXT,
    ),
    "Titles": _object(total=_WHOLE, titles=_list("Title")),
    "Track": _object(
        name=_TEXT,
        kind={"enum": ["video", "audio", "text"]},
        copied=_YES,
        codec=_TEXT,
        bits_per_second=_WHOLE,
        width=_WHOLE,
        height=_WHOLE,
        language=_TEXT,
        label=_TEXT,
        default=_YES,
        playlist=_TEXT,
        plain=_MAYBE_TEXT,
    ),
    "Rungs": _object(
        segments=_WHOLE, shift_seconds={"type": "integer"}, reason=_MAYBE_TEXT,
        tracks=_list("Track"),
    ),
    "ModelFile": _object(name=_TEXT, url=_TEXT, bytes=_WHOLE, sha256=_TEXT),
    "ForBrowsers": _object(url=_TEXT, macs=_WHOLE, auto=_YES),
    "Model": _object(name=_TEXT, summary=_TEXT, licence=_TEXT, scale=_WHOLE, sha256=_TEXT,
                     files=_list("ModelFile"),
                     browser={"oneOf": [{"type": "null"},
                                        {"$ref": "#/components/schemas/ForBrowsers"}]}),
    "Models": _object(models=_list("Model")),
    "LiveTrack": _object(name=_TEXT, kind={"enum": ["video", "audio"]}, codec=_TEXT, width=_WHOLE,
                         height=_WHOLE, playlist=_TEXT),
    "Live": _object(
        state={"enum": ["off", "connecting", "live", "waiting", "ended"]},
        reason=_MAYBE_TEXT,
        reconnections=_WHOLE,
        master=_MAYBE_TEXT,
        tracks=_list("LiveTrack"),
    ),
    "Metrics": {"type": "object", "additionalProperties": True,
                "required": ["answers", "values"],
                "properties": {"answers": {"type": "object", "additionalProperties": _WHOLE},
                               "values": {"type": "object", "additionalProperties": _NUMBER}}},
}  # fmt: skip

_REFUSALS = {
    "401": "A token or a password is needed",
    "404": "There is no such thing",
    "405": "Only GET and HEAD are answered",
    "413": "Requests have no body",
    "414": "The URL is too long",
    "421": "The server is not known under that name",
    "431": "The headers are too long",
    "503": "Too much to do: ask again",
}


def document(version: str) -> Schema:
    """The OpenAPI document.

    Args:
        version: of this project.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Upreel",
            "version": version,
            "description": "A library of videos as HLS and plain files.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"password": []}, {}],
        "paths": {operation.path: {"get": _described(operation)} for operation in OPERATIONS},
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _described(operation: Operation) -> Schema:
    names = [word[1:-1] for word in operation.path.split("/") if word.startswith("{")]
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in operation.query.items()
    ]
    schema: Schema = {}
    if operation.schema:
        schema = {"schema": {"$ref": f"#/components/schemas/{operation.schema}"}}
    content = dict.fromkeys(operation.content, schema)
    answers: dict[str, Schema] = {
        "200": {"description": operation.summary, "content": content},
        "304": {"description": "The client has it already"},
    }
    if operation.ranges:
        answers["206"] = {"description": "A part of it", "content": content}
        answers["416"] = {"description": "No byte of it is in that range"}
    refusals = dict(_REFUSALS)
    if operation.query:
        refusals["400"] = "A parameter is not what it may be"
    if operation.title:
        refusals["502"] = "The title cannot be played; the message says why"
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers |= {code: {"description": text, "content": error} for code, text in refusals.items()}
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": dict(sorted(answers.items())),
    }
