"""The description of the interface: valid, complete, and what the server really answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

import rtfilter
from rtfilter.controls import EDITABLE, EMOTIONS, INTENSITY_MAX, TABLES, Controls
from rtfilter.serve.app.messages import LONGEST_MESSAGE
from rtfilter.serve.app.preset_store import LONGEST_DESCRIPTION
from rtfilter.serve.app.server import make_app, openapi_document
from rtfilter.serve.gate.options import ServeOptions
from tests.fakes.serving import TOKEN, Camera, grey_picture, next_picture, painting_pool, serving, visiting

# Of `rtfilter cam --panel`, which adds them to the application itself.
CAMERA_PATHS = {("/api/cameras", "get"), ("/api/sessions/cam/camera", "put")}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def shape(name: str) -> Draft202012Validator:
    document = openapi_document()
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema)


def answer_shape(path: str, method: str, status: int) -> Draft202012Validator | None:
    """The schema of a JSON answer; None for one without a body. KeyError when it is not described."""
    document = openapi_document()
    content = document["paths"][path][method]["responses"][str(status)].get("content")
    if content is None:
        return None
    return Draft202012Validator(
        content["application/json"]["schema"] | {"components": document["components"]}
    )


def described() -> set[tuple[str, str]]:
    paths = openapi_document()["paths"]
    return {(path, method) for path, item in paths.items() for method in item if method != "parameters"}


def routed() -> set[tuple[str, str]]:
    async def routes() -> set[tuple[str, str]]:
        app = make_app(ServeOptions(port=0, token=TOKEN), pool=painting_pool())
        found = set()
        for route in app.router.routes():
            assert route.resource is not None
            static = isinstance(route.resource, web.StaticResource)
            path = f"{route.resource.canonical}/{{filename}}" if static else route.resource.canonical
            found.add((path, route.method.lower()))
        return found

    return {(path, method) for path, method in asyncio.run(routes()) if method != "head"}


def test_the_document_is_openapi() -> None:
    validate(openapi_document())
    broken = openapi_document()
    del broken["info"]["title"]
    with pytest.raises(OpenAPIValidationError):
        validate(broken)


def test_what_is_served_is_described_and_the_other_way_round() -> None:
    assert described() - CAMERA_PATHS == routed()


def test_names_and_ranges_are_those_that_the_code_checks() -> None:
    document = openapi_document()
    schemas = document["components"]["schemas"]
    fields = schemas["Controls"]["properties"]
    assert document["info"]["version"] == rtfilter.__version__
    assert list(fields) == list(Controls().as_dict()) == schemas["Controls"]["required"]
    assert fields["emotions"]["propertyNames"]["enum"] == list(EMOTIONS)
    assert fields["blendshapes"]["propertyNames"]["enum"] == list(EDITABLE)
    assert fields["intensity"]["maximum"] == INTENSITY_MAX
    assert fields["emotions"]["additionalProperties"]["maximum"] == INTENSITY_MAX
    assert fields["blendshapes"]["additionalProperties"]["minimum"] == -INTENSITY_MAX
    assert schemas["Info"]["properties"]["emotions"]["items"]["enum"] == list(EMOTIONS)
    assert schemas["PresetToSave"]["properties"]["description"]["maxLength"] == LONGEST_DESCRIPTION
    assert str(LONGEST_MESSAGE) in schemas["ClientMessage"]["description"]


def test_a_change_has_the_controls_own_fields_or_null() -> None:
    schemas = openapi_document()["components"]["schemas"]
    changes = {name: field["oneOf"] for name, field in schemas["ControlsChange"]["properties"].items()}
    assert all(options[1] == {"type": "null"} for options in changes.values())
    for name, field in schemas["Controls"]["properties"].items():
        expected = field
        if name in TABLES:
            amount = {"oneOf": [field["additionalProperties"], {"type": "null"}]}
            expected = field | {"additionalProperties": amount}
        assert changes.pop(name)[0] == expected
    assert not changes


def test_every_shape_is_used_or_a_message() -> None:
    text = json.dumps(openapi_document())
    names = set(openapi_document()["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == names - {"ClientMessage", "ServerMessage"}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ControlsChange", {"emotions": {"happy": None}, "mouth": None}, {"emotions": {"glad": 1}}),
        ("Offer", {"sdp": "v=0", "type": "offer"}, {"sdp": "v=0", "type": "answer"}),
        ("ClientMessage", {"type": "ping", "t": 1}, {"type": "pong", "t": 1}),
        ("ClientMessage", {"type": "controls", "people": {"3": {"mouth": 1}}}, {"type": "controls"}),
        ("ClientMessage", {"type": "choose", "x": 0.5, "y": 1}, {"type": "choose", "x": 0.5}),
        ("ClientMessage", {"type": "controls", "changes": {}, "seq": 3}, {"type": "controls", "seq": 3}),
        ("Controls", None, {"intensity": 2}),
    ],
)
def test_shapes_tell_good_from_bad(name: str, good: object, bad: object) -> None:
    assert not shape(name).is_valid(bad)
    if good is not None:
        shape(name).validate(good)


def test_real_answers_are_as_described() -> None:
    one = "/api/sessions/{id}"
    requests: list[tuple[str, str, object, int]] = [
        ("/api/info", "get", None, 200),
        ("/healthz", "get", None, 200),
        ("/openapi.json", "get", None, 200),
        ("/api/sessions", "get", None, 200),
        ("/api/sessions", "post", {"sdp": "rubbish", "type": "offer"}, 400),
        (one, "get", None, 200),
        (one, "patch", {"paused": True}, 200),
        (f"{one}/controls", "get", None, 200),
        (f"{one}/controls", "patch", {"emotions": {"happy": 0.5}}, 200),
        (f"{one}/controls", "patch", {"mouth": 7}, 400),
        (f"{one}/controls", "put", {}, 200),
        (f"{one}/preset", "post", {"name": "friendly"}, 200),
        (f"{one}/people", "get", None, 200),
        (f"{one}/people", "patch", {"9": None}, 200),
        (f"{one}/people", "patch", {"9": {"mouth": 1}}, 400),
        (f"{one}/choose", "post", {"x": 0.5, "y": 0.5}, 204),
        (f"{one}/choose", "post", {"x": 2, "y": 0.5}, 400),
        ("/api/profiles", "get", None, 200),
        (f"{one}/profile", "put", {"name": None}, 200),
        (f"{one}/enrolment", "get", None, 404),
        (f"{one}/events", "get", None, 426),
        (one, "delete", None, 204),
        (one, "get", None, 404),
    ]

    async def test() -> None:
        async with (
            serving() as running,
            visiting(running, Camera(lambda _: grey_picture()), channel=True) as visitor,
        ):
            answer_shape("/api/sessions", "post", 201).validate(visitor.answer)
            await next_picture(visitor.tracks["video"][0])
            await visitor.message(lambda message: message["type"] == "timings")
            for path, method, body, status in requests:
                here = path.replace("{id}", visitor.id)
                async with running.http.request(method, here, json=body) as response:
                    text = await response.text()
                    assert response.status == status, (path, method, text)
                expected = answer_shape(path, method, status)
                if expected is None:
                    assert text == ""
                else:
                    expected.validate(json.loads(text))
            assert {"hello", "controls", "state", "timings"} <= {each["type"] for each in visitor.messages}
            for message in visitor.messages:
                shape("ServerMessage").validate(message)

    run(test())
