"""One session: its state, its messages, and what a client's messages do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.presets import BUILT_IN
from rtfilter.serve.app.handle import handle
from rtfilter.serve.app.pipeline import Filtered
from rtfilter.serve.app.session import Session
from rtfilter.system.clock import NS_PER_S
from tests.fakes.serving import grey_picture


class Desk:
    """A session under a clock that is set by hand, and a listener."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.messages: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.paused: list[bool] = []
        self.session = Session("one", "peer", Controls(), BUILT_IN, clock=lambda: self.now_ns)
        self.session.set_paused = self.paused.append
        self.leave = self.session.listen(self.messages.append)

    def deliver(self, pts: int = 0, face: bool = True) -> None:
        picture = grey_picture(pts=pts)
        self.session.deliver(
            Filtered(
                picture=picture,
                original=picture,
                arrived_ns=0,
                done_ns=1,
                stages_ms={"total": 1.0},
                face_box=(0.4, 0.2, 0.6, 0.7) if face else None,
                strength=0.5,
                applied_seq=None,
                dropped=0,
            )
        )

    def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        handle(self.session, text, self.replies.append)

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


def run(test: Callable[[Desk], Awaitable[None]]) -> None:
    async def with_desk() -> None:
        await test(Desk())

    asyncio.run(with_desk())


async def settled() -> None:
    """Let what was scheduled from elsewhere happen."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_the_state_follows_the_pictures() -> None:
    async def test(desk: Desk) -> None:
        session = desk.session
        assert (session.state, session.describe()["video"]) == ("connecting", None)
        for number in range(4):
            desk.now_ns = number * NS_PER_S // 25
            desk.deliver()
        assert session.state == "live"
        assert session.describe()["video"] == {"width": 64, "height": 64, "fps": 25.0}
        desk.now_ns += 3 * NS_PER_S
        assert (session.state, session.silent_s) == ("no_video", 3.0)
        desk.deliver()
        assert session.state == "live"
        session.end("over")
        assert (session.state, session.describe()["reason"]) == ("ended", "over")

    run(test)


def test_changes_of_state_are_sent_once() -> None:
    async def test(desk: Desk) -> None:
        desk.deliver(face=False)
        desk.deliver(face=False)
        desk.deliver(face=True)
        desk.session.notify_state()
        states = [m for m in desk.messages if m["type"] == "state"]
        assert [(m["state"], m["face"]) for m in states] == [("live", False), ("live", True)]
        assert desk.kinds()[0] == "hello"
        desk.session.end("over")
        desk.session.end("again")
        desk.deliver()
        assert [m["reason"] for m in desk.messages if m.get("state") == "ended"] == ["over"]
        assert desk.messages[-1]["type"] == "state"

    run(test)


def test_timings_carry_the_90_khz_time_round_its_end() -> None:
    async def test(desk: Desk) -> None:
        desk.deliver(pts=2**32 + 17)
        assert [m["rtp"] for m in desk.messages if m["type"] == "timings"] == [17]

    run(test)


def test_messages_are_applied() -> None:
    async def test(desk: Desk) -> None:
        desk.send({"type": "controls", "changes": {"mouth": 0.5}, "seq": 1})
        desk.send({"type": "preset", "name": "Friendly", "seq": 2})
        desk.send({"type": "paused", "paused": True})
        desk.send({"type": "ping", "t": 3})
        await settled()
        assert desk.session.controls.current == BUILT_IN["friendly"].controls.with_(mouth=0.5)
        assert [m["seq"] for m in desk.messages if m["type"] == "controls"] == [1, 2]
        assert (desk.paused, desk.session.state) == ([True], "paused")
        assert desk.replies == [{"type": "pong", "t": 3.0}]

    run(test)


@pytest.mark.parametrize(
    ("message", "seq"),
    [
        ("rubbish", None),
        ({"type": "controls", "changes": {"mouth": 7}, "seq": 4}, 4),
        ({"type": "preset", "name": "frendly", "seq": 5}, 5),
        ({"type": "preset", "seq": 6}, 6),
    ],
)
def test_mistakes_are_answered_to_their_sender_alone(message: object, seq: int | None) -> None:
    async def test(desk: Desk) -> None:
        desk.send(message)
        await settled()
        assert [(m["type"], m["seq"]) for m in desk.replies] == [("error", seq)]
        assert desk.kinds() == ["hello"]
        assert desk.session.controls.current == Controls()

    run(test)


def test_an_unknown_preset_names_the_nearest() -> None:
    async def test(desk: Desk) -> None:
        with pytest.raises(UsageError, match="'friendly'"):
            desk.session.choose_preset("frendly")

    run(test)


def test_changes_from_another_thread_are_sent_on_the_loop() -> None:
    async def test(desk: Desk) -> None:
        await asyncio.get_running_loop().run_in_executor(None, desk.session.controls.change, {"mouth": 0.5})
        await settled()
        assert desk.messages[-1]["controls"]["mouth"] == 0.5
        desk.leave()
        desk.leave()
        desk.session.controls.change({"mouth": 0.25})
        await settled()
        assert desk.messages[-1]["controls"]["mouth"] == 0.5

    run(test)
