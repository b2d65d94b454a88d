"""Profiles over HTTP: listed, chosen, locked, damaged, deleted; and who may use them."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.lane import People, StepResult
from rtfilter.profiles.gather import Gathering
from rtfilter.profiles.profile import Profile, made_and_kept
from rtfilter.profiles.seal import Seal
from rtfilter.profiles.store import ProfileStore
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.profile_files import opened
from rtfilter.serve.app.wearing import LiveProfile
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.sources.demo import DemoSource
from tests.faces import builtin
from tests.fakes.serving import (
    BUSY,
    TOKEN,
    Camera,
    PaintingFilter,
    Running,
    Visitor,
    first,
    grey_picture,
    picture_when,
    serving,
    visiting,
)

PASSPHRASE = "correct horse battery"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 90))


@lru_cache(maxsize=1)
def anna() -> Profile:
    """Learned from six seconds of the demo, whose landmarks are known."""
    gathering = Gathering(None, "anna", 6.0, builtin(), print)
    demo = DemoSource(width=360, height=270, fps=10, zoom=1.5)
    try:
        for number in range(62):
            points = demo.truth(number).points_px
            gathering.step(demo.frame(number).rgb, [points], number / 10)
    finally:
        demo.close()
    return made_and_kept(gathering, _Nowhere(), "anna", builtin())[0]


class _Nowhere(ProfileStore):
    def write(self, name: str, header: dict[str, Any], content: bytes) -> Path:
        return Path(name)

    def forget_parts(self, name: str) -> None: ...


def keep(folder: Path, name: str, passphrase: str | None = None) -> Path:
    """The profile of anna under a name."""
    header = {**anna().header(), "name": name}
    return ProfileStore(folder, Seal(passphrase)).write(name, header, anna().to_bytes())


class WearingFilter(PaintingFilter):
    """Notes what it wears at every step, and says whom it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.worn: list[str | None] = []

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        self.worn.append(self.profile.name if self.profile else None)
        return super().step(frame, controls)


@asynccontextmanager
async def visited(
    folder: Path, options: ServeOptions | None = None, profile: Profile | None = None
) -> AsyncIterator[tuple[Running, Visitor, WearingFilter]]:
    """A server with those profiles, a session on it, and the filter that the session borrows."""
    filters: list[WearingFilter] = []

    def make() -> WearingFilter:
        filters.append(WearingFilter())
        return filters[-1]

    async with (
        serving(options, FilterPool(make), profiles_folder=folder, profile=profile) as running,
        visiting(running, Camera(lambda _: grey_picture()), channel=True) as visitor,
    ):
        await visitor.message(lambda message: message["type"] == "timings")
        yield running, visitor, next(each for each in filters if each.worn)


async def ask(running: Running, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with running.http.request(method, path, json=body) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None


def test_a_profile_is_listed_chosen_shown_and_taken_off(tmp_path: Path) -> None:
    keep(tmp_path, "anna")

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, worn):
            status, listed = await ask(running, "GET", "/api/profiles")
            assert status == 200
            (entry,) = listed["profiles"]
            assert (entry["name"], entry["locked"], entry["problem"]) == ("anna", False, "")
            assert entry["created"] == anna().created
            assert entry["quality"]["seconds"] == anna().quality.seconds
            here = f"/api/sessions/{visitor.id}/profile"
            assert (await ask(running, "GET", here))[0] == 404
            status, answer = await ask(running, "PUT", here, {"name": "Anna"})
            assert (status, answer["name"], answer["recognised"]) == (200, "anna", True)
            message = await visitor.message(lambda message: message["type"] == "profile")
            assert message["profile"] == answer
            await first(lambda: worn.worn[-1] == "anna")
            _, session = await ask(running, "GET", f"/api/sessions/{visitor.id}")
            assert session["profile"] == answer
            status, report = await ask(running, "GET", here)
            assert (status, report["report"]) == (200, anna().quality.lines())
            jpeg = base64.b64decode(report["preview"].removeprefix("data:image/jpeg;base64,"))
            assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (512, 1536, 3)
            assert await ask(running, "PUT", here, {"name": None}) == (200, None)
            await first(lambda: worn.worn[-1] is None)

    run(test())


def test_a_locked_profile_opens_with_its_passphrase_which_is_nowhere_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, "anna", PASSPHRASE)

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, worn):
            _, listed = await ask(running, "GET", "/api/profiles")
            assert listed["profiles"][0]["locked"]
            assert listed["profiles"][0]["quality"] is None
            here = f"/api/sessions/{visitor.id}/profile"
            status, body = await ask(running, "PUT", here, {"name": "anna"})
            assert (status, body) == (403, {"error": "profile anna is locked: give its passphrase"})
            for wrong in ("short", "another passphrase"):
                status, body = await ask(running, "PUT", here, {"name": "anna", "passphrase": wrong})
                assert status == 403
                assert "does not open with this passphrase" in body["error"]
                assert wrong not in body["error"]
            assert (await ask(running, "GET", f"/api/sessions/{visitor.id}"))[1]["profile"] is None
            status, answer = await ask(running, "PUT", here, {"name": "anna", "passphrase": PASSPHRASE})
            assert (status, answer["name"]) == (200, "anna")
            await first(lambda: worn.worn[-1] == "anna")
            _, session = await ask(running, "GET", f"/api/sessions/{visitor.id}")
            assert PASSPHRASE not in json.dumps([session, visitor.messages])

    with caplog.at_level(logging.DEBUG):
        run(test())
    assert "another passphrase" not in caplog.text
    assert PASSPHRASE not in caplog.text


def test_a_damaged_profile_is_named_and_can_be_deleted(tmp_path: Path) -> None:
    path = keep(tmp_path, "anna")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            _, listed = await ask(running, "GET", "/api/profiles")
            assert "damaged" in listed["profiles"][0]["problem"]
            status, body = await ask(running, "PUT", f"/api/sessions/{visitor.id}/profile", {"name": "anna"})
            assert (status, body) == (409, {"error": "profile anna is damaged: delete it, or enrol again"})
            assert (await ask(running, "DELETE", "/api/profiles/anna"))[0] == 204
            assert (await ask(running, "GET", "/api/profiles"))[1] == {"profiles": []}

    run(test())


def test_a_deleted_profile_is_taken_off_where_it_is_worn_and_in_new_sessions(tmp_path: Path) -> None:
    keep(tmp_path, "anna")

    async def test() -> None:
        async with visited(tmp_path, profile=anna()) as (running, visitor, worn):
            assert worn.worn[0] == "anna"
            assert (await ask(running, "DELETE", "/api/profiles/anna"))[0] == 204
            await first(lambda: worn.worn[-1] is None)
            assert (await ask(running, "DELETE", "/api/profiles/anna"))[0] == 404
            here = f"/api/sessions/{visitor.id}/profile"
            status, body = await ask(running, "PUT", here, {"name": "anna"})
            assert (status, body) == (404, {"error": "there is no profile anna: choose another, or enrol"})
            async with visiting(running, Camera(lambda _: grey_picture())) as other:
                _, session = await ask(running, "GET", f"/api/sessions/{other.id}")
                assert session["profile"] is None

    run(test())


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("DELETE", "/api/profiles/..%2Fsecret", None, "a profile's name"),
        ("PUT", "/profile", {"name": "../secret"}, "a profile's name"),
        ("PUT", "/profile", {}, "expected"),
        ("PUT", "/profile", {"name": 3}, "expected"),
        ("PUT", "/profile", {"name": "anna", "passphrase": 3}, "passphrase"),
        ("PUT", "/profile", {"name": "anna", "passphrase": "x" * 2000}, "passphrase"),
        ("POST", "/enrolment", {"name": "../me"}, "a profile's name"),
        ("POST", "/enrolment", {"name": "nul"}, "Windows"),
        ("POST", "/enrolment", {}, "expected"),
        ("POST", "/enrolment", {"name": "me", "seconds": 4}, "5..300"),
        ("POST", "/enrolment", {"name": "me", "seconds": 1e9}, "5..300"),
        ("POST", "/enrolment", {"name": "me", "seconds": 10**400}, "5..300"),
        ("POST", "/enrolment", {"name": "me", "seconds": True}, "expected"),
        ("POST", "/enrolment", {"name": "me", "fresh": "yes"}, "expected"),
        ("POST", "/enrolment", {"name": "me", "passphrase": "short"}, "8"),
    ],
)
def test_mistakes_are_answered_in_one_line_and_touch_no_file(
    method: str, path: str, body: object, expected: str, tmp_path: Path
) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (tmp_path / "secret.profile").write_bytes(keep(tmp_path / "other", "secret").read_bytes())
    before = sorted(tmp_path.rglob("*"))

    async def test() -> None:
        async with visited(folder) as (running, visitor, _):
            here = path if path.startswith("/api") else f"/api/sessions/{visitor.id}{path}"
            status, answer = await ask(running, method, here, body)
            assert status == 400
            assert expected in answer["error"]
            assert "\n" not in answer["error"]

    run(test())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("passphrase", [None, "abc", "long enough"])
def test_what_is_not_there_is_not_said_to_have_another_passphrase(
    passphrase: str | None, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match="there is no profile nobody") as refused:
        opened(tmp_path, "nobody", passphrase)
    assert refused.value.status == 404


EVERYTHING = (
    ("GET", "/api/profiles", None),
    ("DELETE", "/api/profiles/anna", None),
    ("GET", "/profile", None),
    ("PUT", "/profile", {"name": "anna"}),
    ("GET", "/enrolment", None),
    ("POST", "/enrolment", {"name": "me"}),
    ("DELETE", "/enrolment", None),
)


def test_a_server_for_others_gives_nobody_s_profile_away(tmp_path: Path) -> None:
    path = keep(tmp_path, "anna")
    options = ServeOptions(port=0, token=TOKEN, limits=BUSY, allowed_hosts=("cam.example",))

    async def test() -> None:
        async with visited(tmp_path, options) as (running, visitor, _):
            assert not (await ask(running, "GET", "/api/info"))[1]["profiles"]
            for method, where, body in EVERYTHING:
                here = where if where.startswith("/api") else f"/api/sessions/{visitor.id}{where}"
                status, answer = await ask(running, method, here, body)
                assert (status, "--profiles" in answer["error"]) == (403, True), (method, where)

    run(test())
    assert path.exists()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0", "tls": True}, False),
        ({"host": "192.0.2.7", "tls": True}, False),
        ({"host": "0.0.0.0", "tls": True, "profiles": True}, True),
        ({"allowed_hosts": ("cam.example",)}, False),
        ({"allowed_origins": ("https://app.example",)}, False),
        ({"ice_networks": ("192.0.2.0/24",)}, False),
        ({"ice_networks": ("any",), "profiles": True}, True),
        ({"profiles": False}, False),
    ],
)
def test_profiles_are_offered_on_this_machine_alone_or_where_it_is_said(
    words: dict[str, Any], offered: bool
) -> None:
    assert ServeOptions(token=TOKEN, **words).offers_profiles is offered


def test_without_the_token_there_is_nothing(tmp_path: Path) -> None:
    keep(tmp_path, "anna")

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            for method, where, body in EVERYTHING:
                here = where if where.startswith("/api") else f"/api/sessions/{visitor.id}{where}"
                headers = {"Authorization": "Bearer another-token-than-this"}
                async with running.http.request(method, here, json=body, headers=headers) as response:
                    assert response.status == 401

    run(test())


def test_somebody_else_is_told_once_and_so_is_the_person_who_comes_back(tmp_path: Path) -> None:
    keep(tmp_path, "anna")

    async def test() -> None:
        async with visited(tmp_path, profile=anna()) as (_, visitor, worn):
            for own in (False, True):
                worn.own_skin = own
                message = await visitor.message(
                    lambda message, own=own: (
                        message["type"] == "profile" and message["profile"]["recognised"] is own
                    )
                )
                assert message["profile"]["name"] == "anna"
            told = [message for message in visitor.messages if message["type"] == "profile"]
            assert len(told) == 2

    run(test())


def test_a_filter_goes_back_to_the_pool_bare() -> None:
    pool, live = FilterPool(WearingFilter), LiveProfile(anna())
    lent = pool.take()
    live.dress(lent)
    assert lent.profile is anna()
    pool.give_back(lent)
    assert pool.take().profile is None


def test_the_picture_goes_on_when_a_profile_is_chosen(tmp_path: Path) -> None:
    keep(tmp_path, "anna")

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            await ask(running, "PUT", f"/api/sessions/{visitor.id}/profile", {"name": "anna"})
            await picture_when(visitor.tracks["video"][0], lambda picture: picture.width == 64)

    run(test())
