"""Enrolment from a session's camera: a real server, a real tracker, and the demo's portrait as the camera."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from rtfilter.profiles.seal import Seal
from rtfilter.profiles.store import ProfileStore
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8
from tests.fakes.serving import Camera, Running, Visitor, first, painting_pool, serving, visiting
from tests.profiles.test_store import full_disk
from tests.serve.test_profiles import ask

WIDTH, HEIGHT, FRAMES = 480, 360, 100
SHORT_S = 5
PASSPHRASE = "correct horse battery"
# Loading a tracker on a machine that is busy with other tests, and learning.
PATIENCE_S = 60.0


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 150))


@lru_cache(maxsize=1)
def portrait() -> list[U8]:
    demo = DemoSource(width=WIDTH, height=HEIGHT, fps=20, zoom=1.4)
    try:
        return [demo.frame(number).rgb.copy() for number in range(FRAMES)]
    finally:
        demo.close()


def as_it_is(rgb: U8) -> U8:
    return rgb


def blank(rgb: U8) -> U8:
    return np.full_like(rgb, 110)


def dark(rgb: U8) -> U8:
    return np.asarray(rgb * 0.15, np.uint8)


def two(rgb: U8) -> U8:
    half = rgb[:, WIDTH // 4 : 3 * WIDTH // 4]
    return np.hstack([half, half])


def covered(rgb: U8) -> U8:
    """A sheet of blue over the lower half of the face."""
    out = rgb.copy()
    out[round(0.42 * HEIGHT) :, WIDTH // 4 : 3 * WIDTH // 4] = (40, 60, 160)
    return out


def small(rgb: U8) -> U8:
    out = np.full_like(rgb, 110)
    out[105:255, 140:340] = cv2.resize(rgb, (200, 150), interpolation=cv2.INTER_AREA)
    return out


class Person:
    """Before a camera of 20 pictures a second; `look` may change while it runs."""

    def __init__(self) -> None:
        self.look: Callable[[U8], U8] = as_it_is
        self.camera = Camera(self._draw, fps=20)

    def _draw(self, number: int) -> av.VideoFrame:
        rgb = np.ascontiguousarray(self.look(portrait()[number % FRAMES]))
        return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")


@asynccontextmanager
async def visited(folder: Path) -> AsyncIterator[tuple[Running, Visitor, Person]]:
    person = Person()
    async with (
        serving(None, painting_pool(), profiles_folder=folder) as running,
        visiting(running, person.camera, channel=True) as visitor,
    ):
        await visitor.message(lambda message: message["type"] == "timings")
        yield running, visitor, person


async def begin(running: Running, visitor: Visitor, **more: object) -> dict[str, Any]:
    body = {"name": "me", "seconds": SHORT_S, **more}
    status, answer = await ask(running, "POST", f"/api/sessions/{visitor.id}/enrolment", body)
    assert status == 201, answer
    return dict(answer)


def told(visitor: Visitor) -> list[dict[str, Any]]:
    """All states of enrolments so far."""
    messages = [message for message in visitor.messages if message["type"] == "enrolment"]
    return [message["enrolment"] for message in messages if message["enrolment"] is not None]


async def when(visitor: Visitor, test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state that passes."""
    return dict(await first(lambda: next((e for e in told(visitor) if test(e)), None), PATIENCE_S))


def test_a_person_is_enrolled_and_the_profile_is_worn_while_the_pictures_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            begun = await begin(running, visitor, passphrase=PASSPHRASE)
            assert (begun["state"], begun["prompt"]["number"], begun["wanted_s"]) == ("gathering", 1, SHORT_S)
            learning = await when(visitor, lambda each: each["state"] == "learning")
            since_s, before = time.monotonic(), len(visitor.messages)
            over = await when(visitor, lambda each: each["state"] in ("done", "failed"))
            took_s, pictures = time.monotonic() - since_s, len(visitor.messages) - before
            assert over["state"] == "done", over
            assert over["report"][0].startswith("learned from")
            assert learning["seconds"] == SHORT_S
            numbers = [each["prompt"]["number"] for each in told(visitor) if each["prompt"]]
            assert numbers == sorted(numbers)
            assert numbers[-1] == 8
            # 20 pictures a second are sent; 25 of 25 came on a quiet machine.
            assert pictures >= 4 * took_s - 4
            worn = await visitor.message(lambda message: message["type"] == "profile")
            assert worn["profile"]["name"] == "me"
            _, listed = await ask(running, "GET", "/api/profiles")
            assert [(each["name"], each["locked"]) for each in listed["profiles"]] == [("me", True)]
            status, shown = await ask(running, "GET", f"/api/sessions/{visitor.id}/enrolment")
            assert (status, shown) == (200, over)
            here = f"/api/sessions/{visitor.id}/enrolment"
            assert (await ask(running, "DELETE", here))[0] == 204
            assert (await ask(running, "GET", here))[0] == 404
            status, body = await ask(running, "POST", here, {"name": "me"})
            assert (status, "replace it" in body["error"]) == (409, True)

    run(test())
    (path,) = tmp_path.iterdir()
    assert path.name == "me.profile"
    assert path.stat().st_mode & 0o777 == 0o600
    assert ProfileStore(tmp_path, Seal(PASSPHRASE)).read("me")


def test_what_cannot_be_learned_from_is_said_in_one_line_each(tmp_path: Path) -> None:
    looks = {
        blank: "no face is seen",
        dark: "too dark",
        two: "more than one face",
        covered: "covers the face",
        small: "too small",
    }

    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, person):
            person.look = blank
            await begin(running, visitor, seconds=60)
            for look, expected in looks.items():
                person.look = look
                state = await when(visitor, lambda each, text=expected: text in each["problem"])
                assert state["state"] == "gathering"
                assert ": " in state["problem"]
            assert max(each["seconds"] for each in told(visitor)) < 2.0
            person.look = as_it_is
            await first(lambda: told(visitor)[-1]["seconds"] > 2.0, PATIENCE_S)
            assert told(visitor)[-1]["problem"] == ""

    run(test())


def test_one_at_a_time_stopped_and_taken_up_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            here = f"/api/sessions/{visitor.id}/enrolment"
            await begin(running, visitor, seconds=20)
            async with visiting(running, Person().camera, channel=True) as other:
                there = f"/api/sessions/{other.id}/enrolment"
                status, body = await ask(running, "POST", there, {"name": "you"})
                assert (status, "me is being enrolled" in body["error"]) == (409, True)
                status, body = await ask(running, "DELETE", "/api/profiles/me")
                assert (status, body) == (409, {"error": "me is being enrolled: stop that first"})
                assert (await ask(running, "DELETE", there))[0] == 204  # nothing of its own
            await when(visitor, lambda each: each["seconds"] > 2.0)
            assert (await ask(running, "DELETE", here))[0] == 204
            stopped = await when(visitor, lambda each: each["state"] == "stopped")
            assert "are kept" in stopped["error"]
            _, listed = await ask(running, "GET", "/api/profiles")
            assert listed["profiles"][0]["problem"] == "not finished"
            # Locked from now on, and not taken up with another passphrase, or without.
            again = await begin(running, visitor, seconds=20, passphrase=PASSPHRASE)
            assert again["seconds"] == pytest.approx(stopped["seconds"], abs=0.5)
            assert "taking up again" in again["notes"][0]
            assert "--" not in again["notes"][0]
            assert (await ask(running, "DELETE", here))[0] == 204
            await first(lambda: [each["state"] for each in told(visitor)].count("stopped") == 2)
            status, body = await ask(running, "POST", here, {"name": "me", "passphrase": "another one"})
            assert (status, "begin anew" in body["error"]) == (403, True)
            fresh = await begin(running, visitor, fresh=True)
            assert (fresh["seconds"], fresh["notes"]) == (0.0, [])

    run(test())


def test_a_camera_that_is_lost_keeps_what_was_gathered(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(None, painting_pool(), profiles_folder=tmp_path) as running:
            async with visiting(running, Person().camera, channel=True) as visitor:
                await begin(running, visitor, seconds=60)
                await when(visitor, lambda each: each["seconds"] > 2.0)
                assert (await ask(running, "DELETE", f"/api/sessions/{visitor.id}"))[0] == 204

            async def kept() -> list[dict[str, Any]]:
                return list((await ask(running, "GET", "/api/profiles"))[1]["profiles"])

            while not (entries := await kept()):
                await asyncio.sleep(0.1)
            assert (entries[0]["name"], entries[0]["problem"]) == ("me", "not finished")
            async with visiting(running, Person().camera, channel=True) as visitor:
                await visitor.message(lambda message: message["type"] == "timings")
                assert (await begin(running, visitor))["seconds"] > 1.5

    run(test())


def test_a_paused_session_teaches_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            assert (await ask(running, "PATCH", f"/api/sessions/{visitor.id}", {"paused": True}))[0] == 200
            await begin(running, visitor)
            await when(visitor, lambda each: each["problem"].startswith("paused"))
            await asyncio.sleep(1.0)
            assert told(visitor)[-1]["seconds"] == 0.0

    run(test())


def test_a_full_disk_is_one_line_and_no_profile(tmp_path: Path) -> None:
    async def test() -> None:
        async with visited(tmp_path) as (running, visitor, _):
            with full_disk(1000):
                await begin(running, visitor)
                over = await when(visitor, lambda each: each["state"] in ("done", "failed"))
            assert over["state"] == "failed"
            assert "cannot be written" in over["error"]
            assert "nothing of this enrolment is kept" in over["error"]
            assert (await ask(running, "GET", f"/api/sessions/{visitor.id}"))[1]["profile"] is None

    run(test())
    assert not list(tmp_path.glob("*.profile"))


def test_a_folder_that_cannot_be_written_is_refused_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    async def test() -> None:
        async with visited(tmp_path / "file" / "profiles") as (running, visitor, _):
            body = {"name": "me"}
            status, answer = await ask(running, "POST", f"/api/sessions/{visitor.id}/enrolment", body)
            assert (status, "cannot be written to" in answer["error"]) == (507, True)

    run(test())
