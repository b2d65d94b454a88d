"""Several faces in a session: who is seen, controls of their own, and the one that is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import av
import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.filter import FaceFilter
from rtfilter.serve.app.live_controls import GONE_NS, LiveControls
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8
from tests.fakes.serving import BUSY, TOKEN, Camera, Running, Visitor, first, luma, serving, visiting
from tests.serve.test_profiles import ask

WIDTH, HEIGHT = 640, 320
# Kernels may have to be compiled first.
PATIENCE_S = 120.0


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 240))


@lru_cache(maxsize=1)
def couple() -> U8:
    """The demo's portrait twice, side by side: the left half is the right one."""
    demo = DemoSource(width=WIDTH // 2, height=HEIGHT, zoom=1.0)
    try:
        rgb = demo.frame(0).rgb
    finally:
        demo.close()
    return np.ascontiguousarray(np.hstack([rgb, rgb]))


def still(_: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(couple(), format="rgb24").reformat(format="yuv420p")


@asynccontextmanager
async def visited(faces: int) -> AsyncIterator[tuple[Running, Visitor]]:
    options = ServeOptions(port=0, token=TOKEN, limits=BUSY, faces=faces)
    pool = FilterPool(lambda: FaceFilter(lane="cpu", faces=faces))
    async with (
        serving(options, pool) as running,
        visiting(running, Camera(still, fps=10), channel=True) as visitor,
    ):
        yield running, visitor


async def seen(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    """Everybody, from left to right, once there are so many."""

    def newest() -> list[dict[str, Any]] | None:
        timings = [message for message in visitor.messages if message["type"] == "timings"]
        people = timings[-1]["people"] if timings else []
        return people if len(people) == count else None

    people = await first(newest, PATIENCE_S)
    return sorted(people, key=lambda one: float(one["face_box"][0]))


def halves(picture: av.VideoFrame, original: av.VideoFrame) -> tuple[float, float]:
    """How much each half differs, in grey levels."""
    change = np.abs(luma(picture).astype(float) - luma(original))
    return float(change[:, : WIDTH // 2].mean()), float(change[:, WIDTH // 2 :].mean())


def test_one_of_two_gets_controls_of_their_own_and_the_other_s_pixels_stay() -> None:
    async def test() -> None:
        async with visited(2) as (running, visitor):
            left, right = await seen(visitor, 2)
            assert left["person"] != right["person"]
            assert left["face_box"][2] < 0.5 < right["face_box"][0]
            here = f"/api/sessions/{visitor.id}"
            reader = running.sessions.find(visitor.id).results.subscribe()
            changes = {str(right["person"]): {"emotions": {"surprised": 1.0}}}
            status, answer = await ask(running, "PATCH", f"{here}/people", changes)
            assert status == 200
            own = {each["person"]: each["controls"] for each in answer["people"]}
            assert own[left["person"]] is None
            assert own[right["person"]]["emotions"] == {"surprised": 1.0}
            message = await visitor.message(lambda message: message["type"] == "people")
            assert message["people"] == {str(right["person"]): own[right["person"]]}

            async def edited() -> tuple[float, float]:
                while True:
                    result = await reader.next()
                    assert result is not None
                    apart = halves(result.picture, result.original)
                    if max(apart) > 0.2:
                        return apart

            assert (await asyncio.wait_for(edited(), PATIENCE_S))[0] == 0.0
            # Everybody's controls leave the one with controls of their own alone.
            await ask(running, "PATCH", f"{here}/controls", {"emotions": {"happy": 0.3}})
            _, session = await ask(running, "GET", here)
            assert (session["faces"], len(session["people"])) == (2, 2)
            assert [each["controls"] for each in session["people"]].count(None) == 1
            _, answer = await ask(running, "PATCH", f"{here}/people", {str(right["person"]): None})
            assert [each["controls"] for each in answer["people"]] == [None, None]

    run(test())


def test_messages_steer_one_person_and_refuse_strangers() -> None:
    async def test() -> None:
        async with visited(2) as (running, visitor):
            (left, _) = await seen(visitor, 2)
            number = left["person"]
            send = running.sessions.find(visitor.id)
            assert visitor.channel is not None
            visitor.channel.send(
                f'{{"type": "controls", "people": {{"{number}": {{"mouth": 0.5}}}}, "seq": 1}}'
            )
            visitor.channel.send(f'{{"type": "preset", "name": "friendly", "person": {number}, "seq": 2}}')
            message = await visitor.message(lambda each: each["type"] == "people" and each["seq"] == 2)
            own = message["people"][str(number)]
            assert (own["emotions"], own["mouth"]) == ({"happy": 0.4}, 0.5)
            assert send.controls.current.emotions == {}
            await visitor.message(lambda each: each["type"] == "timings" and each["applied_seq"] == 2)
            for text in (
                '{"type": "controls", "people": {"99": {"mouth": 1}}, "seq": 3}',
                '{"type": "preset", "name": "friendly", "person": 99, "seq": 4}',
                '{"type": "choose", "x": 0.5, "y": 0.5, "seq": 5}',
            ):
                visitor.channel.send(text)
            refusals = [await visitor.message(lambda each, k=k: each.get("seq") == k) for k in (3, 4, 5)]
            assert [each["type"] for each in refusals] == ["error"] * 3
            assert "person 99 is not in the picture" in refusals[0]["error"]
            assert "several are followed" in refusals[2]["error"]

    run(test())


def test_the_one_face_is_chosen_by_its_place() -> None:
    async def test() -> None:
        async with visited(1) as (running, visitor):
            before = (await seen(visitor, 1))[0]["face_box"]
            other = 0.25 if before[0] > 0.5 else 0.75
            middle = (before[1] + before[3]) / 2
            here = f"/api/sessions/{visitor.id}/choose"
            assert (await ask(running, "POST", here, {"x": other, "y": middle}))[0] == 204

            def there() -> bool:
                timings = [message for message in visitor.messages if message["type"] == "timings"]
                box = timings[-1]["face_box"]
                return box is not None and bool(box[0] < other < box[2])

            await first(there, PATIENCE_S)
            status, answer = await ask(running, "POST", here, {"x": 1.5, "y": 0.5})
            assert (status, "0..1" in answer["error"]) == (400, True)

    run(test())


def test_who_left_is_forgotten_and_a_new_filter_numbers_anew() -> None:
    live = LiveControls(Controls())
    told: list[tuple[list[int], int | None]] = []
    live.people_changed = lambda people, seq: told.append((sorted(people), seq))
    live.saw([1, 2], 0)
    live.change_people({"1": {"mouth": 0.1}, "2": {}}, 7)
    assert live.newest[1] == 7
    live.saw([2], GONE_NS + 1)
    with pytest.raises(UsageError, match="person 1 is not in the picture; there is 2"):
        live.change_people({"1": {"mouth": 0.2}})
    live.forget_people()
    assert told == [([1, 2], 7), ([2], None), ([], None)]
    assert live.people == {}


@pytest.mark.parametrize(
    "changes", [{"x": {}}, {"-1": {}}, {"1": 3}, {"1": {"mouth": 9}}, {"1": {"smile": 1}}, {"1" * 20: {}}]
)
def test_a_bad_change_of_people_changes_nothing(changes: dict[str, Any]) -> None:
    live = LiveControls(Controls())
    live.saw([1, 2], 0)
    with pytest.raises(UsageError):
        live.change_people({"2": {"mouth": 0.5}} | changes)
    assert live.people == {}
