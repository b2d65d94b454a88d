"""The OpenAPI 3.1 description of the interface: what `/openapi.json` answers."""

from __future__ import annotations

from typing import Any

import rtfilter
from rtfilter.serve.app.openapi_schemas import Schema, ref, schemas

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
JSON = "application/json"

_REASONS = {
    400: "malformed, or out of range",
    404: "no such session or stream: it never was, or it ended",
    405: "not for this path; `Allow` names what is",
    409: "not possible now; the line says why",
    412: "`If-Match` names another ICE session",
    413: "the body is too large",
    415: "another Content-Type is expected",
    422: "well-formed, but not what is served here",
    426: "a WebSocket is expected",
    428: "`If-Match` is missing",
    429: "this address has its share, or sent too many wrong tokens",
    503: "no room: too many sessions, or the processors are busy",
}
# Any request may meet these: the wrong Host, Origin or token.
_ALWAYS = {
    401: "no token, or a wrong one",
    403: "a page of another origin",
    421: "a name that this server does not have",
    429: _REASONS[429],
    500: "a bug in rtfilter; the line has the log's reference",
}


def openapi_document() -> dict[str, Any]:
    """A new document every time: whoever gets it may change it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rtfilter serve",
            "version": rtfilter.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "A real-time video filter for facial expression. The link that the server prints"
            " at its start carries the token that requests need.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {**_server_paths(), **_session_paths(), **_camera_paths(), **_stream_paths()},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        },
    }


def _content(schema: Schema, kind: str = JSON) -> dict[str, Any]:
    return {"content": {kind: {"schema": schema}}}


def _operation(
    name: str,
    summary: str,
    status: int,
    answer: dict[str, Any] | None = None,
    *,
    body: dict[str, Any] | None = None,
    refusals: tuple[int, ...] = (),
    headers: dict[str, str] | None = None,
    is_open: bool = False,
    parameters: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """One operation. headers: of the answer, with what they say. is_open: needs no token."""
    done: dict[str, Any] = {"description": summary, **(answer or {})}
    if headers:
        done["headers"] = {
            key: {"description": text, "schema": {"type": "string"}} for key, text in headers.items()
        }
    reasons = {} if is_open else dict(_ALWAYS)
    if body is not None:
        reasons.update((each, _REASONS[each]) for each in (400, 413, 415))
    reasons.update((each, _REASONS[each]) for each in refusals)
    responses: dict[str, Any] = {str(status): done}
    for refused, reason in sorted(reasons.items()):
        responses[str(refused)] = {"description": reason, **_content(ref("Error"))}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, **body}
    if parameters:
        operation["parameters"] = list(parameters)
    if is_open:
        operation["security"] = []
    return operation


def _parameter(name: str, description: str, where: str = "path", *, required: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def _server_paths() -> dict[str, Any]:
    page = {"type": "string"}
    return {
        "/": {
            "get": _operation("panel", "the control panel", 200, _content(page, "text/html"), is_open=True)
        },
        "/favicon.ico": {
            "get": _operation("icon", "the panel's icon", 200, _content(page, "image/svg+xml"), is_open=True)
        },
        "/static/{filename}": {
            "parameters": [_parameter("filename", "a file of the control panel")],
            "get": _operation(
                "staticFile",
                "a file of the control panel",
                200,
                _content(page, "*/*"),
                refusals=(404,),
                is_open=True,
            ),
        },
        "/healthz": {
            "get": _operation("health", "whether it runs", 200, _content(ref("Health")), is_open=True)
        },
        "/openapi.json": {
            "get": _operation("description", "this document", 200, _content({"type": "object"}), is_open=True)
        },
        "/metrics": {
            "get": _operation("metrics", "Prometheus's text format", 200, _content(page, "text/plain"))
        },
        "/api/info": {
            "get": _operation("info", "what this server has and permits", 200, _content(ref("Info")))
        },
        "/api/presets/{name}": {
            "parameters": [_parameter("name", "1 to 40 lower-case letters, digits, - and _")],
            "put": _preset_saved(),
        },
    }


def _preset_saved() -> dict[str, Any]:
    preset, body = _content(ref("Preset")), _content(ref("PresetToSave"))
    operation = _operation(
        "savePreset", "saved as one of the user's", 201, preset, body=body, refusals=(409,)
    )
    operation["responses"]["200"] = {"description": "replaced", **preset}
    return operation


def _session_paths() -> dict[str, Any]:
    wish, one = _content(ref("Controls")), _content(ref("Session"))
    opened = {"Location": "the session's path"}
    here = [_parameter("id", "the session's id")]
    unknown = (404,)

    def change(name: str, summary: str, schema: str, answer: dict[str, Any]) -> dict[str, Any]:
        return _operation(name, summary, 200, answer, body=_content(ref(schema)), refusals=unknown)

    merge = change("changeControls", "merge changes into the wish", "ControlsChange", wish)
    merge["requestBody"]["content"]["application/merge-patch+json"] = {"schema": ref("ControlsChange")}
    return {
        "/api/sessions": {
            "get": _operation("listSessions", "all sessions", 200, _content(ref("Sessions"))),
            "post": _operation(
                "openSession",
                "the answer; the filtered picture comes back in the same connection",
                201,
                _content(ref("Answer")),
                body=_content(ref("Offer")),
                refusals=(409, 422, 503),
                headers=opened,
            ),
        },
        "/api/sessions/{id}": {
            "parameters": here,
            "get": _operation("showSession", "the session", 200, one, refusals=unknown),
            "patch": change("pauseSession", "show a still card, or the picture again", "Pause", one),
            "delete": _operation("closeSession", "the session ended", 204, refusals=(404, 409)),
        },
        "/api/sessions/{id}/controls": {
            "parameters": here,
            "get": _operation("showControls", "the whole wish", 200, wish, refusals=unknown),
            "patch": merge,
            "put": change("replaceControls", "replace the whole wish", "ControlsChange", wish),
        },
        "/api/sessions/{id}/preset": {
            "parameters": here,
            "post": change("choosePreset", "take a preset's wish", "PresetChoice", wish),
        },
        "/api/sessions/{id}/events": {
            "parameters": here,
            "get": _operation(
                "events",
                "a WebSocket with the subprotocols `rtfilter` and `token.TOKEN`; it speaks `ClientMessage`"
                " and `ServerMessage`, as the data channel labelled `rtfilter` does",
                101,
                refusals=(404, 426),
            ),
        },
    }


def _camera_paths() -> dict[str, Any]:
    """Those of `rtfilter cam --panel` alone."""
    cameras = _content(ref("Cameras"))
    return {
        "/api/cameras": {"get": _operation("listCameras", "cameras, and the one in use", 200, cameras)},
        "/api/sessions/cam/camera": {
            "put": _operation(
                "switchCamera",
                "the camera is in use now",
                200,
                cameras,
                body=_content(ref("CameraChoice")),
                refusals=(409,),
            )
        },
    }


def _stream_paths() -> dict[str, Any]:
    sdp, fragment = _content({"type": "string"}, SDP), _content({"type": "string"}, FRAGMENT)
    created = {
        "Location": "the resource, for PATCH and DELETE; its last part is a secret",
        "ETag": "of the ICE session, for If-Match",
        "Accept-Patch": FRAGMENT,
    }
    etag = _parameter("If-Match", "the ETag of POST's answer", "header", required=False)
    name = _parameter("name", "1 to 40 letters, digits, - and _")
    secret = _parameter("secret", "the last part of Location")

    def post(operation: str, summary: str) -> dict[str, Any]:
        refusals = (404, 409, 422, 503)
        return _operation(operation, summary, 201, sdp, body=sdp, refusals=refusals, headers=created)

    def resource(word: str) -> dict[str, Any]:
        return {
            "parameters": [name, secret],
            "patch": _operation(
                f"{word}Trickle",
                "candidates taken; an ICE restart is refused with 422",
                204,
                body=fragment,
                refusals=(404, 412, 422, 428),
                parameters=(etag,),
            ),
            "delete": _operation(f"{word}End", "it ended", 200, refusals=(404,)),
        }

    return {
        "/whip": {"post": post("whipPublishMain", "the filter takes the stream in as `main`")},
        "/whip/{name}": {
            "parameters": [name],
            "post": post("whipPublish", "the filter takes the stream in under this name"),
        },
        "/whip/{name}/{secret}": resource("whip"),
        "/whep/{name}": {
            "parameters": [name],
            "post": post(
                "whepWatch",
                "the filtered stream of that name or session; the original to a second video section",
            ),
        },
        "/whep/{name}/{secret}": resource("whep"),
    }
