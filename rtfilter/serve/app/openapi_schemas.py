"""The shapes of the JSON interface as JSON Schema, made of the names and ranges that the code checks by."""

from __future__ import annotations

from typing import Any

from rtfilter.controls import EDITABLE, EMOTIONS, INTENSITY_MAX, TABLES
from rtfilter.serve.app.messages import LONGEST_MESSAGE
from rtfilter.serve.app.preset_store import LONGEST_DESCRIPTION

Schema = dict[str, Any]

STATES = ("connecting", "live", "no_video", "paused", "ended")
KINDS = ("peer", "whip", "cam")
STAGES = ("wait", "unpack", "track", "fit", "edit", "device", "render", "pack", "total")


def ref(name: str) -> Schema:
    """A reference to one of `schemas()`."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def number(low: float | None = None, high: float | None = None, **more: Any) -> Schema:
    """A number between `low` and `high`, inclusive, where they are given."""
    bounds = {"minimum": low, "maximum": high}
    return {"type": "number", **{name: bound for name, bound in bounds.items() if bound is not None}, **more}


def whole(low: int = 0, **more: Any) -> Schema:
    return {"type": "integer", "minimum": low, **more}


def record(required: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    """An object of exactly these properties."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def nullable(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


TEXT: Schema = {"type": "string"}
YES_NO: Schema = {"type": "boolean"}


def schemas() -> dict[str, Schema]:
    """All shapes by name."""
    return {**_controls(), **_sessions(), **_server(), **_messages()}


def _wish_fields() -> dict[str, Schema]:
    amount = number(0, INTENSITY_MAX)
    return {
        "emotions": {
            "type": "object",
            "propertyNames": {"enum": list(EMOTIONS)},
            "additionalProperties": amount,
            "description": "amount by emotion; they mix freely, and one that is absent is 0",
        },
        "intensity": number(0, INTENSITY_MAX, description="factor on the whole mix"),
        "mouth": number(0, 1, description="1 keeps the lips' shape everywhere, 0 lets emotion win"),
        "valence": number(-1, 1),
        "arousal": number(-1, 1),
        "smoothing": number(0, 1, description="0 follows within a frame or two, 1 is the calmest edit"),
        "bypass": {"type": "boolean", "description": "true passes every frame through untouched"},
        "blendshapes": {
            "type": "object",
            "propertyNames": {"enum": list(EDITABLE)},
            "additionalProperties": number(-INTENSITY_MAX, INTENSITY_MAX),
            "description": "offset by ARKit's name, added to what the emotions ask; one that is absent is 0",
        },
    }


def _controls() -> dict[str, Schema]:
    fields = _wish_fields()
    changes = {name: nullable(schema) for name, schema in fields.items()}
    for table in TABLES:
        by_name = fields[table]
        changes[table] = nullable(
            {**by_name, "additionalProperties": nullable(by_name["additionalProperties"])}
        )
    return {
        "Controls": record(fields, description="a whole wish"),
        "ControlsChange": record(
            {}, changes, description="a merge patch (RFC 7396): null puts the default back"
        ),
    }


def _sessions() -> dict[str, Schema]:
    times = record({"p50_ms": number(0), "p95_ms": number(0), "p99_ms": number(0), "count": whole()})
    video = record({"width": whole(1), "height": whole(1), "fps": number(0)})
    return {
        "StageTimes": times,
        "Session": record(
            {
                "id": TEXT,
                "kind": {"enum": list(KINDS)},
                "state": {"enum": list(STATES)},
                "reason": TEXT,
                "face": YES_NO,
                "paused": YES_NO,
                "controls": ref("Controls"),
                "video": nullable(video),
                "frames": whole(),
                "dropped": whole(description="pictures that a newer one replaced before their turn"),
                "stages_ms": {"type": "object", "additionalProperties": ref("StageTimes")},
                "age_s": number(0),
            }
        ),
        "Sessions": record({"sessions": array(ref("Session"))}),
        "Offer": record(
            {"sdp": TEXT, "type": {"const": "offer"}}, {"controls": nullable(ref("ControlsChange"))}
        ),
        "Answer": record({"id": TEXT, "sdp": TEXT, "type": {"const": "answer"}}),
        "Pause": record({"paused": YES_NO}),
        "PresetChoice": record({"name": TEXT}),
    }


def _server() -> dict[str, Schema]:
    size = {"width": whole(), "height": whole(), "fps": number(0)}
    return {
        "Error": record({"error": {"type": "string", "description": "one line that says what to do"}}),
        "Health": record({"status": {"const": "ok"}, "sessions": whole()}),
        "Info": record(
            {
                "version": TEXT,
                "mode": {"enum": ["serve", "cam"]},
                "emotions": array({"enum": list(EMOTIONS)}),
                "intensity_max": number(0),
                "presets": array(ref("Preset")),
                "presets_can_be_saved": YES_NO,
                "limits": record(
                    {"width_px": whole(1), "height_px": whole(1), "fps": number(0), "sessions": whole(1)}
                ),
                "codec": {"enum": ["vp8", "h264"]},
                "bitrate_bps": whole(),
                "controls": ref("Controls"),
            }
        ),
        "Preset": record(
            {"name": TEXT, "description": TEXT, "values": ref("ControlsChange"), "saved": YES_NO}
        ),
        "PresetToSave": record(
            {"values": ref("ControlsChange")},
            {"description": {"type": "string", "maxLength": LONGEST_DESCRIPTION}, "overwrite": YES_NO},
        ),
        "Cameras": record(
            {
                "cameras": array(record({"device": TEXT, "name": TEXT})),
                "current": record({"device": TEXT, **size}),
            }
        ),
        "CameraChoice": record({"device": TEXT, **size}),
    }


def _messages() -> dict[str, Schema]:
    """Those of the WebSocket and the data channel; OpenAPI has no place for them but here."""
    seq = whole(maximum=2**53 - 1)
    stages = {"type": "object", "propertyNames": {"enum": list(STAGES)}, "additionalProperties": number(0)}

    def message(kind: str, required: Schema, optional: Schema | None = None) -> Schema:
        return record({"type": {"const": kind}, **required}, optional)

    return {
        "ClientMessage": {
            "description": f"one JSON text of at most {LONGEST_MESSAGE} characters",
            "oneOf": [
                message("controls", {"changes": ref("ControlsChange")}, {"seq": nullable(seq)}),
                message("preset", {"name": TEXT}, {"seq": nullable(seq)}),
                message("paused", {"paused": YES_NO}),
                message("ping", {"t": number()}),
            ],
        },
        "ServerMessage": {
            "oneOf": [
                message("hello", {"session": ref("Session")}),
                message("controls", {"controls": ref("Controls"), "seq": nullable(seq)}),
                message(
                    "state",
                    {"state": {"enum": list(STATES)}, "face": YES_NO, "paused": YES_NO, "reason": TEXT},
                ),
                message(
                    "timings",
                    {
                        "rtp": whole(
                            maximum=2**32 - 1, description="90 kHz timestamp that the picture came in with"
                        ),
                        "stages_ms": stages,
                        "face": YES_NO,
                        "face_box": nullable(
                            {
                                "type": "array",
                                "items": {"type": "number"},
                                "minItems": 4,
                                "maxItems": 4,
                                "description": "left, top, right, bottom: shares of the picture's sides",
                            }
                        ),
                        "strength": number(0, 1),
                        "dropped": whole(),
                        "applied_seq": nullable(seq),
                    },
                ),
                message("pong", {"t": number()}),
                message("error", {"error": TEXT, "seq": nullable(seq)}),
            ],
        },
    }
